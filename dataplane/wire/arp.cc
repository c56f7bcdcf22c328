#include "dataplane/wire/arp.h"

#include <algorithm>

#include "dataplane/wire/bytes.h"

namespace gnomon {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kRequest = 1;
constexpr std::uint16_t kReply = 2;
constexpr std::uint16_t kSizes = 0x0604;  // of hardware and protocol addresses

MacAddress mac_at(std::span<const std::uint8_t> data, std::size_t at) noexcept {
    MacAddress mac;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), mac.size(), mac.begin());
    return mac;
}

}  // namespace

std::optional<ArpPacket> parse_arp(std::span<const std::uint8_t> data) noexcept {
    if (data.size() < kArpSize) return std::nullopt;
    if (load_be16(data, 0) != kHardwareEthernet || load_be16(data, 2) != kEtherTypeIpv4 ||
        load_be16(data, 4) != kSizes) {
        return std::nullopt;
    }
    const std::uint16_t operation = load_be16(data, 6);
    if (operation != kRequest && operation != kReply) return std::nullopt;
    ArpPacket packet;
    packet.reply = operation == kReply;
    packet.sender_mac = mac_at(data, 8);
    packet.sender_ip = IpAddress::v4(load_be32(data, 14));
    packet.target_mac = mac_at(data, 18);
    packet.target_ip = IpAddress::v4(load_be32(data, 24));
    if (!is_station(packet.sender_mac)) return std::nullopt;
    return packet;
}

std::size_t build_arp(const ArpPacket& packet, std::span<std::uint8_t> out) noexcept {
    if (out.size() < kArpSize || packet.sender_ip.family() != IpAddress::Family::V4 ||
        packet.target_ip.family() != IpAddress::Family::V4) {
        return 0;
    }
    store_be16(out, 0, kHardwareEthernet);
    store_be16(out, 2, kEtherTypeIpv4);
    store_be16(out, 4, kSizes);
    store_be16(out, 6, packet.reply ? kReply : kRequest);
    std::copy(packet.sender_mac.begin(), packet.sender_mac.end(), out.begin() + 8);
    store_be32(out, 14, packet.sender_ip.to_u32());
    std::copy(packet.target_mac.begin(), packet.target_mac.end(), out.begin() + 18);
    store_be32(out, 24, packet.target_ip.to_u32());
    return kArpSize;
}

}  // namespace gnomon
