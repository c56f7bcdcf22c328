#pragma once

/// `LinuxKernelClock`: steers CLOCK_REALTIME with adjtimex(2).
///
/// Frequency: `tick` (whole ticks of USER_HZ, 100 ppm each on most machines, ±10 %) for the coarse
/// part and `freq` (2^-16 ppm, the kernel takes ±500 ppm) for the rest. Steps: ADJ_SETOFFSET, which
/// loses no time between reading and setting; clock_settime where the kernel refuses it.
///
/// Keeps its own image of the status flags, since the kernel wants all of them at every change.

#include <sys/timex.h>

#include "servo/actuator/clock_driver.h"

namespace gnomon {

/// The division of a correction into the kernel's two numbers. Pure, for tests.
struct KernelFrequency {
    long tick = 0;  ///< µs per USER_HZ tick
    long freq = 0;  ///< ppm · 2^16

    /// Nearest representable; clamps to the ±10 % the kernel accepts. `hz` is USER_HZ.
    static KernelFrequency from_correction(Frequency correction, long hz) noexcept;
    Frequency correction(long hz) const noexcept;
    static long nominal_tick(long hz) noexcept { return (1'000'000 + hz / 2) / hz; }
};

class LinuxKernelClock final : public ClockDriver {
public:
    struct Options {
        /// `rtcsync`: clear STA_UNSYNC when synchronised, upon which the kernel copies the time to the
        /// RTC every 11 minutes.
        bool rtcsync = false;
    };

    /// Takes the clock over: cancels what adjtime() and the kernel's PLL had under way.
    static SysResult<LinuxKernelClock> take_over(const Options& options);

    SystemTime now() const override;
    Frequency max_frequency() const override;
    SysResult<Frequency> frequency() override;
    SysResult<Frequency> set_frequency(Frequency correction) override;
    SysResult<void> step(Duration by) override;
    SysResult<void> set_leap(Leap leap, int tai_offset_s) override;
    bool can_leap() const override { return true; }
    SysResult<void> set_sync_status(bool synchronised, Duration estimated_error,
                                    Duration maximum_error) override;
    bool take_interference() override;

private:
    LinuxKernelClock(const Options& options, long hz) : options_(options), hz_(hz) {}
    SysResult<void> adjust(timex& request, const char* what);

    Options options_;
    long hz_ = 100;
    int status_ = STA_UNSYNC;

    // What the kernel had after our last call: anything else is somebody else's doing.
    bool has_image_ = false;
    int image_status_ = 0;
    long image_constant_ = 0;
    long image_freq_ = 0;
    long image_tick_ = 0;
    bool interference_ = false;
};

}  // namespace gnomon
