#pragma once

/// Reading the clocks, and how finely they can be read.

#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// CLOCK_REALTIME.
SystemTime read_system_clock() noexcept;
/// CLOCK_MONOTONIC.
MonoTime read_mono_clock() noexcept;

struct ClockPrecision {
    double seconds = 1e-6;   ///< in [1e-9, 1]
    Log2Seconds log2 = -20;  ///< rounded
};

/// The smallest positive increment of the real-time clock seen in a hundred: resolution or time to
/// read it, whichever is more. Takes microseconds, and at most a second on a clock of 10 ms.
ClockPrecision measure_clock_precision() noexcept;

/// From the directive `clockprecision`; clamped to [1e-9, 1].
ClockPrecision clock_precision_from(double seconds) noexcept;

}  // namespace gnomon
