#pragma once

/// ICMP echo, neighbour discovery and multicast listener reports: as much of RFC 792, 4443, 4861 and
/// 3810 as a host needs that has addresses and answers for them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpUnreachable = 3;
inline constexpr std::uint8_t kIcmpCodeFragmentationNeeded = 4;  ///< of kIcmpUnreachable
inline constexpr std::uint8_t kIcmpEcho = 8;
inline constexpr std::uint8_t kIcmpv6TooBig = 2;
inline constexpr std::uint8_t kIcmpv6Echo = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;
inline constexpr std::uint8_t kIcmpv6ListenerQuery = 130;
inline constexpr std::uint8_t kIcmpv6NeighbourSolicitation = 135;
inline constexpr std::uint8_t kIcmpv6NeighbourAdvertisement = 136;

/// ff02::1 and ff02::16.
IpAddress all_nodes() noexcept;
IpAddress all_listener_routers() noexcept;
/// ff02::1:ffXX:XXXX for an IPv6 address (RFC 4291, 2.7.1).
IpAddress solicited_node(const IpAddress& address) noexcept;
/// 33:33 and the last four bytes of an IPv6 group (RFC 2464).
MacAddress multicast_mac(const IpAddress& group) noexcept;
bool is_multicast(const IpAddress& address) noexcept;

/// A neighbour solicitation or advertisement, with the IP header it came or goes in.
struct NeighbourMessage {
    bool advertisement = false;
    IpAddress source;
    IpAddress destination;
    IpAddress target;
    bool from_router = false;  ///< R, S, O: of advertisements
    bool solicited = false;
    bool override_known = false;
    /// The source's (solicitation) or target's (advertisement) link-layer address option.
    std::optional<MacAddress> link_layer;
};

/// Parses an IPv6 packet without extension headers, with all the checks of RFC 4861, 7.1.1 and 7.1.2:
/// hop limit 255, checksum, code, lengths, options. Empty when it is to be ignored.
std::optional<NeighbourMessage> parse_neighbour(std::span<const std::uint8_t> packet) noexcept;

/// Builds the IPv6 packet; returns its size (64 or 72), 0 when it does not fit.
std::size_t build_neighbour(const NeighbourMessage& message, std::span<std::uint8_t> out) noexcept;

/// Builds an MLDv2 report (RFC 3810, 5.2) that we listen to `groups`, as an IPv6 packet from `source`
/// (link-local, or :: when there is none). Returns its size (56 + 20 for each group), 0 when it does
/// not fit.
std::size_t build_listener_report(const IpAddress& source, std::span<const IpAddress> groups,
                                  std::span<std::uint8_t> out) noexcept;

/// Whether the ICMPv6 checksum of an IPv6 packet holds, of which `icmp` is the end. `packet` has its
/// header of 40 bytes.
bool icmpv6_checksum_holds(std::span<const std::uint8_t> packet,
                           std::span<const std::uint8_t> icmp) noexcept;

}  // namespace gnomon
