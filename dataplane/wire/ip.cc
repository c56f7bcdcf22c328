#include "dataplane/wire/ip.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/checksum.h"

namespace gnomon {
namespace {

constexpr int kMaxExtensionHeaders = 8;

constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;

UdpParse refuse(IpError error) noexcept { return UdpParse{std::nullopt, error}; }

IpAddress v4_at(std::span<const std::uint8_t> data, std::size_t at) noexcept {
    return IpAddress::v4(load_be32(data, at));
}

IpAddress v6_at(std::span<const std::uint8_t> data, std::size_t at) noexcept {
    std::array<std::uint8_t, 16> bytes;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), bytes.begin());
    return IpAddress::v6(bytes);
}

UdpParse parse_udp(UdpPacket packet, std::span<const std::uint8_t> udp,
                   ChecksumPolicy policy) noexcept {
    if (udp.size() < kUdpHeaderSize) return refuse(IpError::Truncated);
    const std::size_t length = load_be16(udp, 4);
    if (length < kUdpHeaderSize) return refuse(IpError::BadHeader);
    if (length > udp.size()) return refuse(IpError::Truncated);
    udp = udp.first(length);
    packet.source.port = load_be16(udp, 0);
    packet.destination.port = load_be16(udp, 2);
    packet.payload = udp.subspan(kUdpHeaderSize);
    packet.unchecked = load_be16(udp, 6) == 0;
    const bool is_v6 = packet.source.ip.family() == IpAddress::Family::V6;
    // RFC 8200, 8.1: over IPv6 the checksum is not optional.
    if (packet.unchecked && is_v6) return refuse(IpError::BadChecksum);
    if (policy == ChecksumPolicy::Verify && !packet.unchecked) {
        const std::uint32_t sum = checksum_add(
            pseudo_header_sum(packet.source.ip, packet.destination.ip, length, kProtocolUdp), udp);
        if (checksum_finish(sum) != 0) return refuse(IpError::BadChecksum);
    }
    return UdpParse{packet, IpError::None};
}

UdpParse parse_ipv4(std::span<const std::uint8_t> data, ChecksumPolicy policy) noexcept {
    if (data.size() < kIpv4HeaderSize) return refuse(IpError::Truncated);
    const std::size_t header_size = (data[0] & 0x0FU) * 4U;
    const std::size_t total = load_be16(data, 2);
    if (header_size < kIpv4HeaderSize || total < header_size) return refuse(IpError::BadHeader);
    if (total > data.size()) return refuse(IpError::Truncated);
    if (policy == ChecksumPolicy::Verify &&
        checksum_finish(checksum_add(0, data.first(header_size))) != 0) {
        return refuse(IpError::BadChecksum);
    }
    // More fragments, or not the first one.
    if ((load_be16(data, 6) & 0x3FFF) != 0) return refuse(IpError::Fragment);
    if (data[9] != kProtocolUdp) return refuse(IpError::NotUdp);
    UdpPacket packet;
    packet.traffic_class = data[1];
    packet.hop_limit = data[8];
    packet.source.ip = v4_at(data, 12);
    packet.destination.ip = v4_at(data, 16);
    return parse_udp(packet, data.subspan(header_size, total - header_size), policy);
}

/// Size of the extension header of type `next` at the front of `data`; 0 when it is truncated.
std::size_t extension_size(std::uint8_t next, std::span<const std::uint8_t> data) noexcept {
    if (data.size() < 8) return 0;
    const std::size_t size = next == kAuthentication ? (data[1] + 2U) * 4U : (data[1] + 1U) * 8U;
    return size <= data.size() ? size : 0;
}

UdpParse parse_ipv6(std::span<const std::uint8_t> data, ChecksumPolicy policy) noexcept {
    if (data.size() < kIpv6HeaderSize) return refuse(IpError::Truncated);
    const std::size_t payload = load_be16(data, 4);
    if (payload > data.size() - kIpv6HeaderSize) return refuse(IpError::Truncated);
    UdpPacket packet;
    packet.traffic_class = static_cast<std::uint8_t>(load_be16(data, 0) >> 4);
    packet.hop_limit = data[7];
    packet.source.ip = v6_at(data, 8);
    packet.destination.ip = v6_at(data, 24);
    std::uint8_t next = data[6];
    auto rest = data.subspan(kIpv6HeaderSize, payload);
    for (int i = 0; i <= kMaxExtensionHeaders; ++i) {
        switch (next) {
            case kProtocolUdp: return parse_udp(packet, rest, policy);
            case kIpv6Fragment: return refuse(IpError::Fragment);
            case kHopByHopOptions:
            case kRouting:
            case kAuthentication:
            case kDestinationOptions: {
                const std::size_t size = extension_size(next, rest);
                if (size == 0) return refuse(IpError::Truncated);
                const bool is_stop = next == kRouting && rest[3] != 0;
                if (is_stop) return refuse(IpError::BadHeader);
                next = rest[0];
                rest = rest.subspan(size);
                break;
            }
            default: return refuse(IpError::NotUdp);
        }
    }
    return refuse(IpError::BadHeader);
}

