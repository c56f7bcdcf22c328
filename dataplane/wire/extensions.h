#pragma once

/// Bodies of the extension fields this program speaks, besides authentication. A request carries a
/// field of zeros to ask for it; the reply carries the values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/ntp_packet.h"
#include "servo/units/ntp_time.h"

namespace gnomon {

inline constexpr std::size_t kNetworkCorrectionSize = 24;
inline constexpr std::size_t kMonoRootSize = 24;

/// Network correction (type 0x010A): what transparent clocks measured on the request's way, in the
/// signed 32.32 format of seconds. 8 bytes and 16 bytes of padding, so that the field is as long as
/// RFC 7822 wants a last field to be.
struct NetworkCorrection {
    /// In 2^-32 s; not authenticated against the network, so check it for sanity.
    std::int64_t correction = 0;

    double seconds() const noexcept { return static_cast<double>(correction) * 0x1p-32; }
    /// Nearest; saturates at ±2^31 s; NaN becomes zero.
    static NetworkCorrection from_seconds(double seconds) noexcept;

    static std::optional<NetworkCorrection> decode(std::span<const std::uint8_t> body) noexcept;
    std::array<std::uint8_t, kNetworkCorrectionSize> encode() const noexcept;
};

/// The experimental field of chrony on the way to NTPv5 (type 0xF323): root delay and dispersion
/// with finer resolution, and a receive time on a scale that corrections of the server's time do
/// not move.
struct MonoRoot {
    /// Marks the layout: a body without it is somebody else's experiment.
    static constexpr std::uint32_t kMagic = 0xF5BEDD9A;

    std::uint32_t root_delay = 0;       ///< unsigned 4.28 seconds; all ones means "16 s or more"
    std::uint32_t root_dispersion = 0;  ///< unsigned 4.28 seconds
    NtpTimestamp mono_receive;          ///< zero: not available
    std::uint32_t mono_epoch = 0;       ///< changes when the monotonic scale is restarted

    /// Rounded up and clamped.
    static std::uint32_t to_fixed28(double seconds) noexcept;
    /// All ones become 65536 s: more than any limit.
    static double from_fixed28(std::uint32_t fixed) noexcept;

    static std::optional<MonoRoot> decode(std::span<const std::uint8_t> body) noexcept;
    std::array<std::uint8_t, kMonoRootSize> encode() const noexcept;
};

}  // namespace gnomon
