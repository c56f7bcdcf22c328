#pragma once

/// `ManualInput`: times typed in by a person (`settime`): up to sixteen, and the clock's frequency from
/// two on. Pure; the caller steers the clock by the outcome.

#include <optional>
#include <vector>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

class ManualInput {
public:
    static constexpr std::size_t kMaxSamples = 16;

    struct Sample {
        UtcTime at;
        double offset_s = 0.0;  ///< > 0: the clock was behind; adjusted since
        double original_offset_s = 0.0;
        double residual_s = 0.0;  ///< against the line through all of them
    };
    struct Estimate {
        double offset_s = 0.0;            ///< of the line, at the newest sample
        std::optional<double> frequency;  ///< s/s, > 0: the clock runs slow
    };

    explicit ManualInput(bool enabled) : enabled_(enabled) {}

    bool enabled() const noexcept { return enabled_; }
    void enable(bool enabled) noexcept { enabled_ = enabled; }
    void reset() noexcept { samples_.clear(); }

    /// The NTP clock shows `now` when it is `time`. Empty: less than a second after the last one.
    std::optional<Estimate> add(UtcTime time, UtcTime now);
    /// False: there is no such sample.
    bool remove(std::size_t index);
    /// Of the samples that are left; also updates their residuals.
    Estimate estimate();

    void adjust(const ClockAdjustment& adjustment);
    const std::vector<Sample>& samples() const noexcept { return samples_; }

private:
    bool enabled_;
    std::vector<Sample> samples_;  ///< oldest first
};

}  // namespace gnomon
