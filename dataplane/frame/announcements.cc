#include "dataplane/frame/announcements.h"

#include <algorithm>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/icmp.h"

namespace gnomon {
namespace {

/// So that a report fits into 256 bytes.
constexpr std::size_t kGroupsPerReport = 8;

bool is_link_local(const IpAddress& ip) noexcept {
    return ip.family() == IpAddress::Family::V6 && ip.bytes()[0] == 0xfe &&
           (ip.bytes()[1] & 0xC0) == 0x80;
}

}  // namespace

Announcements::Announcements(const MacAddress& mac, std::span<const DataplaneAddress> addresses)
    : mac_(mac) {
    std::vector<std::uint16_t> vlans;
    for (const DataplaneAddress& entry : addresses) {
        if (entry.subnet.address.family() != IpAddress::Family::V6) continue;
        vlans.push_back(entry.vlan);
        macs_.push_back(multicast_mac(solicited_node(entry.subnet.address)));
    }
    if (!macs_.empty()) macs_.push_back(multicast_mac(all_nodes()));
    std::sort(macs_.begin(), macs_.end());
    macs_.erase(std::unique(macs_.begin(), macs_.end()), macs_.end());
    std::sort(vlans.begin(), vlans.end());
    vlans.erase(std::unique(vlans.begin(), vlans.end()), vlans.end());

    // Groups first: a switch that snoops would not pass on what is sent to them before.
    for (const std::uint16_t vlan : vlans) {
        IpAddress source = IpAddress::any(IpAddress::Family::V6);
        std::vector<IpAddress> groups;
        for (const DataplaneAddress& entry : addresses) {
            const IpAddress& ip = entry.subnet.address;
            if (entry.vlan != vlan || ip.family() != IpAddress::Family::V6) continue;
            if (is_link_local(ip)) source = ip;
            groups.push_back(solicited_node(ip));
        }
        std::sort(groups.begin(), groups.end());
        groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
        for (std::size_t at = 0; at < groups.size(); at += kGroupsPerReport) {
            const std::size_t end = std::min(at + kGroupsPerReport, groups.size());
            items_.push_back({vlan,
                              source,
                              {groups.begin() + static_cast<std::ptrdiff_t>(at),
                               groups.begin() + static_cast<std::ptrdiff_t>(end)}});
        }
    }
    for (const DataplaneAddress& entry : addresses) {
        if (entry.subnet.address.is_ip()) items_.push_back({entry.vlan, entry.subnet.address, {}});
    }
}

std::size_t Announcements::build(std::size_t index, std::span<std::uint8_t> out) const noexcept {
    if (index >= items_.size()) return 0;
    const Item& item = items_[index];
    EthernetHeader header;
    header.source = mac_;
    header.ether_type = kEtherTypeIpv6;
    if (item.vlan != 0) {
        header.tag_count = 1;
        header.tags[0].control = item.vlan;
    }
    const std::size_t offset = header.size();
    if (out.size() < offset) return 0;
    const auto payload = out.subspan(offset);
    std::size_t size = 0;
    if (!item.groups.empty()) {
        header.destination = multicast_mac(all_listener_routers());
        size = build_listener_report(item.address, item.groups, payload);
    } else if (item.address.family() == IpAddress::Family::V4) {
        header.destination = kBroadcastMac;
        header.ether_type = kEtherTypeArp;
        ArpPacket packet;
        packet.sender_mac = mac_;
        packet.sender_ip = packet.target_ip = item.address;
        size = build_arp(packet, payload);
    } else {
        NeighbourMessage message;
        message.advertisement = true;
        message.source = message.target = item.address;
        message.destination = all_nodes();
        message.override_known = true;
        message.link_layer = mac_;
        header.destination = multicast_mac(message.destination);
        size = build_neighbour(message, payload);
    }
    if (size == 0) return 0;
    build_ethernet(header, out);
    return pad_frame(offset + size, out);
}

}  // namespace gnomon
