#pragma once

/// `ClockDriver`: the one place that touches a clock. The control loop reads the clock through it and
/// executes the `ClockCommand`s of the discipline with it.
///
/// Implementations: `LinuxKernelClock` (adjtimex), `NullClock` (-x: reads, never changes anything).
/// Frequency sign: a *correction*, positive makes the clock run faster.

#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/ntp_types.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon {

class ClockDriver {
public:
    virtual ~ClockDriver() = default;

    /// The raw system clock now.
    virtual SystemTime now() const = 0;

    /// Largest frequency correction the driver can apply, s/s (Linux: 0.1 with tick).
    virtual Frequency max_frequency() const = 0;

    /// The correction in force.
    virtual SysResult<Frequency> frequency() = 0;
    /// Applies a correction and returns the one really in force (the kernel quantises to 2^-16 ppm,
    /// and to whole ticks beyond ±500 ppm), so that bookkeeping stays exact.
    virtual SysResult<Frequency> set_frequency(Frequency correction) = 0;

    /// Moves the clock by `by` at once (positive: forward).
    virtual SysResult<void> step(Duration by) = 0;

    /// Leap second armed in the kernel for the end of the UTC day; TAI − UTC when not 0.
    virtual SysResult<void> set_leap(Leap leap, int tai_offset_s) = 0;
    /// Whether the kernel itself inserts leap seconds.
    virtual bool can_leap() const = 0;

    /// STA_UNSYNC, maxerror and esterror; also lets the kernel copy time to the RTC (`rtcsync`).
    virtual SysResult<void> set_sync_status(bool synchronised, Duration estimated_error,
                                            Duration maximum_error) = 0;

    /// Whether another program was seen to change the clock's frequency or mode since the last call
    /// ("System clock interference detected"). Noticed in passing, at no extra system call.
    virtual bool take_interference() { return false; }
};

}  // namespace gnomon
