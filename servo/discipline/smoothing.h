#pragma once

/// `TimeSmoothing` (`smoothtime`): what a server adds to the times it serves so that clients see
/// neither a jump nor a sudden change of frequency when the server's own clock is corrected or a leap
/// second is slewed ("leap smear").
///
/// The offset is worked off by a frequency that rises at a constant rate (`max_wander`) to at most
/// `max_frequency`, stays there, and falls back to zero: a continuous piecewise parabola.

#include <array>

#include "servo/units/duration.h"
#include "servo/units/measurement.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct SmoothingConfig {
    double max_frequency = 0.0;  ///< s/s; not positive: off
    double max_wander = 0.0;     ///< s/s per s; not positive: off
    bool leap_only = false;      ///< smooth leap seconds, nothing else
};

class TimeSmoothing {
public:
    explicit TimeSmoothing(const SmoothingConfig& config);

    bool enabled() const noexcept { return enabled_; }
    bool active() const noexcept { return enabled_ && active_; }

    /// To be added to served times at `now`, s.
    double offset_s(UtcTime now) const noexcept;

    /// A correction of the NTP clock that clients shall not see at once. `skew` (s/s) is the
    /// clock's present one: smoothing begins when the clock has settled. True: it began just now.
    bool adjust(const ClockAdjustment& adjustment, double skew);
    /// A leap second was inserted (+1) or deleted (−1) by slewing; matters in leap-only mode.
    bool leap(UtcTime now, int leap, double skew);
    /// `smoothtime activate`; true if it was not active.
    bool activate(UtcTime now);
    /// `smoothtime reset`, and every step of the clock; true if enabled.
    bool reset(UtcTime now);

    struct Report {
        bool active = false;
        bool leap_only = false;
        double offset_s = 0.0;
        double frequency_ppm = 0.0;  ///< > 0: served time runs faster
        double wander_ppm_per_s = 0.0;
        double last_update_ago_s = 0.0;
        double remaining_s = 0.0;
    };
    Report report(UtcTime now) const noexcept;

private:
    struct Stage {
        double wander = 0.0;
        double length_s = 0.0;
    };
    struct State {
        double offset_s = 0.0;
        double frequency = 0.0;
        double wander = 0.0;
    };
    State state_at(UtcTime now) const noexcept;
    bool update(UtcTime now, double offset_s, double frequency, double skew);
    void plan();

    SmoothingConfig config_;
    bool enabled_ = false;
    bool active_ = false;
    double offset_s_ = 0.0;   ///< at last_update_
    double frequency_ = 0.0;  ///< rate at which the offset is worked off, s/s
    UtcTime last_update_;
    std::array<Stage, 3> stages_{};
};

}  // namespace gnomon
