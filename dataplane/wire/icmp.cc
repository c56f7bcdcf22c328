#include "dataplane/wire/icmp.h"

#include <algorithm>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

constexpr std::size_t kNeighbourSize = 24;  // without options
constexpr std::size_t kLinkLayerOptionSize = 8;
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::uint8_t kRouterFlag = 0x80;
constexpr std::uint8_t kSolicitedFlag = 0x40;
constexpr std::uint8_t kOverrideFlag = 0x20;
constexpr std::uint8_t kLinkLocalHopLimit = 255;
constexpr std::uint8_t kListenerReport = 143;
constexpr std::uint8_t kChangeToExclude = 4;  // "I listen, whoever sends" (RFC 3810, 5.2.12)

IpAddress v6_at(std::span<const std::uint8_t> data, std::size_t at) noexcept {
    std::array<std::uint8_t, 16> bytes;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), bytes.begin());
    return IpAddress::v6(bytes);
}

void store_v6(std::span<std::uint8_t> out, std::size_t at, const IpAddress& ip) noexcept {
    std::copy_n(ip.bytes().begin(), 16, out.begin() + static_cast<std::ptrdiff_t>(at));
}

void build_header(const IpAddress& source, const IpAddress& destination, std::size_t payload,
                  std::uint8_t next, std::uint8_t hop_limit, std::span<std::uint8_t> out) noexcept {
    store_be32(out, 0, 0x60000000U);
    store_be16(out, 4, static_cast<std::uint16_t>(payload));
    out[6] = next;
    out[7] = hop_limit;
    store_v6(out, 8, source);
    store_v6(out, 24, destination);
}

void write_checksum(const IpAddress& source, const IpAddress& destination,
                    std::span<std::uint8_t> icmp) noexcept {
    store_be16(icmp, 2, 0);
    store_be16(icmp, 2,
               checksum_finish(checksum_add(
                   pseudo_header_sum(source, destination, icmp.size(), kProtocolIcmpv6), icmp)));
}

/// The link-layer address among the options; `sound` becomes false when their lengths are not.
std::optional<MacAddress> find_link_layer(std::span<const std::uint8_t> options, std::uint8_t type,
                                          bool& sound) noexcept {
    std::optional<MacAddress> found;
    while (!options.empty()) {
        const std::size_t size = options.size() < 2 ? 0 : options[1] * std::size_t{8};
        if (size == 0 || size > options.size()) {
            sound = false;
            return std::nullopt;
        }
        if (options[0] == type && size == kLinkLayerOptionSize) {
            MacAddress mac;
            std::copy_n(options.begin() + 2, mac.size(), mac.begin());
            found = mac;
        }
        options = options.subspan(size);
    }
    return found;
}

}  // namespace

IpAddress all_nodes() noexcept {
    return IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01});
}

IpAddress all_listener_routers() noexcept {
    return IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16});
}

IpAddress solicited_node(const IpAddress& address) noexcept {
    const auto& b = address.bytes();
    return IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, b[13], b[14], b[15]});
}

MacAddress multicast_mac(const IpAddress& group) noexcept {
    const auto& b = group.bytes();
    return {0x33, 0x33, b[12], b[13], b[14], b[15]};
}

bool is_multicast(const IpAddress& address) noexcept {
    if (address.family() == IpAddress::Family::V4) return address.bytes()[0] >> 4 == 0xE;
    return address.family() == IpAddress::Family::V6 && address.bytes()[0] == 0xff;
}

bool icmpv6_checksum_holds(std::span<const std::uint8_t> packet,
                           std::span<const std::uint8_t> icmp) noexcept {
    std::uint32_t sum = checksum_add(0, packet.subspan(8, 32));
    sum += static_cast<std::uint32_t>(icmp.size()) + kProtocolIcmpv6;
    return checksum_finish(checksum_add(sum, icmp)) == 0;
}

