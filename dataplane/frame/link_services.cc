#include "dataplane/frame/link_services.h"

#include <algorithm>
#include <utility>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint8_t kHopLimit = 64;
constexpr std::size_t kEchoHeaderSize = 8;
constexpr std::size_t kListenerQueryMinimum = 4;

/// Changes the ICMP type and takes the difference into the checksum (RFC 1624).
void retype(std::uint8_t* icmp, std::uint8_t type) noexcept {
    std::uint16_t checksum;
    std::memcpy(&checksum, icmp + 2, 2);
    const std::uint16_t before = sum_order(static_cast<std::uint16_t>(icmp[0] << 8));
    const std::uint16_t after = sum_order(static_cast<std::uint16_t>(type << 8));
    const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                              static_cast<std::uint16_t>(~before) + after;
    icmp[0] = type;
    store_sum(icmp + 2, static_cast<std::uint16_t>(~fold_sum(sum)));
}

}  // namespace

EchoBudget::EchoBudget(unsigned per_second) noexcept {
    if (per_second == 0) return;
    cost_ns_ = std::max<std::int64_t>(kSecondNs / per_second, 1);
    limit_ns_ = std::max(kSecondNs / 10, cost_ns_);
    credit_ns_ = limit_ns_;
}

bool EchoBudget::take(SystemTime now) noexcept {
    if (cost_ns_ == 0) return false;
    const std::int64_t passed = (now - last_).ns();
    last_ = now;
    // The clock may step either way.
    if (passed > 0)
        credit_ns_ = passed >= limit_ns_ ? limit_ns_ : std::min(credit_ns_ + passed, limit_ns_);
    if (credit_ns_ < cost_ns_) return false;
    credit_ns_ -= cost_ns_;
    return true;
}

LinkServices::Result LinkServices::on_arp(Frame& frame, Layer2 link) noexcept {
    const auto packet =
        parse_arp({frame.data + link.offset, std::size_t{frame.length} - link.offset});
    if (!packet) return FrameDrop::BadNeighbour;
    const IpAddress& sender = packet->sender_ip;
    if (addresses_.is_ours(sender, link.vlan)) {
        counters_.address_conflicts.add();
        return FrameDrop::NotForUs;
    }
    const bool probe = sender.is_any();
    if (!probe && !is_answerable(sender)) return FrameDrop::BadSource;
    using Kind = NeighbourSighting::Kind;
    if (packet->reply) {
        note(link.to_group ? Kind::Unsolicited : Kind::Reply, sender, packet->sender_mac,
             link.vlan);
        return FrameDrop::NotForUs;
    }
    if (!addresses_.is_ours(packet->target_ip, link.vlan)) {
        if (sender == packet->target_ip) {
            note(Kind::Unsolicited, sender, packet->sender_mac, link.vlan);
        }
        return FrameDrop::NotForUs;
    }
    if (!probe) note(Kind::Request, sender, packet->sender_mac, link.vlan);

    const std::size_t length = link.offset + kArpSize;
    if (!set_length(frame, length)) return FrameDrop::NoRoom;
    ArpPacket answer;
    answer.reply = true;
    answer.sender_mac = mac_;
    answer.sender_ip = packet->target_ip;
    answer.target_mac = packet->sender_mac;
    answer.target_ip = sender;
    build_arp(answer, {frame.data + link.offset, kArpSize});
    answer_from(frame.data, mac_);
    counters_.arp_answers.add();
    return FrameDrop::None;
}

LinkServices::Result LinkServices::on_icmpv4(Frame& frame, Layer2 link, std::size_t size) noexcept {
    std::uint8_t* ip = frame.data + link.offset;
    std::uint8_t* icmp = ip + kIpv4HeaderSize;
    size -= kIpv4HeaderSize;
    if (size < 2 || link.to_group || !addresses_.is_ours_v4(ip + 16, link.vlan)) {
        return FrameDrop::NotForUs;
    }
    if (icmp[0] == kIcmpUnreachable && icmp[1] == kIcmpCodeFragmentationNeeded) {
        counters_.too_big.add();
    }
    if (icmp[0] != kIcmpEcho || icmp[1] != 0) return FrameDrop::NotServed;
    if (size < kEchoHeaderSize) return FrameDrop::Truncated;
    if (fold_sum(sum_words(0, ip, kIpv4HeaderSize)) != 0xffff ||
        fold_sum(sum_words(0, icmp, size)) != 0xffff) {
        return FrameDrop::BadChecksum;
    }
    if (!addresses_.is_answerable_v4(ip + 12)) return FrameDrop::BadSource;
    if (!budget_.take(frame.stamp.time)) return FrameDrop::EchoLimited;
    if (!set_length(frame, link.offset + kIpv4HeaderSize + size)) return FrameDrop::NoRoom;

    swap_macs(frame.data);
    std::swap_ranges(ip + 12, ip + 16, ip + 16);
    put_be16(ip + 4, 0);
    put_be16(ip + 6, 0x4000);  // whole, so that it needs no identification (RFC 6864)
    ip[8] = kHopLimit;
    put_be16(ip + 10, 0);
    store_sum(ip + 10, static_cast<std::uint16_t>(~fold_sum(sum_words(0, ip, kIpv4HeaderSize))));
    retype(icmp, kIcmpEchoReply);
    counters_.echo_answers.add();
    return FrameDrop::None;
}

