#pragma once

/// Small vocabulary types of NTP (RFC 5905, section 7.3).

#include <cstdint>
#include <string>

namespace gnomon {

/// Leap indicator. `Unsynchronised` is NTP's alarm condition.
enum class Leap : std::uint8_t {
    Normal = 0,
    InsertSecond = 1,
    DeleteSecond = 2,
    Unsynchronised = 3
};

/// 0 unspecified/KoD on the wire, 1 primary … 15, 16 unsynchronised (16 travels as 0).
using Stratum = std::uint8_t;
inline constexpr Stratum kStratumUnsynchronised = 16;

/// log2 of seconds: poll intervals and precision.
using Log2Seconds = std::int8_t;

/// Reference identifier, host byte order (so 127.127.1.1 is 0x7F7F0101).
struct RefId {
    std::uint32_t value = 0;

    friend constexpr bool operator==(RefId, RefId) noexcept = default;
    static constexpr RefId local() noexcept { return RefId{0x7F7F0101}; }
    static constexpr RefId smoothing() noexcept { return RefId{0x7F7F01FF}; }
    /// Up to four ASCII characters, left-justified.
    static constexpr RefId from_text(const char* text) noexcept {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            const auto c = static_cast<unsigned char>(*text);
            value = (value << 8) | c;
            if (c != 0) ++text;
        }
        return RefId{value};
    }
    /// The printable characters, for reference clocks ("GPS"); stops at the first NUL.
    std::string to_text() const {
        std::string text;
        for (int shift = 24; shift >= 0; shift -= 8) {
            const auto c = static_cast<char>((value >> shift) & 0xff);
            if (c == 0) break;
            if (c > ' ' && c < 0x7f) text.push_back(c);
        }
        return text;
    }
};

/// Who took a timestamp, best last. Printed as D, K, H.
enum class TimestampSource : std::uint8_t { Daemon, Kernel, Hardware };

constexpr char to_char(TimestampSource source) noexcept {
    switch (source) {
        case TimestampSource::Daemon: return 'D';
        case TimestampSource::Kernel: return 'K';
        case TimestampSource::Hardware: return 'H';
    }
    return '?';
}

}  // namespace gnomon