std::optional<NeighbourMessage> parse_neighbour(std::span<const std::uint8_t> packet) noexcept {
    if (packet.size() < kIpv6HeaderSize + kNeighbourSize || packet[0] >> 4 != 6) {
        return std::nullopt;
    }
    const std::size_t size = load_be16(packet, 4);
    if (size < kNeighbourSize || size > packet.size() - kIpv6HeaderSize ||
        packet[6] != kProtocolIcmpv6 || packet[7] != kLinkLocalHopLimit) {
        return std::nullopt;
    }
    const auto icmp = packet.subspan(kIpv6HeaderSize, size);
    if (icmp[1] != 0 || !icmpv6_checksum_holds(packet, icmp)) return std::nullopt;

    NeighbourMessage message;
    message.advertisement = icmp[0] == kIcmpv6NeighbourAdvertisement;
    if (!message.advertisement && icmp[0] != kIcmpv6NeighbourSolicitation) return std::nullopt;
    message.source = v6_at(packet, 8);
    message.destination = v6_at(packet, 24);
    message.target = v6_at(icmp, 8);
    if (is_multicast(message.target)) return std::nullopt;
    bool sound = true;
    message.link_layer =
        find_link_layer(icmp.subspan(kNeighbourSize),
                        message.advertisement ? kTargetLinkLayer : kSourceLinkLayer, sound);
    if (!sound) return std::nullopt;
    if (message.advertisement) {
        message.from_router = (icmp[4] & kRouterFlag) != 0;
        message.solicited = (icmp[4] & kSolicitedFlag) != 0;
        message.override_known = (icmp[4] & kOverrideFlag) != 0;
        // An answer to nobody in particular was not asked for.
        if (is_multicast(message.destination) && message.solicited) return std::nullopt;
    } else if (message.source.is_any()) {
        // Duplicate address detection goes to the solicited node, and its sender has no address yet.
        if (message.destination != solicited_node(message.target) || message.link_layer) {
            return std::nullopt;
        }
    }
    return message;
}

std::size_t build_neighbour(const NeighbourMessage& message, std::span<std::uint8_t> out) noexcept {
    const std::size_t size = kNeighbourSize + (message.link_layer ? kLinkLayerOptionSize : 0);
    if (out.size() < kIpv6HeaderSize + size) return 0;
    build_header(message.source, message.destination, size, kProtocolIcmpv6, kLinkLocalHopLimit,
                 out);
    const auto icmp = out.subspan(kIpv6HeaderSize, size);
    std::fill_n(icmp.begin(), kNeighbourSize, std::uint8_t{0});
    icmp[0] = message.advertisement ? kIcmpv6NeighbourAdvertisement : kIcmpv6NeighbourSolicitation;
    if (message.advertisement) {
        icmp[4] = static_cast<std::uint8_t>((message.from_router ? kRouterFlag : 0) |
                                            (message.solicited ? kSolicitedFlag : 0) |
                                            (message.override_known ? kOverrideFlag : 0));
    }
    store_v6(icmp, 8, message.target);
    if (message.link_layer) {
        icmp[24] = message.advertisement ? kTargetLinkLayer : kSourceLinkLayer;
        icmp[25] = 1;
        std::copy(message.link_layer->begin(), message.link_layer->end(), icmp.begin() + 26);
    }
    write_checksum(message.source, message.destination, icmp);
    return kIpv6HeaderSize + size;
}

std::size_t build_listener_report(const IpAddress& source, std::span<const IpAddress> groups,
                                  std::span<std::uint8_t> out) noexcept {
    constexpr std::size_t kRouterAlertSize = 8;
    constexpr std::size_t kRecordSize = 20;
    const std::size_t icmp_size = 8 + kRecordSize * groups.size();
    const std::size_t payload = kRouterAlertSize + icmp_size;
    if (out.size() < kIpv6HeaderSize + payload || payload > 0xffff) return 0;
    const IpAddress destination = all_listener_routers();
    build_header(source, destination, payload, kHopByHopOptions, 1, out);
    // Router alert for MLD, then two bytes of padding (RFC 2711).
    constexpr std::array<std::uint8_t, kRouterAlertSize> kRouterAlert{
        kProtocolIcmpv6, 0, 5, 2, 0, 0, 1, 0};
    std::copy(kRouterAlert.begin(), kRouterAlert.end(), out.begin() + kIpv6HeaderSize);
    const auto icmp = out.subspan(kIpv6HeaderSize + kRouterAlertSize, icmp_size);
    std::fill(icmp.begin(), icmp.end(), std::uint8_t{0});
    icmp[0] = kListenerReport;
    store_be16(icmp, 6, static_cast<std::uint16_t>(groups.size()));
    for (std::size_t i = 0; i < groups.size(); ++i) {
        icmp[8 + kRecordSize * i] = kChangeToExclude;
        store_v6(icmp, 12 + kRecordSize * i, groups[i]);
    }
    write_checksum(source, destination, icmp);
    return kIpv6HeaderSize + payload;
}

}  // namespace gnomon
