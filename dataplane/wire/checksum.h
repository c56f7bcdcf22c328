#pragma once

/// The Internet checksum (RFC 1071), for the packet path. Sums are of 16-bit words in the machine's own
/// order: a one's complement sum does not care, as long as all of its parts are of one order and it is
/// stored in that order too. Odd data counts as if a zero followed.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gnomon {

/// Adds with the carry coming round. Never becomes zero but from zeros.
inline std::uint64_t add_around(std::uint64_t sum, std::uint64_t word) noexcept {
    sum += word;
    return sum + (sum < word ? 1 : 0);
}

inline std::uint64_t load_sum64(const std::uint8_t* data) noexcept {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    return word;
}
inline std::uint32_t load_sum32(const std::uint8_t* data) noexcept {
    std::uint32_t word;
    std::memcpy(&word, data, 4);
    return word;
}
inline std::uint16_t load_sum16(const std::uint8_t* data) noexcept {
    std::uint16_t word;
    std::memcpy(&word, data, 2);
    return word;
}

/// Continues `sum`, which may be any number: sums are taken modulo 2^64 - 1.
inline std::uint64_t sum_words(std::uint64_t sum, const std::uint8_t* data,
                               std::size_t size) noexcept {
    for (; size >= 16; data += 16, size -= 16) {
        sum = add_around(sum, load_sum64(data));
        sum = add_around(sum, load_sum64(data + 8));
    }
    if ((size & 8) != 0) {
        sum = add_around(sum, load_sum64(data));
        data += 8;
    }
    if ((size & 4) != 0) {
        sum = add_around(sum, load_sum32(data));
        data += 4;
    }
    if ((size & 2) != 0) {
        sum = add_around(sum, load_sum16(data));
        data += 2;
    }
    if ((size & 1) != 0) {
        const std::uint8_t last[2] = {data[0], 0};
        sum = add_around(sum, load_sum16(last));
    }
    return sum;
}

/// The same for a size that the compiler knows: no loop.
template <std::size_t kSize>
inline std::uint64_t sum_words_of(std::uint64_t sum, const std::uint8_t* data) noexcept {
    if constexpr (kSize >= 8) {
        return sum_words_of<kSize - 8>(add_around(sum, load_sum64(data)), data + 8);
    } else if constexpr (kSize == 4) {
        return add_around(sum, load_sum32(data));
    } else {
        static_assert(kSize == 0);
        return sum;
    }
}

/// As one word, not yet complemented. All ones when a checksum is part of the data and right.
inline std::uint16_t fold_sum(std::uint64_t sum) noexcept {
    auto half = static_cast<std::uint32_t>(sum);
    const auto high = static_cast<std::uint32_t>(sum >> 32);
    half += high;
    half += half < high ? 1 : 0;
    // The upper half of a number added to its halves exchanged is their sum, the carry included.
    return static_cast<std::uint16_t>((half + (half << 16 | half >> 16)) >> 16);
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
