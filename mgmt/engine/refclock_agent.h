#pragma once

/// `RefclockAgent`: all reference clocks: who is due, who is locked to whom.

#include <memory>
#include <span>
#include <vector>

#include "mgmt/engine/refclock_source.h"

namespace gnomon {

class RefclockAgent final : private RefclockPeers {
public:
    /// Adds the configured clocks to the selection, before any other source.
    RefclockAgent(const Config& config, const Services& services, ClockAgent& clock,
                  SelectionAgent& selection);

    void start(const Now& now);
    void handle_timeout(const Now& now);
    MonoTime next_timeout() const;
    /// Samples that came on their own, of the clock configured `index`th.
    void handle_samples(std::size_t index, std::span<const RawRefclockSample> samples,
                        const Now& now);
    void adjust(const ClockAdjustment& adjustment);
    void reset(const Now& now);
    /// Null: there is no such clock.
    RefclockSource* find(RefId ref_id) const;

private:
    bool is_following_pulses(RefId ref_id) const override;
    void connect_locks();
    void tell(const RefclockSource& clock, RefclockProblem::Reason reason, RefId other) const;
    Now fresh(const Now& now) const;

    Services services_;
    SelectionAgent& selection_;
    std::vector<std::unique_ptr<RefclockSource>> clocks_;
    std::vector<RawRefclockSample> taken_;  ///< scratch
};

}  // namespace gnomon
