#pragma once

/// Eight tags of one byte in a word, compared all at once. A table keeps a few bits of each key's hash
/// beside each other, so that a look-up reads the one record that is likely meant instead of all.

#include <bit>
#include <cstddef>
#include <cstdint>

namespace gnomon {

inline constexpr std::size_t kTagsPerWord = 8;

/// The halves of a product, folded: every bit depends on all of both factors (as in wyhash).
inline std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

/// The top bits of a hash as a tag; 0 stands for an empty place.
inline std::uint8_t tag_of(std::uint64_t hash) noexcept {
    const auto tag = static_cast<std::uint8_t>(hash >> 56);
    return tag == 0 ? 1 : tag;
}

/// Bit 8i + 7 is set when tag i equals `tag`, and no other bit.
inline std::uint64_t equal_tags(std::uint64_t tags, std::uint8_t tag) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
    constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fULL;
    const std::uint64_t x = tags ^ (kOnes * tag);
    return ~(((x & kLow) + kLow) | x | kLow);
}

/// The place of the lowest set bit of `equal_tags`, which must have one.
inline std::size_t first_place(std::uint64_t matches) noexcept {
    return static_cast<std::size_t>(std::countr_zero(matches)) / 8;
}

inline std::uint64_t with_tag(std::uint64_t tags, std::size_t place, std::uint8_t tag) noexcept {
    const unsigned shift = static_cast<unsigned>(place) * 8;
    return (tags & ~(std::uint64_t{0xff} << shift)) | std::uint64_t{tag} << shift;
}

}  // namespace gnomon
