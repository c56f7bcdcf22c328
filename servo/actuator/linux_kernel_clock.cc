#include "servo/actuator/linux_kernel_clock.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "servo/actuator/clock_reader.h"

namespace gnomon {
namespace {

constexpr double kFreqScale = 65536.0;  // of timex.freq, per ppm
// From here on the kernel calls the clock unsynchronised anyway.
constexpr Duration kMaxSyncError = Duration::from_s(16);

timex request_for(unsigned modes) {
    timex request{};
    request.modes = modes;
    return request;
}

}  // namespace

KernelFrequency KernelFrequency::from_correction(Frequency correction, long hz) noexcept {
    const long nominal = nominal_tick(hz);
    const long max_ticks = nominal / 10;
    // One tick more is one microsecond more in a USER_HZ-th of a second: `hz` ppm.
    const auto ppm_per_tick = static_cast<double>(hz);
    const double limit_ppm = static_cast<double>(max_ticks) * ppm_per_tick;
    const double ppm = std::clamp(correction.ppm(), -limit_ppm, limit_ppm);
    const long ticks = std::clamp(std::lround(ppm / ppm_per_tick), -max_ticks, max_ticks);
    KernelFrequency kernel;
    kernel.tick = nominal + ticks;
    kernel.freq = std::lround((ppm - static_cast<double>(ticks) * ppm_per_tick) * kFreqScale);
    return kernel;
}

Frequency KernelFrequency::correction(long hz) const noexcept {
    const double tick_ppm = static_cast<double>((tick - nominal_tick(hz)) * hz);
    return Frequency::from_ppm(tick_ppm + static_cast<double>(freq) / kFreqScale);
}

SysResult<LinuxKernelClock> LinuxKernelClock::take_over(const Options& options) {
    const long hz = sysconf(_SC_CLK_TCK);
    if (hz < 1) return Unexpected(SysError::last("sysconf(_SC_CLK_TCK)"));
    LinuxKernelClock clock(options, hz);

    timex single_shot = request_for(ADJ_OFFSET_SINGLESHOT);
    if (auto done = clock.adjust(single_shot, "adjtimex(OFFSET_SINGLESHOT)"); !done) {
        return Unexpected(done.error());
    }
    // The PLL's offset can only be set while the PLL is on.
    timex pll = request_for(ADJ_OFFSET | ADJ_STATUS);
    pll.status = STA_PLL | clock.status_;
    if (auto done = clock.adjust(pll, "adjtimex(OFFSET)"); !done) return Unexpected(done.error());
    timex off = request_for(ADJ_STATUS);
    off.status = clock.status_;
    if (auto done = clock.adjust(off, "adjtimex(STATUS)"); !done) return Unexpected(done.error());
    // Whatever was found is not interference, it is what we took over.
    clock.interference_ = false;
    return clock;
}

SystemTime LinuxKernelClock::now() const { return read_system_clock(); }

Frequency LinuxKernelClock::max_frequency() const {
    const long nominal = KernelFrequency::nominal_tick(hz_);
    return Frequency::from_ratio(static_cast<double>(nominal / 10) / static_cast<double>(nominal));
}

SysResult<Frequency> LinuxKernelClock::frequency() {
    timex state = request_for(0);
    if (auto done = adjust(state, "adjtimex"); !done) return Unexpected(done.error());
    return KernelFrequency{state.tick, state.freq}.correction(hz_);
}

SysResult<Frequency> LinuxKernelClock::set_frequency(Frequency correction) {
    const KernelFrequency kernel = KernelFrequency::from_correction(correction, hz_);
    timex request = request_for(ADJ_TICK | ADJ_FREQUENCY);
    request.tick = kernel.tick;
    request.freq = kernel.freq;
    if (auto done = adjust(request, "adjtimex(FREQUENCY)"); !done) return Unexpected(done.error());
    return KernelFrequency{kernel.tick, request.freq}.correction(hz_);
}

SysResult<void> LinuxKernelClock::step(Duration by) {
    const timespec parts = SystemTime::from_ns(by.ns()).to_timespec();
    timex request = request_for(ADJ_SETOFFSET | ADJ_NANO);
    request.time.tv_sec = parts.tv_sec;
    request.time.tv_usec = parts.tv_nsec;  // nanoseconds, by ADJ_NANO
    const SysResult<void> done = adjust(request, "adjtimex(SETOFFSET)");
    if (done || done.error().code == EPERM) return done;

    const timespec target = (now() + by).to_timespec();
    if (clock_settime(CLOCK_REALTIME, &target) < 0) {
        return Unexpected(SysError::last("clock_settime"));
    }
    return {};
}

SysResult<void> LinuxKernelClock::set_leap(Leap leap, int tai_offset_s) {
    status_ &= ~(STA_INS | STA_DEL);
    if (leap == Leap::InsertSecond) status_ |= STA_INS;
    if (leap == Leap::DeleteSecond) status_ |= STA_DEL;
    timex request = request_for(ADJ_STATUS);
    request.status = status_;
    if (tai_offset_s != 0) {
        request.modes |= ADJ_TAI;
        request.constant = tai_offset_s;
    }
    return adjust(request, "adjtimex(STATUS)");
}

SysResult<void> LinuxKernelClock::set_sync_status(bool synchronised, Duration estimated_error,
                                                  Duration maximum_error) {
    if (!synchronised || maximum_error >= kMaxSyncError) {
        if (!synchronised) estimated_error = kMaxSyncError;
        maximum_error = kMaxSyncError;
        synchronised = false;
    }
    estimated_error = std::min(estimated_error, kMaxSyncError);
    if (synchronised && options_.rtcsync) {
        status_ &= ~STA_UNSYNC;
    } else {
        status_ |= STA_UNSYNC;
    }
    timex request = request_for(ADJ_STATUS | ADJ_ESTERROR | ADJ_MAXERROR);
    request.status = status_;
    request.esterror = estimated_error.ns() / 1000;
    request.maxerror = maximum_error.ns() / 1000;
    return adjust(request, "adjtimex(STATUS)");
}

bool LinuxKernelClock::take_interference() {
    const bool seen = interference_;
    interference_ = false;
    return seen;
}

SysResult<void> LinuxKernelClock::adjust(timex& request, const char* what) {
    const unsigned modes = request.modes;
    if (adjtimex(&request) < 0) return Unexpected(SysError::last(what));
    if (has_image_) {
        const bool pll = ((image_status_ ^ request.status) & STA_PLL) != 0 && !(modes & ADJ_STATUS);
        // ADJ_TAI travels in the same field as the time constant, and does not change it.
        const bool constant = image_constant_ != request.constant && !(modes & ADJ_TIMECONST);
        const bool freq = image_freq_ != request.freq && !(modes & ADJ_FREQUENCY);
        const bool tick = image_tick_ != request.tick && !(modes & ADJ_TICK);
        if (pll || constant || freq || tick) interference_ = true;
    }
    has_image_ = true;
    image_status_ = request.status;
    image_constant_ = request.constant;
    image_freq_ = request.freq;
    image_tick_ = request.tick;
    return {};
}

}  // namespace gnomon
