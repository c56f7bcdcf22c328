#include "servo/actuator/counter_clock.h"

#include <time.h>

#include <array>
#include <cerrno>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "servo/actuator/clock_reader.h"

namespace gnomon {

namespace {

constexpr std::size_t kReadings = 8;

#if defined(__x86_64__)
// Ordered, so that the clock is read in between.
std::uint64_t read_before() noexcept {
    const std::uint64_t count = __rdtsc();
    _mm_lfence();
    return count;
}
std::uint64_t read_after() noexcept {
    unsigned processor = 0;
    const std::uint64_t count = __rdtscp(&processor);
    _mm_lfence();
    return count;
}
bool is_invariant() noexcept {
    constexpr unsigned kLeaf = 0x80000007;
    constexpr unsigned kInvariantTsc = 1U << 8;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(kLeaf, &a, &b, &c, &d) != 0 && (d & kInvariantTsc) != 0;
}
#elif defined(__aarch64__)
std::uint64_t read_before() noexcept {
    std::uint64_t count;
    asm volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(count)::"memory");
    return count;
}
std::uint64_t read_after() noexcept { return read_before(); }
bool is_invariant() noexcept { return true; }
#else
std::uint64_t read_before() noexcept { return 0; }
std::uint64_t read_after() noexcept { return 0; }
bool is_invariant() noexcept { return false; }
#endif

}  // namespace

SysResult<std::unique_ptr<CounterClock>> CounterClock::open() {
    if (!is_invariant()) {
        return Unexpected(
            SysError{"the processor's counter does not run at a constant rate", ENOTSUP});
    }
    return std::unique_ptr<CounterClock>(new CounterClock());
}

void CounterClock::read_once() noexcept {
    std::array<CounterReading, kReadings> readings;
    for (CounterReading& reading : readings) {
        reading.before = read_before();
        reading.system = read_system_clock();
        reading.after = read_after();
    }
    estimator_.add(narrowest(readings));
}

const CounterLine& CounterClock::measure() noexcept {
    read_once();
    while (!estimator_.line().is_valid()) {
        const timespec pause{0, 500'000};
        nanosleep(&pause, nullptr);
        read_once();
    }
    return estimator_.line();
}

const CounterLine& CounterClock::corrected(double rate_change) noexcept {
    estimator_.corrected(rate_change);
    return measure();
}

}  // namespace gnomon
