#include "servo/actuator/clock_reader.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gnomon {
namespace {

timespec read_clock(clockid_t id) noexcept {
    timespec ts{};
    // Cannot fail for the two clocks that every Linux has.
    clock_gettime(id, &ts);
    return ts;
}

}  // namespace

SystemTime read_system_clock() noexcept {
    return SystemTime::from_timespec(read_clock(CLOCK_REALTIME));
}

MonoTime read_mono_clock() noexcept {
    const timespec ts = read_clock(CLOCK_MONOTONIC);
    return MonoTime::from_ns(Duration::from_s(ts.tv_sec).ns() + ts.tv_nsec);
}

ClockPrecision measure_clock_precision() noexcept {
    // clock_getres() tells the resolution of timers, 1 ns, whatever the clock source can do.
    constexpr int kIncrements = 100;
    constexpr int kMaxReadings = 100'000'000;
    std::int64_t smallest_ns = 1'000'000'000;
    SystemTime before = read_system_clock();
    int increments = 0;
    for (int reading = 0; reading < kMaxReadings && increments < kIncrements; ++reading) {
        const SystemTime now = read_system_clock();
        const std::int64_t increment_ns = (now - before).ns();
        before = now;
        if (increment_ns <= 0) continue;
        smallest_ns = std::min(smallest_ns, increment_ns);
        ++increments;
    }
    return clock_precision_from(static_cast<double>(smallest_ns) * 1e-9);
}

ClockPrecision clock_precision_from(double seconds) noexcept {
    ClockPrecision precision;
    precision.seconds = seconds >= 1e-9 ? std::min(seconds, 1.0) : 1e-9;
    precision.log2 = static_cast<Log2Seconds>(std::lround(std::log2(precision.seconds)));
    return precision;
}

}  // namespace gnomon