LinkServices::Result LinkServices::on_icmpv6(Frame& frame, Layer2 link, std::size_t size) noexcept {
    const std::uint8_t* ip = frame.data + link.offset;
    if (size < kIpv6HeaderSize + kListenerQueryMinimum) return FrameDrop::Truncated;
    switch (ip[kIpv6HeaderSize]) {
        case kIcmpv6NeighbourSolicitation:
        case kIcmpv6NeighbourAdvertisement: return on_neighbour(frame, link, size);
        case kIcmpv6Echo: return on_echo_v6(frame, link, size);
        case kIcmpv6TooBig:
            if (addresses_.is_ours_v6(ip + 24, link.vlan)) counters_.too_big.add();
            return FrameDrop::NotServed;
        default: return FrameDrop::NotServed;
    }
}

LinkServices::Result LinkServices::on_echo_v6(Frame& frame, Layer2 link,
                                              std::size_t size) noexcept {
    std::uint8_t* ip = frame.data + link.offset;
    std::uint8_t* icmp = ip + kIpv6HeaderSize;
    if (link.to_group || !addresses_.is_ours_v6(ip + 24, link.vlan)) return FrameDrop::NotForUs;
    if (size < kIpv6HeaderSize + kEchoHeaderSize) return FrameDrop::Truncated;
    if (icmp[1] != 0) return FrameDrop::NotServed;
    if (!icmpv6_checksum_holds({ip, size}, {icmp, size - kIpv6HeaderSize})) {
        return FrameDrop::BadChecksum;
    }
    if (!addresses_.is_answerable_v6(ip + 8)) return FrameDrop::BadSource;
    if (!budget_.take(frame.stamp.time)) return FrameDrop::EchoLimited;
    if (!set_length(frame, link.offset + size)) return FrameDrop::NoRoom;
    swap_macs(frame.data);
    std::swap_ranges(ip + 8, ip + 24, ip + 24);
    ip[7] = kHopLimit;
    retype(icmp, kIcmpv6EchoReply);
    counters_.echo_answers.add();
    return FrameDrop::None;
}

LinkServices::Result LinkServices::on_neighbour(Frame& frame, Layer2 link,
                                                std::size_t size) noexcept {
    const auto message = parse_neighbour({frame.data + link.offset, size});
    if (!message) return FrameDrop::BadNeighbour;
    const bool looks_for_duplicates = message->source.is_any();
    if (looks_for_duplicates ? message->advertisement : !is_answerable(message->source)) {
        if (addresses_.is_ours(message->source, link.vlan)) counters_.address_conflicts.add();
        return FrameDrop::BadSource;
    }
    MacAddress sender;
    std::copy_n(frame.data + 6, sender.size(), sender.begin());
    const bool ours = addresses_.is_ours(message->target, link.vlan);
    using Kind = NeighbourSighting::Kind;
    if (message->advertisement) {
        if (ours) {
            counters_.address_conflicts.add();
        } else {
            note(message->solicited ? Kind::Reply : Kind::Unsolicited, message->target,
                 message->link_layer.value_or(sender), link.vlan);
        }
        return FrameDrop::NotForUs;
    }
    if (!ours) return FrameDrop::NotForUs;
    if (message->link_layer) {
        note(Kind::Request, message->source, *message->link_layer, link.vlan);
    }

    NeighbourMessage answer;
    answer.advertisement = true;
    answer.source = answer.target = message->target;
    answer.destination = looks_for_duplicates ? all_nodes() : message->source;
    answer.solicited = !looks_for_duplicates;
    answer.override_known = true;
    answer.link_layer = mac_;
    if (frame.capacity < link.offset) return FrameDrop::NoRoom;
    const std::size_t built = build_neighbour(
        answer, {frame.data + link.offset, std::size_t{frame.capacity} - link.offset});
    if (built == 0 || !set_length(frame, link.offset + built)) return FrameDrop::NoRoom;
    // To the station that asked rather than to the address in its option, which may be another's.
    answer_from(frame.data, mac_);
    if (looks_for_duplicates) {
        const MacAddress group = multicast_mac(answer.destination);
        std::copy(group.begin(), group.end(), frame.data);
    }
    counters_.nd_answers.add();
    return FrameDrop::None;
}

void LinkServices::note(NeighbourSighting::Kind kind, const IpAddress& ip, const MacAddress& mac,
                        std::uint16_t vlan) noexcept {
    if (sighting_count_ == sightings_.size() || !is_station(mac)) return;
    NeighbourSighting& sighting = sightings_[sighting_count_++];
    sighting.kind = kind;
    sighting.ip = ip;
    sighting.mac = mac;
    sighting.vlan = vlan;
}

bool LinkServices::is_answerable(const IpAddress& ip) const noexcept {
    return ip.family() == IpAddress::Family::V4 ? addresses_.is_answerable_v4(ip.bytes().data())
                                                : addresses_.is_answerable_v6(ip.bytes().data());
}

}  // namespace gnomon
