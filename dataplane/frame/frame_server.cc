#include "dataplane/frame/frame_server.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/frame/address_index.h"
#include "dataplane/frame/announcements.h"
#include "dataplane/frame/layer2.h"
#include "dataplane/frame/link_services.h"
#include "dataplane/frame/turn.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ip.h"
#include "servo/units/assert.h"

namespace gnomon {
namespace {

/// Frames whose headers are on their way from memory while one is looked at.
constexpr std::size_t kPrefetchDistance = 8;

bool is_extension_header(std::uint8_t next) noexcept {
    return next == kHopByHopOptions || next == 43 || next == kIpv6Fragment || next == 51 ||
           next == 60;
}

Mode mode_of(std::span<const std::uint8_t> payload) noexcept {
    return static_cast<Mode>(payload[0] & 7);
}

/// By fields, because as a whole it is copied by a string instruction, which takes its time to start.
void copy_stamp(const Stamp& from, Stamp& to) noexcept {
    to.time = from.time;
    to.source = from.source;
    to.variance_s2 = from.variance_s2;
    to.error_s = from.error_s;
    to.rx_duration_s = from.rx_duration_s;
}

/// A UDP datagram in a frame: where things are, still to be judged.
struct Udp {
    std::uint16_t ip = 0;
    std::uint16_t at = 0;    ///< of the UDP header
    std::uint16_t room = 0;  ///< from there to the end of the IP packet
    bool plain = true;       ///< neither options nor extension headers between
};

}  // namespace

struct FrameServer::Impl {
    Impl(FrameServerConfig c, ClientLog& log, TimestampStore& store, RandomSource& random)
        : config(std::move(c)),
          exclusive(config.mode == DataplaneMode::Exclusive),
          check_mac(config.mac != MacAddress{}),
          addresses(config.addresses),
          responder(log, store, random),
          services(config.mac, addresses, counters, config.echo_per_second),
          announcements(config.mac, exclusive ? std::span<const DataplaneAddress>(config.addresses)
                                              : std::span<const DataplaneAddress>()) {}

    void classify(Frame& frame, const ServerTables& tables) noexcept;
    [[gnu::always_inline]] inline void classify_ipv4(Frame& frame, Layer2 link,
                                                     const ServerTables& tables) noexcept;
    void classify_ipv6(Frame& frame, Layer2 link, const ServerTables& tables) noexcept;
    void classify_extended_ipv6(Frame& frame, Layer2 link, std::size_t size,
                                const ServerTables& tables) noexcept;
    template <bool kIpv6>
    void classify_udp(Frame& frame, Layer2 link, Udp udp, const ServerTables& tables) noexcept;
    template <bool kIpv6>
    FrameDrop check_udp(const Frame& frame, Udp udp, std::size_t length) const noexcept;
    template <bool kIpv6>
    void accept_udp(Frame& frame, Udp udp, std::size_t length, bool is_ntp,
                    const ServerTables& tables) noexcept;
    void settle(Frame& frame, FrameDrop result) noexcept;
    void stranger(Frame& frame, FrameDrop reason) noexcept;
    void drop(Frame& frame, FrameDrop reason) noexcept;
    [[gnu::always_inline]] inline bool write_headers(Frame& frame,
                                                     std::size_t payload_size) noexcept;
    [[gnu::always_inline]] inline void finish(Frame& frame, SystemTime now,
                                              std::size_t position) noexcept;

