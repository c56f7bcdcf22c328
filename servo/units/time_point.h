#pragma once

/// `TimePoint<Scale>`: an instant on one time scale. Subtracting across scales does not compile.
///
/// The scales:
///  * Utc     – the *NTP clock*: our estimate of UTC. Served time, measurements and reported
///              offsets are on it. It never jumps but by a step.
///  * System  – the kernel's real-time clock as read. It approaches the NTP clock by slewing; the
///              difference is known at every instant (`servo/discipline/ntp_clock.h`).
///  * Mono    – CLOCK_MONOTONIC: for time-outs, never stepped.
///  * MonoRaw – CLOCK_MONOTONIC_RAW: the bare oscillator.
///  * Tai, Phc – international atomic time; one NIC's hardware clock.
/// Representation: int64 nanoseconds since 1970 (Utc, System, Tai) or since an arbitrary origin.

#include <compare>
#include <cstdint>

#include <time.h>

#include "servo/units/duration.h"

namespace gnomon {

enum class Scale { Utc, System, Mono, MonoRaw, Tai, Phc };

template <Scale S>
class TimePoint {
public:
    constexpr TimePoint() noexcept = default;

    static constexpr TimePoint from_ns(std::int64_t ns) noexcept {
        return TimePoint(Duration::from_ns(ns));
    }
    static constexpr TimePoint from_timespec(const timespec& ts) noexcept {
        return TimePoint(Duration::from_s(ts.tv_sec) + Duration::from_ns(ts.tv_nsec));
    }
    static constexpr TimePoint max() noexcept { return TimePoint(Duration::max()); }

    constexpr Duration since_epoch() const noexcept { return since_epoch_; }
    constexpr std::int64_t ns() const noexcept { return since_epoch_.ns(); }
    /// Zero doubles as "no time": no instant this program deals with is exactly the epoch.
    constexpr bool is_zero() const noexcept { return since_epoch_ == Duration::zero(); }

    constexpr timespec to_timespec() const noexcept {
        std::int64_t s = ns() / 1'000'000'000;
        std::int64_t rest = ns() % 1'000'000'000;
        if (rest < 0) {
            rest += 1'000'000'000;
            s -= 1;
        }
        timespec ts{};
        ts.tv_sec = s;
        ts.tv_nsec = rest;
        return ts;
    }

    friend constexpr Duration operator-(TimePoint a, TimePoint b) noexcept {
        return a.since_epoch_ - b.since_epoch_;
    }
    friend constexpr TimePoint operator+(TimePoint t, Duration d) noexcept {
        return TimePoint(t.since_epoch_ + d);
    }
    friend constexpr TimePoint operator-(TimePoint t, Duration d) noexcept {
        return TimePoint(t.since_epoch_ - d);
    }
    constexpr TimePoint& operator+=(Duration d) noexcept { return *this = *this + d; }
    friend constexpr auto operator<=>(TimePoint, TimePoint) noexcept = default;

private:
    explicit constexpr TimePoint(Duration since_epoch) noexcept : since_epoch_(since_epoch) {}
    Duration since_epoch_;
};

using UtcTime = TimePoint<Scale::Utc>;
using SystemTime = TimePoint<Scale::System>;
using MonoTime = TimePoint<Scale::Mono>;

}  // namespace gnomon
