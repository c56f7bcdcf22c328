#pragma once

/// NTP's wire formats of time (RFC 5905, section 6).
///
/// `NtpTimestamp` is the 32.32 format: seconds since 1900 modulo 2^32 (an *era* is 136 years) and a
/// fraction of 2^-32 s = 233 ps. It carries no era, so it converts to a time only near a pivot.
/// Bits that went out are kept verbatim and compared for equality, never converted and compared:
/// ns → NTP → ns is exact (both directions round to nearest), NTP → ns → NTP is not.
///
/// `NtpShort` is the unsigned 16.16 format of root delay and root dispersion.

#include <algorithm>
#include <compare>
#include <cstdint>

#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

class NtpTimestamp {
public:
    constexpr NtpTimestamp() noexcept = default;
    static constexpr NtpTimestamp from_bits(std::uint64_t bits) noexcept {
        return NtpTimestamp(bits);
    }
    static constexpr NtpTimestamp from_utc(UtcTime t) noexcept {
        std::int64_t s = t.ns() / kNsPerS;
        std::int64_t rest = t.ns() % kNsPerS;
        if (rest < 0) {
            rest += kNsPerS;
            s -= 1;
        }
        // (rest * 2^32 + 5e8) / 1e9 rounds to nearest and fits: rest < 2^30.
        const auto fraction = ((static_cast<std::uint64_t>(rest) << 32) + kNsPerS / 2) / kNsPerS;
        return NtpTimestamp((static_cast<std::uint64_t>(s + kUnixToNtpS) << 32) + fraction);
    }

    /// The instant within half an era (68 years) of `pivot`.
    constexpr UtcTime resolve(UtcTime pivot) const noexcept {
        // From the pivot's whole second: the pivot's own rounding must not enter.
        std::int64_t pivot_s = pivot.ns() / kNsPerS;
        if (pivot.ns() % kNsPerS < 0) pivot_s -= 1;
        const auto pivot_ntp_s = static_cast<std::uint64_t>(pivot_s + kUnixToNtpS);
        const auto from_pivot_second = static_cast<std::int64_t>(bits_ - (pivot_ntp_s << 32));
        const std::int64_t whole = from_pivot_second >> 32;
        const auto fraction = static_cast<std::uint64_t>(from_pivot_second) & 0xffff'ffffU;
        const auto ns = static_cast<std::int64_t>((fraction * kNsPerS + (1ULL << 31)) >> 32);
        return UtcTime::from_ns((pivot_s + whole) * kNsPerS + ns);
    }

    constexpr std::uint64_t bits() const noexcept { return bits_; }
    /// All zero means "unknown" on the wire.
    constexpr bool is_zero() const noexcept { return bits_ == 0; }
    friend constexpr bool operator==(NtpTimestamp, NtpTimestamp) noexcept = default;

    /// Seconds between 1900-01-01 and 1970-01-01.
    static constexpr std::int64_t kUnixToNtpS = 2'208'988'800;

private:
    static constexpr std::int64_t kNsPerS = 1'000'000'000;
    explicit constexpr NtpTimestamp(std::uint64_t bits) noexcept : bits_(bits) {}
    std::uint64_t bits_ = 0;
};

class NtpShort {
public:
    constexpr NtpShort() noexcept = default;
    static constexpr NtpShort from_bits(std::uint32_t bits) noexcept { return NtpShort(bits); }
    /// Rounded up, so that an advertised error is never less than the true one; clamps to
    /// [0, 65536) seconds.
    static NtpShort from_seconds_up(double seconds) noexcept {
        if (!(seconds > 0.0)) return NtpShort(0);
        const double scaled = std::ceil(seconds * 65536.0);
        return NtpShort(scaled >= 4294967295.0 ? 0xffff'ffffU : static_cast<std::uint32_t>(scaled));
    }
    /// A root dispersion to be sent beside a root delay: half of what rounding the delay up added to the
    /// bound (delay / 2 + dispersion) need not be added to the dispersion again. Their sum is never less
    /// than the true one, and exceeds it by one unit (15 µs) at most instead of one and a half.
    static NtpShort dispersion_beside(double root_delay_s, double dispersion_s) noexcept {
        if (!(root_delay_s > 0.0)) return from_seconds_up(dispersion_s);
        const double added_s = from_seconds_up(root_delay_s).to_seconds() - root_delay_s;
        return from_seconds_up(dispersion_s - 0.5 * std::max(added_s, 0.0));
    }
    constexpr double to_seconds() const noexcept { return bits_ / 65536.0; }
    constexpr std::uint32_t bits() const noexcept { return bits_; }
    friend constexpr auto operator<=>(NtpShort, NtpShort) noexcept = default;

private:
    explicit constexpr NtpShort(std::uint32_t bits) noexcept : bits_(bits) {}
    std::uint32_t bits_ = 0;
};

}  // namespace gnomon
