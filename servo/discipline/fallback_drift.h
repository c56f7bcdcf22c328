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
    void update(Frequency correction, Duration interval, Duration previous_interval);

    /// The last update was at `last_update`. Called while unsynchronised, and after each update to
    /// schedule the first fallback. Returns a correction to apply at once.
    std::optional<Frequency> schedule(MonoTime now, MonoTime last_update);

    /// When the next fallback becomes active.
    std::optional<MonoTime> deadline() const noexcept { return deadline_; }
    /// The deadline has passed: the correction to apply. The clock is unsynchronised now.
    Frequency expire() noexcept;

private:
    struct Average {
        double correction = 0.0;
        double weight_s = 0.0;
    };
    double period_s(int index) const noexcept;

    int min_log2_ = 0;
    std::vector<Average> averages_;
    int next_ = -1;  ///< index in use or scheduled; −1: none since the last update
    std::optional<MonoTime> deadline_;
};

}  // namespace gnomon
