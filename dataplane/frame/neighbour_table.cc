#include "dataplane/frame/neighbour_table.h"

#include <algorithm>
#include <utility>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

// RFC 4861, 10; the same for ARP.
constexpr Duration kRetransmit = Duration::from_s(1);
constexpr Duration kReachable = Duration::from_s(30);
constexpr int kMaxSolicitations = 3;
/// Who has not answered is left in peace that long.
constexpr Duration kSilence = Duration::from_s(5);
/// Entries that nobody has wanted for so long make room, if room is needed.
constexpr Duration kUnused = Duration::from_s(60);

constexpr std::uint8_t kHopLimit = 64;

bool is_link_local(const IpAddress& ip) noexcept {
    return ip.family() == IpAddress::Family::V6 && ip.bytes()[0] == 0xfe &&
           (ip.bytes()[1] & 0xC0) == 0x80;
}

/// The link of ours that `ip` is on, by the longest prefix.
const DataplaneAddress* find_link(const std::vector<DataplaneAddress>& links,
                                  const IpAddress& ip) noexcept {
    const DataplaneAddress* best = nullptr;
    for (const DataplaneAddress& link : links) {
        if (link.subnet.address.family() != ip.family() || !link.subnet.contains(ip)) continue;
        if (best == nullptr || link.subnet.prefix_length > best->subnet.prefix_length) best = &link;
    }
    return best;
}

EthernetHeader ethernet(const MacAddress& from, const MacAddress& to, std::uint16_t vlan,
                        std::uint16_t type) noexcept {
    EthernetHeader header;
    header.source = from;
    header.destination = to;
    header.ether_type = type;
    if (vlan != 0) {
        header.tag_count = 1;
        header.tags[0].control = vlan;
    }
    return header;
}

}  // namespace

NeighbourTable::NeighbourTable(NeighbourTableConfig config) : config_(std::move(config)) {
    entries_.reserve(config_.capacity);
}

std::optional<NeighbourRoute> NeighbourTable::route(const IpAddress& destination) const noexcept {
    if (!destination.is_ip() || is_multicast(destination)) return std::nullopt;
    for (const DataplaneAddress& own : config_.addresses) {
        if (own.subnet.address == destination) return std::nullopt;
    }
    if (const DataplaneAddress* link = find_link(config_.addresses, destination)) {
        return NeighbourRoute{link->subnet.address, link->vlan, destination};
    }
    if (is_link_local(destination)) return std::nullopt;
    for (const IpAddress& gateway : config_.gateways) {
        if (gateway.family() != destination.family()) continue;
        const DataplaneAddress* link = find_link(config_.addresses, gateway);
        if (link != nullptr && !is_link_local(link->subnet.address)) {
            return NeighbourRoute{link->subnet.address, link->vlan, gateway};
        }
        if (link == nullptr && !is_link_local(gateway)) continue;
        // A link-local gateway is for the link's other addresses, from which we send.
        for (const DataplaneAddress& own : config_.addresses) {
            const IpAddress& ip = own.subnet.address;
            if (ip.family() == IpAddress::Family::V6 && !is_link_local(ip) &&
                (link == nullptr || own.vlan == link->vlan)) {
                return NeighbourRoute{ip, own.vlan, gateway};
            }
        }
    }
    return std::nullopt;
}

NeighbourTable::Resolution NeighbourTable::resolve(const IpAddress& destination,
                                                   MonoTime now) noexcept {
    Resolution result;
    const auto way = route(destination);
    if (!way) return result;
    result.route = *way;
    Entry* entry = find(way->next_hop, way->vlan);
    if (entry == nullptr) entry = make(*way, now);
    if (entry == nullptr) return result;
    entry->used = now;
    switch (entry->phase) {
        case Phase::Incomplete: result.state = State::Pending; return result;
        case Phase::Silent:
            result.state = State::Silent;
            if (now >= entry->next_at) {
                entry->phase = Phase::Incomplete;
                entry->asked = 0;
                entry->next_at = now;
                result.state = State::Pending;
            }
            return result;
        case Phase::Reachable:
            if (now - entry->confirmed >= kReachable) probe(*entry, now);
            break;
        case Phase::Probe: break;
    }
    result.state = State::Known;
    result.mac = entry->mac;
    return result;
}

void NeighbourTable::probe(Entry& entry, MonoTime now) noexcept {
    entry.phase = Phase::Probe;
    entry.asked = 0;
    entry.next_at = now;
}

