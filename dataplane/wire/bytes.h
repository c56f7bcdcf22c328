#pragma once

/// Big-endian integers in byte spans. The caller has checked the length; offsets outside the span
/// are a mistake of the caller.

#include <cstddef>
#include <cstdint>
#include <span>

namespace gnomon {

inline std::uint16_t load_be16(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
    return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}
inline std::uint32_t load_be32(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
    return (static_cast<std::uint32_t>(bytes[at]) << 24) |
           (static_cast<std::uint32_t>(bytes[at + 1]) << 16) |
           (static_cast<std::uint32_t>(bytes[at + 2]) << 8) |
           static_cast<std::uint32_t>(bytes[at + 3]);
}
inline std::uint64_t load_be64(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
    return (static_cast<std::uint64_t>(load_be32(bytes, at)) << 32) | load_be32(bytes, at + 4);
}
inline void store_be16(std::span<std::uint8_t> bytes, std::size_t at,
                       std::uint16_t value) noexcept {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}
inline void store_be32(std::span<std::uint8_t> bytes, std::size_t at,
                       std::uint32_t value) noexcept {
    store_be16(bytes, at, static_cast<std::uint16_t>(value >> 16));
    store_be16(bytes, at + 2, static_cast<std::uint16_t>(value));
}
inline void store_be64(std::span<std::uint8_t> bytes, std::size_t at,
                       std::uint64_t value) noexcept {
    store_be32(bytes, at, static_cast<std::uint32_t>(value >> 32));
    store_be32(bytes, at + 4, static_cast<std::uint32_t>(value));
}

}  // namespace gnomon
