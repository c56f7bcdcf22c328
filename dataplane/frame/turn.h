#pragma once

/// Turns the headers of a request round, in place, into those of its answer. Sums are taken of what is
/// read, never of what has just been written: a wide load over narrow stores waits for them.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"

namespace gnomon {

inline constexpr std::uint8_t kAnswerHopLimit = 64;

/// Two numbers as they stand in a packet one after the other.
inline std::uint32_t packet_words(std::uint16_t first, std::uint16_t second) noexcept {
    return std::bit_cast<std::uint32_t>(std::array{sum_order(first), sum_order(second)});
}

/// Returns the sum of both addresses.
inline std::uint64_t turn_ipv4(std::uint8_t* ip, std::size_t udp_size, std::uint8_t dscp,
                               bool leave_checksum) noexcept {
    const std::uint32_t asker = load_sum32(ip + 12);
    const std::uint32_t own = load_sum32(ip + 16);
    const std::uint64_t addresses = std::uint64_t{asker} + own;
    const std::uint32_t first =
        packet_words(static_cast<std::uint16_t>(0x4500 | dscp << 2),
                     static_cast<std::uint16_t>(kIpv4HeaderSize + udp_size));
    // Whole, so that it needs no identification (RFC 6864).
    const std::uint32_t second = packet_words(0, 0x4000);
    std::uint32_t third = packet_words(kAnswerHopLimit << 8 | kProtocolUdp, 0);
    if (!leave_checksum) {
        const std::uint16_t checksum =
            static_cast<std::uint16_t>(~fold_sum(addresses + first + second + third));
        third |= packet_words(0, sum_order(checksum));
    }
    std::memcpy(ip, &first, 4);
    std::memcpy(ip + 4, &second, 4);
    std::memcpy(ip + 8, &third, 4);
    std::memcpy(ip + 12, &own, 4);
    std::memcpy(ip + 16, &asker, 4);
    return addresses;
}

inline std::uint64_t turn_ipv6(std::uint8_t* ip, std::size_t udp_size, std::uint8_t dscp) noexcept {
    const std::uint64_t addresses = sum_words_of<32>(0, ip + 8);
    const std::uint32_t first = packet_words(static_cast<std::uint16_t>(0x6000 | dscp << 6), 0);
    const std::uint32_t second =
        packet_words(static_cast<std::uint16_t>(udp_size), kProtocolUdp << 8 | kAnswerHopLimit);
    std::memcpy(ip, &first, 4);
    std::memcpy(ip + 4, &second, 4);
    std::array<std::uint64_t, 2> asker;
    std::array<std::uint64_t, 2> own;
    std::memcpy(asker.data(), ip + 8, 16);
    std::memcpy(own.data(), ip + 24, 16);
    std::memcpy(ip + 8, own.data(), 16);
    std::memcpy(ip + 24, asker.data(), 16);
    return addresses;
}

/// Returns the sum of the ports, which does not change.
inline std::uint32_t turn_ports(std::uint8_t* udp) noexcept {
    const std::uint32_t ports = load_sum32(udp);
    const std::uint32_t turned = ports << 16 | ports >> 16;
    std::memcpy(udp, &turned, 4);
    return ports;
}

}  // namespace gnomon
