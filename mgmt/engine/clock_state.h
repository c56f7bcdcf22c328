#pragma once

/// `ClockState`: what an operator wants to know of the clock, as a state machine.
///
///     UNSYNCED ──▶ ACQUIRING ──▶ LOCKED ──▶ HOLDOVER ──▶ FREERUN
///                      ▲            ▲  └───────┘              │
///                      └────────────┴───────────────────────┘
///
///  * UNSYNCED: nobody has set the clock since the start, and nobody is about to.
///  * ACQUIRING: sources answer, but the clock is not yet (or no longer) within its limit.
///  * LOCKED: sources are followed, updates are regular, the error bound is within `maxbound`.
///  * HOLDOVER: it was followed, and runs on what was learned; *in spec* while within the limit.
///  * FREERUN: it was followed once, and claims nothing any more.
///
/// Pure: time and what is seen of the clock arrive as arguments. Not thread-safe.

#include <optional>

#include "servo/units/clock_status.h"
#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// What is seen of sources and clock at one instant.
struct ClockView {
    bool synchronised = false;  ///< the discipline follows, or has followed and still claims it
    bool selected = false;      ///< a source is selected
    bool measured = false;      ///< updates come as regularly as before
    bool answering = false;     ///< a source that may be selected has answered lately
    /// Why no source is selected; only looked at without `selected`.
    ClockReason selection = ClockReason::NoSources;
    double bound_s = 0.0;  ///< of the clock's error; only looked at with `synchronised`
};

class ClockState {
public:
    /// So long a selected source may be missing before it is holdover: selection has its own rhythm.
    static constexpr Duration kSelectionLost = Duration::from_s(8);
    /// Within so much of the limit, out of spec remains out of spec.
    static constexpr double kReturnRatio = 0.9;

    /// Above `useless_s` (`maxdistance`: clients refuse it then) holdover is over.
    ClockState(double limit_s, double useless_s, MonoTime now)
        : limit_s_(limit_s), useless_s_(useless_s), since_(now) {}

    /// True when kind, spec or reason have changed. `since` moves with the first two only.
    bool update(const ClockView& view, MonoTime now);

    ClockStateKind kind() const noexcept { return kind_; }
    ClockReason reason() const noexcept { return reason_; }
    /// The bound is known, and within the limit.
    bool in_spec() const noexcept { return in_spec_; }
    MonoTime since() const noexcept { return since_; }
    double limit_s() const noexcept { return limit_s_; }
    double useless_s() const noexcept { return useless_s_; }

private:
    struct Judgement {
        ClockStateKind kind;
        ClockReason reason;
    };
    Judgement judge(const ClockView& view, MonoTime now);
    Judgement judge_unsynchronised(const ClockView& view) const;

    double limit_s_;
    double useless_s_;
    ClockStateKind kind_ = ClockStateKind::Unsynced;
    ClockReason reason_ = ClockReason::Started;
    bool in_spec_ = false;
    bool ever_set_ = false;
    MonoTime since_;
    std::optional<MonoTime> unselected_since_;
};

}  // namespace gnomon
