#pragma once

/// The Internet checksum (RFC 1071), for the packet path. Sums are of 16-bit words in the machine's own
/// order: a one's complement sum does not care, as long as all of its parts are of one order and it is
/// stored in that order too. Odd data counts as if a zero followed.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gnomon {

/// Continues `sum`; up to 2^31 bytes.
inline std::uint64_t sum_words(std::uint64_t sum, const std::uint8_t* data,
                               std::size_t size) noexcept {
    std::uint64_t high = 0;
    for (; size >= 8; data += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, data, 8);
        sum += word & 0xffffffff;
        high += word >> 32;
    }
    sum += high;
    if ((size & 4) != 0) {
        std::uint32_t word;
        std::memcpy(&word, data, 4);
        sum += word;
        data += 4;
    }
    if ((size & 2) != 0) {
        std::uint16_t word;
        std::memcpy(&word, data, 2);
        sum += word;
        data += 2;
    }
    if ((size & 1) != 0) {
        const std::uint8_t last[2] = {data[0], 0};
        std::uint16_t word;
        std::memcpy(&word, last, 2);
        sum += word;
    }
    return sum;
}

/// As one word, not yet complemented. All ones when a checksum is part of the data and right.
inline std::uint16_t fold_sum(std::uint64_t sum) noexcept {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

/// A number that stands in a packet in network order, as a word of such a sum.
inline std::uint16_t sum_order(std::uint16_t value) noexcept {
    const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(value >> 8),
                                   static_cast<std::uint8_t>(value)};
    std::uint16_t word;
    std::memcpy(&word, bytes, 2);
    return word;
}

inline void store_sum(std::uint8_t* at, std::uint16_t word) noexcept { std::memcpy(at, &word, 2); }

}  // namespace gnomon
