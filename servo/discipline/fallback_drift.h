#pragma once

/// `FallbackDrift` (`fallbackdrift MIN MAX`): moving averages of the clock's frequency over 2^MIN …
/// 2^MAX seconds, to fall back on one after the other the longer synchronisation is lost: the older the
/// last update, the longer the average that predicts best.

#include <optional>
#include <vector>

#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/time_point.h"

namespace gnomon {

class FallbackDrift {
public:
    /// log2 of seconds. Disabled unless 0 < min ≤ max.
    FallbackDrift(int min_log2, int max_log2);

    bool enabled() const noexcept { return !averages_.empty(); }

    /// The clock was updated; `correction` is in force from now on.
    void update(Frequency correction, Duration interval);

    /// The last update was `unsynchronised` ago. Called when synchronisation is lost, and after each
    /// update to schedule the first fallback. Returns a correction to apply at once.
    std::optional<Frequency> schedule(MonoTime now, Duration unsynchronised);

    /// When the next fallback becomes active.
    std::optional<MonoTime> deadline() const noexcept { return deadline_; }
    /// The deadline has passed: the correction to apply. The clock is unsynchronised now.
    Frequency expire() noexcept;
    /// log2 s of the average that is in use, after a correction was returned.
    int used_log2() const noexcept { return used_log2_; }

private:
    struct Average {
        double correction = 0.0;
        double weight_s = 0.0;
    };
    const Average& average(int log2_s) const noexcept;

    int min_log2_ = 0;
    int max_log2_ = 0;
    std::vector<Average> averages_;
    int used_log2_ = 0;
    int next_log2_ = 0;  ///< in use or scheduled; 0: none since the last update
    std::optional<MonoTime> deadline_;
};

}  // namespace gnomon
