#pragma once

/// Requests as Ethernet frames from very many clients, whose addresses are consecutive, all behind one
/// MAC address that no interface has: answers come back to the sender's interface as another host's, and
/// the kernel drops them before any of its work on IP.

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/mac.h"

namespace gnomon::bench {

inline constexpr std::size_t kEthernetSize = 14;
inline constexpr std::size_t kIpChecksumOffset = kEthernetSize + 10;
inline constexpr std::size_t kSourceOffset = kEthernetSize + 12;
inline constexpr std::size_t kDestinationOffset = kEthernetSize + 16;
inline constexpr std::size_t kUdpOffset = kEthernetSize + 20;
inline constexpr std::size_t kNtpOffset = kUdpOffset + 8;
inline constexpr std::size_t kOriginOffset = kNtpOffset + 24;
inline constexpr std::size_t kReceiveOffset = kNtpOffset + 32;
inline constexpr std::size_t kTransmitOffset = kNtpOffset + 40;

/// In requests, receive fields have this bit in their last byte and transmit fields do not: what an
/// answer's origin field tells of the mode it was made in.
inline constexpr std::uint8_t kReceiveTag = 2;
/// In the last byte of transmit fields: the answer should be in interleaved mode.
inline constexpr std::uint8_t kEligibleTag = 4;

inline constexpr std::uint16_t kClientPort = 40123;

struct RequestOptions {
    MacAddress gateway{0x02, 0x67, 0x6e, 0x6f, 0x6d, 0x6e};  ///< the clients' one
    MacAddress server_mac{};
    std::uint32_t server = 0;        ///< host order
    std::uint32_t first_client = 0;  ///< host order
    std::uint16_t port = 123;
    const SymmetricKey* key = nullptr;
};

/// The first client's request. UDP has no checksum, so that only the IP header's depends on the client.
std::vector<std::uint8_t> make_request(const RequestOptions& options);

/// Sum of the IP header's words without its checksum and its source address, not folded.
std::uint32_t header_sum(const std::vector<std::uint8_t>& frame);

/// Makes the request that of another client.
void set_source(std::uint8_t* frame, std::uint32_t sum, std::uint32_t source);

}  // namespace gnomon::bench
