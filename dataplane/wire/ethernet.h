#pragma once

/// Ethernet frames with up to two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad), parsed from and built
/// into spans.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gnomon {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86DD;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeQinQ = 0x88A8;

inline constexpr MacAddress kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
/// Shorter frames are padded with zeros (64 bytes with the check sequence).
inline constexpr std::size_t kMinFrameSize = 60;

constexpr bool is_group(const MacAddress& mac) noexcept { return (mac[0] & 1) != 0; }
/// The address of one station: neither a group's nor all zero.
constexpr bool is_station(const MacAddress& mac) noexcept {
    return !is_group(mac) && mac != MacAddress{};
}

struct VlanTag {
    std::uint16_t protocol = kEtherTypeVlan;  ///< 0x8100 or 0x88A8
    std::uint16_t control = 0;                ///< priority, drop eligibility, 12 bits of VLAN ID
    constexpr std::uint16_t id() const noexcept { return control & 0x0FFF; }
};

struct EthernetHeader {
    static constexpr std::size_t kMaxTags = 2;

    MacAddress destination{};
    MacAddress source{};
    std::array<VlanTag, kMaxTags> tags{};  ///< outermost first
    std::size_t tag_count = 0;
    std::uint16_t ether_type = 0;  ///< of what follows the tags

    constexpr std::size_t size() const noexcept { return 14 + 4 * tag_count; }
};

/// Empty when truncated, when there are more than two tags, or for IEEE 802.2 frames (a length
/// instead of a type). The payload begins at `size()` and may end in padding.
std::optional<EthernetHeader> parse_ethernet(std::span<const std::uint8_t> frame) noexcept;

/// Writes the header to the front of `frame`; returns its size, or 0 when it does not fit.
std::size_t build_ethernet(const EthernetHeader& header, std::span<std::uint8_t> frame) noexcept;

/// Pads a frame of `length` bytes to the minimum; returns its length then, 0 when there is no room.
std::size_t pad_frame(std::size_t length, std::span<std::uint8_t> frame) noexcept;

}  // namespace gnomon