void NeighbourTable::learn(const NeighbourSighting& sighting, MonoTime now) noexcept {
    Entry* entry = find(sighting.ip, sighting.vlan);
    if (entry == nullptr) return;
    using Kind = NeighbourSighting::Kind;
    const bool answers = sighting.kind == Kind::Reply && entry->asked > 0;
    const bool same = entry->mac == sighting.mac;
    switch (entry->phase) {
        case Phase::Incomplete:
        case Phase::Silent:
            if (!answers && sighting.kind != Kind::Request) return;
            entry->mac = sighting.mac;
            break;
        case Phase::Probe:
            // The question went to the address that we know: only that can answer it.
            if (!answers || !same) return;
            break;
        case Phase::Reachable:
            if (!same) probe(*entry, now);
            return;
    }
    entry->phase = Phase::Reachable;
    entry->confirmed = now;
    entry->asked = 0;
}

std::size_t NeighbourTable::poll(MonoTime now, std::span<std::uint8_t> out) noexcept {
    for (Entry& entry : entries_) {
        if (!is_due(entry, now)) continue;
        const std::size_t length = build_solicitation(entry, out);
        if (length == 0) return 0;
        ++entry.asked;
        entry.next_at = now + kRetransmit;
        return length;
    }
    return 0;
}

bool NeighbourTable::is_due(Entry& entry, MonoTime now) const noexcept {
    if (entry.phase != Phase::Incomplete && entry.phase != Phase::Probe) return false;
    if (now < entry.next_at) return false;
    if (entry.asked < kMaxSolicitations) return true;
    entry.asked = 0;
    if (entry.phase == Phase::Probe) {
        entry.phase = Phase::Incomplete;
        return true;
    }
    entry.phase = Phase::Silent;
    entry.next_at = now + kSilence;
    return false;
}

std::size_t NeighbourTable::build_solicitation(const Entry& entry,
                                               std::span<std::uint8_t> out) const noexcept {
    const NeighbourRoute& route = entry.route;
    const bool to_one = entry.phase == Phase::Probe;
    const bool v6 = route.next_hop.family() == IpAddress::Family::V6;
    const IpAddress group = v6 ? solicited_node(route.next_hop) : IpAddress{};
    const MacAddress to = to_one ? entry.mac : v6 ? multicast_mac(group) : kBroadcastMac;
    const std::size_t offset = build_ethernet(
        ethernet(config_.mac, to, route.vlan, v6 ? kEtherTypeIpv6 : kEtherTypeArp), out);
    if (offset == 0) return 0;
    std::size_t size = 0;
    if (v6) {
        NeighbourMessage message;
        message.source = route.source;
        message.destination = to_one ? route.next_hop : group;
        message.target = route.next_hop;
        message.link_layer = config_.mac;
        size = build_neighbour(message, out.subspan(offset));
    } else {
        ArpPacket packet;
        packet.sender_mac = config_.mac;
        packet.sender_ip = route.source;
        packet.target_ip = route.next_hop;
        size = build_arp(packet, out.subspan(offset));
    }
    return size == 0 ? 0 : pad_frame(offset + size, out);
}

NeighbourTable::Entry* NeighbourTable::find(const IpAddress& next_hop,
                                            std::uint16_t vlan) noexcept {
    for (Entry& entry : entries_) {
        if (entry.route.vlan == vlan && entry.route.next_hop == next_hop) return &entry;
    }
    return nullptr;
}

NeighbourTable::Entry* NeighbourTable::make(const NeighbourRoute& route, MonoTime now) noexcept {
    Entry entry;
    entry.route = route;
    entry.next_at = now;
    if (entries_.size() < config_.capacity) {
        entries_.push_back(entry);
        return &entries_.back();
    }
    const auto oldest =
        std::min_element(entries_.begin(), entries_.end(),
                         [](const Entry& a, const Entry& b) { return a.used < b.used; });
    if (oldest == entries_.end() || now - oldest->used < kUnused) return nullptr;
    *oldest = entry;
    return &*oldest;
}

std::size_t build_datagram_frame(const NeighbourRoute& route, const MacAddress& from,
                                 const MacAddress& to, std::uint16_t local_port, std::uint8_t dscp,
                                 const SocketAddress& remote, std::span<const std::uint8_t> payload,
                                 std::span<std::uint8_t> out) noexcept {
    const bool v6 = remote.ip.family() == IpAddress::Family::V6;
    const std::size_t offset =
        build_ethernet(ethernet(from, to, route.vlan, v6 ? kEtherTypeIpv6 : kEtherTypeIpv4), out);
    if (offset == 0) return 0;
    UdpPacket packet;
    packet.source = {route.source, local_port};
    packet.destination = remote;
    packet.hop_limit = kHopLimit;
    packet.traffic_class = static_cast<std::uint8_t>(dscp << 2);
    packet.payload = payload;
    const std::size_t size = build_ip_udp(packet, out.subspan(offset));
    return size == 0 ? 0 : pad_frame(offset + size, out);
}

}  // namespace gnomon