void build_ipv4_header(const UdpPacket& packet, std::size_t total,
                       std::span<std::uint8_t> out) noexcept {
    std::fill_n(out.begin(), kIpv4HeaderSize, std::uint8_t{0});
    out[0] = 0x45;
    out[1] = packet.traffic_class;
    store_be16(out, 2, static_cast<std::uint16_t>(total));
    store_be16(out, 6, 0x4000);  // don't fragment
    out[8] = packet.hop_limit;
    out[9] = kProtocolUdp;
    store_be32(out, 12, packet.source.ip.to_u32());
    store_be32(out, 16, packet.destination.ip.to_u32());
    store_be16(out, 10, checksum_finish(checksum_add(0, out.first(kIpv4HeaderSize))));
}

void build_ipv6_header(const UdpPacket& packet, std::size_t total,
                       std::span<std::uint8_t> out) noexcept {
    store_be32(out, 0, 0x60000000U | (static_cast<std::uint32_t>(packet.traffic_class) << 20));
    store_be16(out, 4, static_cast<std::uint16_t>(total - kIpv6HeaderSize));
    out[6] = kProtocolUdp;
    out[7] = packet.hop_limit;
    std::copy_n(packet.source.ip.bytes().begin(), 16, out.begin() + 8);
    std::copy_n(packet.destination.ip.bytes().begin(), 16, out.begin() + 24);
}

}  // namespace

UdpParse parse_ip_udp(std::span<const std::uint8_t> data, ChecksumPolicy policy) noexcept {
    if (data.empty()) return refuse(IpError::Truncated);
    switch (data[0] >> 4) {
        case 4: return parse_ipv4(data, policy);
        case 6: return parse_ipv6(data, policy);
        default: return refuse(IpError::BadVersion);
    }
}

std::size_t ip_udp_header_size(IpAddress::Family family) noexcept {
    return (family == IpAddress::Family::V6 ? kIpv6HeaderSize : kIpv4HeaderSize) + kUdpHeaderSize;
}

std::size_t build_ip_udp(const UdpPacket& packet, std::span<std::uint8_t> out) noexcept {
    const IpAddress::Family family = packet.source.ip.family();
    if (!packet.source.ip.is_ip() || packet.destination.ip.family() != family) return 0;
    const std::size_t headers = ip_udp_header_size(family);
    const std::size_t total = headers + packet.payload.size();
    if (total > out.size() || total > 0xffff) return 0;
    if (!packet.payload.empty()) {
        std::memmove(out.data() + headers, packet.payload.data(), packet.payload.size());
    }
    if (family == IpAddress::Family::V4) {
        build_ipv4_header(packet, total, out);
    } else {
        build_ipv6_header(packet, total, out);
    }
    const std::size_t udp_size = kUdpHeaderSize + packet.payload.size();
    const auto udp = out.subspan(headers - kUdpHeaderSize, udp_size);
    store_be16(udp, 0, packet.source.port);
    store_be16(udp, 2, packet.destination.port);
    store_be16(udp, 4, static_cast<std::uint16_t>(udp_size));
    store_be16(udp, 6, 0);
    const std::uint16_t checksum = checksum_finish(checksum_add(
        pseudo_header_sum(packet.source.ip, packet.destination.ip, udp_size, kProtocolUdp), udp));
    // Zero would mean "no checksum"; all ones is the same number.
    store_be16(udp, 6, checksum == 0 ? 0xffff : checksum);
    return total;
}

std::uint32_t checksum_add(std::uint32_t sum, std::span<const std::uint8_t> data) noexcept {
    return sum + sum_order(fold_sum(sum_words(0, data.data(), data.size())));
}

std::uint32_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                                std::size_t size, std::uint8_t protocol) noexcept {
    const std::size_t address = source.family() == IpAddress::Family::V4 ? 4 : 16;
    std::uint32_t sum = checksum_add(0, std::span(source.bytes()).first(address));
    sum = checksum_add(sum, std::span(destination.bytes()).first(address));
    return sum + static_cast<std::uint32_t>(size) + protocol;
}

std::uint16_t checksum_finish(std::uint32_t sum) noexcept {
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace gnomon
