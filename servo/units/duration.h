#pragma once

/// `Duration`: a signed span of time.
///
/// Representation: int64 nanoseconds (±292 years), private, so that a finer one stays a change of
/// this header. Arithmetic saturates at the ends instead of overflowing. There is no implicit way
/// to or from a number: factories in, `to_seconds()`/`ns()` out, and a ratio by division.
/// Conversions from double round to nearest, because truncation biases by half a nanosecond.

#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>

namespace gnomon {

class Duration {
public:
    constexpr Duration() noexcept = default;

    static constexpr Duration from_ns(std::int64_t ns) noexcept { return Duration(ns); }
    static constexpr Duration from_us(std::int64_t us) noexcept { return Duration(1000) * us; }
    static constexpr Duration from_ms(std::int64_t ms) noexcept { return Duration(1'000'000) * ms; }
    static constexpr Duration from_s(std::int64_t s) noexcept {
        return Duration(1'000'000'000) * s;
    }

    /// Nearest nanosecond; saturates; NaN becomes zero.
    static Duration from_seconds(double seconds) noexcept {
        const double ns = seconds * 1e9;
        if (std::isnan(ns)) return Duration();
        if (ns >= 9.223372036854775e18) return max();
        if (ns <= -9.223372036854775e18) return min();
        return Duration(static_cast<std::int64_t>(std::nearbyint(ns)));
    }

    /// 2^exponent seconds, rounded to a nanosecond; exponent as in NTP's poll and precision.
    static Duration from_log2_seconds(int exponent) noexcept {
        return from_seconds(std::ldexp(1.0, exponent));
    }

    static constexpr Duration zero() noexcept { return Duration(0); }
    static constexpr Duration max() noexcept {
        return Duration(std::numeric_limits<std::int64_t>::max());
    }
    static constexpr Duration min() noexcept {
        return Duration(std::numeric_limits<std::int64_t>::min());
    }

    constexpr std::int64_t ns() const noexcept { return ns_; }
    constexpr double to_seconds() const noexcept { return static_cast<double>(ns_) * 1e-9; }

    constexpr Duration operator-() const noexcept {
        return ns_ == std::numeric_limits<std::int64_t>::min() ? max() : Duration(-ns_);
    }
    friend constexpr Duration operator+(Duration a, Duration b) noexcept {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(a.ns_, b.ns_, &sum)) return a.ns_ > 0 ? max() : min();
        return Duration(sum);
    }
    friend constexpr Duration operator-(Duration a, Duration b) noexcept {
        std::int64_t difference = 0;
        if (__builtin_sub_overflow(a.ns_, b.ns_, &difference)) return a.ns_ < 0 ? min() : max();
        return Duration(difference);
    }
    friend constexpr Duration operator*(Duration a, std::int64_t factor) noexcept {
        std::int64_t product = 0;
        if (__builtin_mul_overflow(a.ns_, factor, &product)) {
            return (a.ns_ > 0) == (factor > 0) ? max() : min();
        }
        return Duration(product);
    }
    friend constexpr Duration operator/(Duration a, std::int64_t divisor) noexcept {
        return divisor == -1 ? -a : Duration(a.ns_ / divisor);
    }
    friend constexpr double operator/(Duration a, Duration b) noexcept {
        return static_cast<double>(a.ns_) / static_cast<double>(b.ns_);
    }
    constexpr Duration& operator+=(Duration other) noexcept { return *this = *this + other; }
    constexpr Duration& operator-=(Duration other) noexcept { return *this = *this - other; }

    friend constexpr auto operator<=>(Duration, Duration) noexcept = default;

private:
    explicit constexpr Duration(std::int64_t ns) noexcept : ns_(ns) {}
    std::int64_t ns_ = 0;
};

constexpr Duration abs(Duration d) noexcept { return d < Duration::zero() ? -d : d; }

}  // namespace gnomon
