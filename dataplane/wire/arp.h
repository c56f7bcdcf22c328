#pragma once

/// ARP for IPv4 on Ethernet (RFC 826, 5227).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::size_t kArpSize = 28;

struct ArpPacket {
    bool reply = false;
    MacAddress sender_mac{};
    IpAddress sender_ip;  ///< 0.0.0.0: only asks whether the target address is in use
    MacAddress target_mac{};
    IpAddress target_ip;
};

/// Parses what follows the Ethernet header. Empty when truncated, not for IPv4 on Ethernet, neither
/// request nor reply, or when the sender's hardware address is no station's (group, all zero).
std::optional<ArpPacket> parse_arp(std::span<const std::uint8_t> data) noexcept;

/// Returns kArpSize, or 0 when it does not fit or the addresses are not IPv4.
std::size_t build_arp(const ArpPacket& packet, std::span<std::uint8_t> out) noexcept;

}  // namespace gnomon
