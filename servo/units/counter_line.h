#pragma once

/// `CounterLine`: the system clock as a straight line over a free-running counter of the processor
/// (the TSC), so that a thread that must not enter the kernel can tell time with one instruction and
/// one multiplication. The control loop measures it again many times a second and after every
/// correction of the clock, and publishes it through `SeqLock<CounterLine>`.
///
/// Trivially copyable. A default-constructed line is not valid: `is_valid()` before use.

#include <cstdint>

#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct CounterLine {
    std::uint64_t epoch = 0;  ///< count at which `system` was the system time
    SystemTime system;
    double ns_per_count = 0.0;  ///< > 0 when valid
    /// Variance of the line at `epoch`, s², and the growth of its standard deviation since, s/s.
    double variance_s2 = 0.0;
    double drift = 0.0;

    bool is_valid() const noexcept { return ns_per_count > 0.0; }

    /// Exact to below a nanosecond within some seconds of the epoch, before it as well as after it.
    SystemTime to_system(std::uint64_t count) const noexcept {
        const auto since = static_cast<std::int64_t>(count - epoch);
        return system + Duration::from_ns(
                            static_cast<std::int64_t>(static_cast<double>(since) * ns_per_count));
    }
};

}  // namespace gnomon