    FrameServerConfig config;
    bool exclusive;
    bool check_mac;
    AddressIndex addresses;
    Responder responder;
    FrameCounters counters;
    LinkServices services;
    Announcements announcements;
    bool membership_query = false;
    /// Requests from the front, what goes to the control loop from the back.
    std::array<RxDatagram, kMaxBurst> datagrams;
    std::size_t request_count = 0;
    std::size_t control_count = 0;
    /// By slot, as the requests; written where these lie.
    std::array<Reply, kMaxBurst> replies;
    std::array<Frame*, kMaxBurst> requests{};  ///< during `receive`
    /// Of the UDP checksum, all but the payload. By slot.
    std::array<std::uint64_t, kMaxBurst> header_sums{};
    std::array<Drop, kMaxBurst> verdicts;
};

FrameServer::FrameServer(FrameServerConfig config, ClientLog& log, TimestampStore& store,
                         RandomSource& random)
    : impl_(std::make_unique<Impl>(std::move(config), log, store, random)) {}

FrameServer::~FrameServer() = default;

void FrameServer::receive(std::span<Frame> burst, const ServerState& state,
                          const ServerTables& tables) noexcept {
    GNOMON_ASSERT(burst.size() <= kMaxBurst);
    Impl& impl = *impl_;
    impl.request_count = impl.control_count = 0;
    impl.services.begin_burst();
    const auto prefetch = [&](std::size_t i) {
        if (i >= burst.size()) return;
        // Headers and packet of an ordinary request lie in two lines.
        __builtin_prefetch(burst[i].data, 1);
        __builtin_prefetch(burst[i].data + 64, 1);
    };
    for (std::size_t i = 0; i < kPrefetchDistance; ++i) prefetch(i);
    for (std::size_t i = 0; i < burst.size(); ++i) {
        prefetch(i + kPrefetchDistance);
        impl.classify(burst[i], tables);
    }
    impl.responder.prepare_burst(std::span(impl.datagrams).first(impl.request_count), state, tables,
                                 impl.replies, impl.verdicts);
    std::uint64_t replies = 0;
    for (std::size_t i = 0; i < impl.request_count; ++i) {
        Frame& frame = *impl.requests[i];
        if (impl.verdicts[i] != Drop::None) {
            impl.drop(frame, FrameDrop::Refused);
        } else if (impl.write_headers(frame, impl.replies[i].size())) {
            ++replies;
        } else {
            impl.drop(frame, FrameDrop::NoRoom);
        }
    }
    if (replies != 0) impl.counters.replies.add(replies);
}

void FrameServer::Impl::classify(Frame& frame, const ServerTables& tables) noexcept {
    Layer2 link;
    if (const FrameDrop error = parse_layer2(frame, link); error != FrameDrop::None) {
        return error == FrameDrop::Truncated ? drop(frame, error) : stranger(frame, error);
    }
    if (check_mac && !link.to_group && std::memcmp(frame.data, config.mac.data(), 6) != 0) {
        return drop(frame, FrameDrop::NotForUs);
    }
    // No station has a group's address, and ours is our own echo.
    if ((frame.data[6] & 1) != 0 ||
        (check_mac && std::memcmp(frame.data + 6, config.mac.data(), 6) == 0)) {
        return drop(frame, FrameDrop::BadSource);
    }
    frame.l3_offset = link.offset;
    switch (link.ether_type) {
        case kEtherTypeIpv4: return classify_ipv4(frame, link, tables);
        case kEtherTypeIpv6: return classify_ipv6(frame, link, tables);
        case kEtherTypeArp:
            if (exclusive) return settle(frame, services.on_arp(frame, link));
            break;
        default: break;
    }
    stranger(frame, FrameDrop::NotServed);
}

/// What the services of the link have done with a frame.
void FrameServer::Impl::settle(Frame& frame, FrameDrop result) noexcept {
    if (result == FrameDrop::None) {
        frame.verdict = FrameVerdict::Answered;
        frame.drop = FrameDrop::None;
    } else if (result == FrameDrop::NotForUs || result == FrameDrop::NotServed) {
        stranger(frame, result);
    } else {
        drop(frame, result);
    }
}

void FrameServer::Impl::stranger(Frame& frame, FrameDrop reason) noexcept {
    if (!config.strangers_to_kernel) return drop(frame, reason);
    frame.verdict = FrameVerdict::ToKernel;
    frame.drop = FrameDrop::None;
    counters.to_kernel.add();
}

void FrameServer::Impl::drop(Frame& frame, FrameDrop reason) noexcept {
    frame.verdict = FrameVerdict::Drop;
    frame.drop = reason;
    counters.drops[static_cast<std::size_t>(reason)].add();
}

void FrameServer::Impl::classify_ipv4(Frame& frame, Layer2 link,
                                      const ServerTables& tables) noexcept {
    const std::uint8_t* ip = frame.data + link.offset;
    const std::size_t room = std::size_t{frame.length} - link.offset;
    if (room < kIpv4HeaderSize) return drop(frame, FrameDrop::Truncated);
    const std::size_t header = (ip[0] & 0x0FU) * 4U;
    const std::size_t total = be16_at(ip + 2);
    if (ip[0] >> 4 != 4 || header < kIpv4HeaderSize || total < header) {
        return drop(frame, FrameDrop::BadHeader);
    }
    if (total > room) return drop(frame, FrameDrop::Truncated);
    const std::uint16_t fragment = be16_at(ip + 6) & 0x3FFF;
    frame.is_ipv6 = false;
    if (ip[9] == kProtocolUdp) {
        if (fragment == 0) {
            const Udp udp{link.offset, static_cast<std::uint16_t>(link.offset + header),
                          static_cast<std::uint16_t>(total - header), header == kIpv4HeaderSize};
            return classify_udp<false>(frame, link, udp, tables);
        }
        // The first fragment tells the port; the others come to nothing without it.
        const bool has_port = (fragment & 0x1FFF) == 0 && total >= header + kUdpHeaderSize;
        if (has_port && config.ntp_port != 0 && be16_at(ip + header + 2) == config.ntp_port) {
            return drop(frame, FrameDrop::Fragment);
        }
        return stranger(frame, FrameDrop::Fragment);
    }
    if (ip[9] == kProtocolIcmp && exclusive && fragment == 0 && header == kIpv4HeaderSize) {
        if (frame.ip_checksum == ChecksumState::Bad) return drop(frame, FrameDrop::BadChecksum);
        return settle(frame, services.on_icmpv4(frame, link, total));
    }
    stranger(frame, FrameDrop::NotServed);
}

void FrameServer::Impl::classify_ipv6(Frame& frame, Layer2 link,
                                      const ServerTables& tables) noexcept {
    const std::uint8_t* ip = frame.data + link.offset;
    const std::size_t room = std::size_t{frame.length} - link.offset;
    if (room < kIpv6HeaderSize) return drop(frame, FrameDrop::Truncated);
    if (ip[0] >> 4 != 6) return drop(frame, FrameDrop::BadHeader);
    const std::size_t payload = be16_at(ip + 4);
    if (payload > room - kIpv6HeaderSize) return drop(frame, FrameDrop::Truncated);
    frame.is_ipv6 = true;
    const std::uint8_t next = ip[6];
    if (next == kProtocolUdp) {
        const Udp udp{link.offset, static_cast<std::uint16_t>(link.offset + kIpv6HeaderSize),
                      static_cast<std::uint16_t>(payload), true};
        return classify_udp<true>(frame, link, udp, tables);
    }
    if (next == kProtocolIcmpv6 && exclusive) {
        return settle(frame, services.on_icmpv6(frame, link, kIpv6HeaderSize + payload));
    }
    if (is_extension_header(next)) {
        return classify_extended_ipv6(frame, link, kIpv6HeaderSize + payload, tables);
    }
    stranger(frame, FrameDrop::NotServed);
}

void FrameServer::Impl::classify_extended_ipv6(Frame& frame, Layer2 link, std::size_t size,
                                               const ServerTables& tables) noexcept {
    const std::uint8_t* ip = frame.data + link.offset;
    const UdpParse parsed = parse_ip_udp({ip, size}, ChecksumPolicy::Trust);
    if (parsed.packet) {
        const std::size_t at =
            static_cast<std::size_t>(parsed.packet->payload.data() - frame.data) - kUdpHeaderSize;
        const Udp udp{link.offset, static_cast<std::uint16_t>(at),
                      static_cast<std::uint16_t>(link.offset + size - at), false};
        return classify_udp<true>(frame, link, udp, tables);
    }
    switch (parsed.error) {
        case IpError::Fragment: {
            // Fragment header right after the IPv6 header, first fragment, UDP: it tells the port.
            const std::uint8_t* fragment = ip + kIpv6HeaderSize;
            const bool has_port = ip[6] == kIpv6Fragment && size >= kIpv6HeaderSize + 16 &&
                                  fragment[0] == kProtocolUdp &&
                                  (be16_at(fragment + 2) & 0xFFF8) == 0;
            if (has_port && config.ntp_port != 0 && be16_at(fragment + 10) == config.ntp_port) {
                return drop(frame, FrameDrop::Fragment);
            }
            return stranger(frame, FrameDrop::Fragment);
        }
        case IpError::NotUdp:
            // Routers ask from link-local addresses with a router alert (RFC 3810, 5.1.14).
            if (exclusive && ip[6] == kHopByHopOptions && ip[7] == 1 &&
                size > kIpv6HeaderSize + 8 && ip[8] == 0xfe && (ip[9] & 0xC0) == 0x80 &&
                ip[40] == kProtocolIcmpv6 && ip[41] == 0 && ip[48] == kIcmpv6ListenerQuery) {
                membership_query = true;
            }
            return stranger(frame, FrameDrop::NotServed);
        case IpError::Truncated: return stranger(frame, FrameDrop::Truncated);
        default: return stranger(frame, FrameDrop::BadHeader);
    }
}

template <bool kIpv6>
void FrameServer::Impl::classify_udp(Frame& frame, Layer2 link, Udp udp,
                                     const ServerTables& tables) noexcept {
    if (udp.room < kUdpHeaderSize) return drop(frame, FrameDrop::Truncated);
    const std::uint8_t* header = frame.data + udp.at;
    const std::uint16_t port = be16_at(header + 2);
    const bool is_ntp = port == config.ntp_port && port != 0;
    if (!is_ntp && (config.listened == nullptr || !config.listened->contains(port))) {
        return stranger(frame, FrameDrop::NotServed);
    }
    const std::uint8_t* ip = frame.data + udp.ip;
    const bool ours =
        kIpv6 ? addresses.is_ours_v6(ip + 24, link.vlan) : addresses.is_ours_v4(ip + 16, link.vlan);
    if (!ours || link.to_group) {
        const bool to_group = link.to_group || (kIpv6 ? ip[24] == 0xff : ip[16] >= 0xE0);
        if (is_ntp && to_group) return drop(frame, FrameDrop::GroupDestination);
        return stranger(
            frame, addresses.has_vlan(link.vlan) ? FrameDrop::NotForUs : FrameDrop::UnknownVlan);
    }
    const std::size_t length = be16_at(header + 4);
    const FrameDrop error = check_udp<kIpv6>(frame, udp, length);
    if (error != FrameDrop::None) return drop(frame, error);
    accept_udp<kIpv6>(frame, udp, length, is_ntp, tables);
}

template <bool kIpv6>
FrameDrop FrameServer::Impl::check_udp(const Frame& frame, Udp udp,
                                       std::size_t length) const noexcept {
    const std::uint8_t* ip = frame.data + udp.ip;
    const std::uint8_t* header = frame.data + udp.at;
    if (length < kUdpHeaderSize) return FrameDrop::BadHeader;
    if (length > udp.room) return FrameDrop::Truncated;
    const std::uint16_t stored = load_sum16(header + 6);
    if (kIpv6) {
        // RFC 8200, 8.1: over IPv6 the checksum is not optional.
        if (stored == 0) return FrameDrop::BadChecksum;
        if (!addresses.is_answerable_v6(ip + 8)) return FrameDrop::BadSource;
    } else {
        if (frame.ip_checksum == ChecksumState::Bad) return FrameDrop::BadChecksum;
        if (frame.ip_checksum == ChecksumState::Unknown) {
            const std::uint64_t sum =
                udp.plain ? sum_words_of<kIpv4HeaderSize>(0, ip)
                          : sum_words(0, ip, static_cast<std::size_t>(udp.at - udp.ip));
            if (fold_sum(sum) != 0xffff) return FrameDrop::BadChecksum;
        }
        if (!addresses.is_answerable_v4(ip + 12)) return FrameDrop::BadSource;
        if (stored == 0) return FrameDrop::None;
    }
    if (frame.l4_checksum == ChecksumState::Good) return FrameDrop::None;
    if (frame.l4_checksum == ChecksumState::Bad) return FrameDrop::BadChecksum;
    const std::uint64_t pseudo = sum_words_of < kIpv6
                                     ? 32
                                     : 8 > (std::uint64_t{sum_order(kProtocolUdp)} +
                                                sum_order(static_cast<std::uint16_t>(length)),
                                            kIpv6 ? ip + 8 : ip + 12);
    constexpr std::size_t kPlainSize = kUdpHeaderSize + kNtpHeaderSize;
    const std::uint64_t sum = length == kPlainSize ? sum_words_of<kPlainSize>(pseudo, header)
                                                   : sum_words(pseudo, header, length);
    if (fold_sum(sum) == 0xffff) return FrameDrop::None;
    return config.partial_checksums && fold_sum(pseudo) == stored ? FrameDrop::None
                                                                  : FrameDrop::BadChecksum;
}

template <bool kIpv6>
void FrameServer::Impl::accept_udp(Frame& frame, Udp udp, std::size_t length, bool is_ntp,
                                   const ServerTables& tables) noexcept {
    const std::uint8_t* ip = frame.data + udp.ip;
    const std::uint8_t* header = frame.data + udp.at;
    const std::span<const std::uint8_t> payload{header + kUdpHeaderSize, length - kUdpHeaderSize};
    const auto is_forwarded = [&] {
        IpAddress remote;
        kIpv6 ? remote.set_v6(ip + 8) : remote.set_v4(ip + 12);
        return std::binary_search(tables.forwarded.begin(), tables.forwarded.end(), remote);
    };
    frame.drop = FrameDrop::None;
    frame.local_port = be16_at(header + 2);
    frame.l4_offset = udp.at;
    // Requests are served whoever sends them; what else comes from a configured source belongs to its
    // association.
    const bool to_control =
        !is_ntp || (!payload.empty() && mode_of(payload) != Mode::Client && is_forwarded());
    frame.slot =
        static_cast<std::uint8_t>(to_control ? kMaxBurst - ++control_count : request_count++);
    frame.verdict = to_control ? FrameVerdict::ToControl : FrameVerdict::Reply;
    RxDatagram& datagram = datagrams[frame.slot];
    datagram.payload = payload;
    if (kIpv6) {
        datagram.remote.ip.set_v6(ip + 8);
        datagram.local.set_v6(ip + 24);
    } else {
        datagram.remote.ip.set_v4(ip + 12);
        datagram.local.set_v4(ip + 16);
    }
    datagram.remote.port = be16_at(header);
    datagram.interface_index = config.interface_index;
    datagram.frame_length = frame.length;
    copy_stamp(frame.stamp, datagram.stamp);
    if (to_control) return counters.to_control.add();
    requests[frame.slot] = &frame;
    if (!udp.plain) {
        // The answer has a plain header, so the packet moves to where its own will be.
        const std::size_t at = udp.ip + (kIpv6 ? kIpv6HeaderSize : kIpv4HeaderSize);
        std::memmove(frame.data + at, header, length);
        frame.l4_offset = static_cast<std::uint16_t>(at);
        datagram.payload = {frame.data + at + kUdpHeaderSize, payload.size()};
    }
    replies[frame.slot].use_buffer({frame.data + frame.l4_offset + kUdpHeaderSize, payload.size()});
}

/// Turns the headers round. What depends on the payload's bytes is left to `finish`.
bool FrameServer::Impl::write_headers(Frame& frame, std::size_t payload_size) noexcept {
    const std::size_t udp_size = kUdpHeaderSize + payload_size;
    if (!set_length(frame, frame.l4_offset + udp_size)) return false;
    swap_macs(frame.data);
    std::uint8_t* ip = frame.data + frame.l3_offset;
    std::uint8_t* udp = frame.data + frame.l4_offset;
    const std::uint64_t addresses_sum =
        frame.is_ipv6 ? turn_ipv6(ip, udp_size, config.dscp)
                      : turn_ipv4(ip, udp_size, config.dscp, config.offload_ip_checksum);
    const std::uint16_t length = sum_order(static_cast<std::uint16_t>(udp_size));
    std::uint64_t sum = add_around(addresses_sum, std::uint64_t{sum_order(kProtocolUdp)} + length);
    const std::uint32_t ports = turn_ports(udp);
    std::memcpy(udp + 4, &length, 2);
    // The checksum counts as zero.
    if (!config.offload_udp_checksum) sum = add_around(sum, std::uint64_t{ports} + length);
    header_sums[frame.slot] = sum;
    return true;
}

void FrameServer::finish(std::span<Frame> frames, SystemTime now, std::size_t position) noexcept {
    for (Frame& frame : frames) {
        if (frame.verdict == FrameVerdict::Reply) impl_->finish(frame, now, position);
        if (frame.is_answer()) ++position;
    }
}

void FrameServer::Impl::finish(Frame& frame, SystemTime now, std::size_t position) noexcept {
    Reply& reply = replies[frame.slot];
    reply.finish(now, position);
    frame.want_stamp = reply.wants_stamp();
    frame.cookie = reply.cookie();
    std::uint8_t* udp = frame.data + frame.l4_offset;
    std::uint64_t sum = header_sums[frame.slot];
    if (config.offload_udp_checksum) return store_sum(udp + 6, fold_sum(sum));
    const std::uint8_t* payload = udp + kUdpHeaderSize;
    sum = reply.size() == kNtpHeaderSize ? sum_words_of<kNtpHeaderSize>(sum, payload)
                                         : sum_words(sum, payload, reply.size());
    const auto checksum = static_cast<std::uint16_t>(~fold_sum(sum));
    // Zero would mean "no checksum"; all ones is the same number.
    store_sum(udp + 6, checksum == 0 ? 0xffff : checksum);
}

const RxDatagram& FrameServer::datagram(const Frame& frame) const noexcept {
    return impl_->datagrams[frame.slot];
}

std::span<const NeighbourSighting> FrameServer::sightings() const noexcept {
    return impl_->services.sightings();
}

bool FrameServer::take_membership_query() noexcept {
    return std::exchange(impl_->membership_query, false);
}

Responder& FrameServer::responder() noexcept { return impl_->responder; }
const Responder& FrameServer::responder() const noexcept { return impl_->responder; }
const FrameCounters& FrameServer::counters() const noexcept { return impl_->counters; }

std::size_t FrameServer::announcement_count() const noexcept {
    return impl_->announcements.count();
}
std::size_t FrameServer::announce(std::size_t index, std::span<std::uint8_t> out) const noexcept {
    return impl_->announcements.build(index, out);
}
const std::vector<MacAddress>& FrameServer::multicast_groups() const noexcept {
    return impl_->announcements.multicast_groups();
}

}  // namespace gnomon
