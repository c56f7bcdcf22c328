#pragma once

/// IPv4, IPv6 and UDP headers, parsed from and built into spans (RFC 791, 8200, 768, 1071).
///
/// Fragments are refused: an NTP packet fits into every MTU, and reassembly is an attack surface.
/// IPv4 options and IPv6 extension headers are skipped; but who is only a stop on the way of a routing
/// header is not the destination (RFC 5095).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/address.h"

namespace gnomon {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kHopByHopOptions = 0;
inline constexpr std::uint8_t kIpv6Fragment = 44;

inline constexpr std::size_t kIpv4HeaderSize = 20;
inline constexpr std::size_t kIpv6HeaderSize = 40;
inline constexpr std::size_t kUdpHeaderSize = 8;

enum class IpError : std::uint8_t {
    None,
    Truncated,  ///< less data than the headers promise
    BadVersion,
    BadHeader,  ///< impossible lengths, too many extension headers
    BadChecksum,
    Fragment,
    NotUdp,
};

/// A UDP datagram within an IP packet.
struct UdpPacket {
    SocketAddress source;
    SocketAddress destination;
    std::uint8_t hop_limit = 64;     ///< TTL
    std::uint8_t traffic_class = 0;  ///< DSCP and ECN
    std::span<const std::uint8_t> payload;
    /// The sender left the UDP checksum out (IPv4 only).
    bool unchecked = false;
};

struct UdpParse {
    std::optional<UdpPacket> packet;
    IpError error = IpError::None;
};

enum class ChecksumPolicy : std::uint8_t {
    Verify,
    Trust,  ///< the NIC has verified them
};

/// Parses what follows the Ethernet header. Padding after the IP packet is ignored.
UdpParse parse_ip_udp(std::span<const std::uint8_t> data,
                      ChecksumPolicy policy = ChecksumPolicy::Verify) noexcept;

/// Size of IP and UDP headers for addresses of this family.
std::size_t ip_udp_header_size(IpAddress::Family family) noexcept;

/// Builds IP and UDP headers and copies the payload after them (it may already be in its place);
/// both checksums are computed. Returns the size of the packet, or 0 when it does not fit or the
/// addresses are not of one IP family.
std::size_t build_ip_udp(const UdpPacket& packet, std::span<std::uint8_t> out) noexcept;

/// One's complement sum of 16-bit words, to be continued with `sum`; odd data is padded with zero.
std::uint32_t checksum_add(std::uint32_t sum, std::span<const std::uint8_t> data) noexcept;
/// The pseudo header of UDP and ICMPv6, to be continued over the packet.
std::uint32_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                                std::size_t size, std::uint8_t protocol) noexcept;
/// The checksum that makes the whole sum to all ones.
std::uint16_t checksum_finish(std::uint32_t sum) noexcept;

}  // namespace gnomon
