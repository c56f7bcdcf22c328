#pragma once

/// `NullClock` (-x): reads the system clock and never changes it. With it the NTP clock drifts away
/// from the system clock as the estimate says; served time is right, the system's is left alone.

#include <cerrno>

#include "servo/actuator/clock_driver.h"
#include "servo/actuator/clock_reader.h"

namespace gnomon {

class NullClock final : public ClockDriver {
public:
    SystemTime now() const override { return read_system_clock(); }
    Frequency max_frequency() const override { return Frequency(); }
    SysResult<Frequency> frequency() override { return Frequency(); }
    SysResult<Frequency> set_frequency(Frequency) override { return Frequency(); }
    /// Always refused: the discipline then keeps the offset in the NTP clock.
    SysResult<void> step(Duration) override { return Unexpected(SysError{"step", EPERM}); }
    SysResult<void> set_leap(Leap, int) override { return {}; }
    bool can_leap() const override { return false; }
    SysResult<void> set_sync_status(bool, Duration, Duration) override { return {}; }
};

}  // namespace gnomon
