#pragma once

/// IP addresses and UDP end points as plain values, without the operating system's headers.

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace gnomon {

/// An IPv4 or IPv6 address, or nothing yet (`Unspecified`), or the identifier of a source whose
/// name has not resolved (`Id`, shown as ID#0000000001).
class IpAddress {
public:
    enum class Family : std::uint8_t { Unspecified = 0, V4 = 1, V6 = 2, Id = 3 };

    constexpr IpAddress() noexcept = default;
    /// `host_order`: 192.0.2.1 is 0xC0000201.
    static IpAddress v4(std::uint32_t host_order) noexcept;
    /// Network byte order.
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes) noexcept;
    static IpAddress id(std::uint32_t id) noexcept;
    static IpAddress any(Family family) noexcept;
    static IpAddress loopback(Family family) noexcept;

    /// Numeric text only ("192.0.2.1", "2001:db8::1", "ID#000000000A"); no names, no zones.
    static std::optional<IpAddress> parse(std::string_view text);
    /// The canonical text (RFC 5952 for IPv6).
    std::string to_string() const;

    constexpr Family family() const noexcept { return family_; }
    constexpr bool is_ip() const noexcept { return family_ == Family::V4 || family_ == Family::V6; }
    /// V4 or Id only.
    std::uint32_t to_u32() const noexcept;
    /// V6: 16 bytes; V4: the first 4; network byte order.
    constexpr const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
    bool is_loopback() const noexcept;
    bool is_any() const noexcept;

    /// Becomes the address of 4 or 16 bytes as they stand in a packet. In place and by wide stores,
    /// because copying a value this odd in size makes the processor wait for its parts.
    void set_v4(const std::uint8_t* bytes) noexcept {
        std::array<std::uint32_t, 4> words{};
        std::memcpy(words.data(), bytes, 4);
        const auto wide = std::bit_cast<std::array<std::uint64_t, 2>>(words);
        family_ = Family::V4;
        std::memcpy(bytes_.data(), &wide[0], 8);
        std::memcpy(bytes_.data() + 8, &wide[1], 8);
    }
    void set_v6(const std::uint8_t* bytes) noexcept {
        family_ = Family::V6;
        std::memcpy(bytes_.data(), bytes, bytes_.size());
    }

    /// What a server of this address puts into its clients' reference ID: the IPv4 address, or the
    /// first four bytes of the MD5 digest of the IPv6 one (RFC 5905, 7.3). In dataplane/wire/mac.cc
    /// because it hashes.
    std::uint32_t ref_id() const;

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

private:
    Family family_ = Family::Unspecified;
    std::array<std::uint8_t, 16> bytes_{};
};

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    /// "192.0.2.1:123", "[2001:db8::1]:123".
    std::string to_string() const;
    friend constexpr auto operator<=>(const SocketAddress&,
                                      const SocketAddress&) noexcept = default;
};

/// `prefix_length` leading bits of `address`; the others are zero.
struct Subnet {
    IpAddress address;
    std::uint8_t prefix_length = 0;

    bool contains(const IpAddress& ip) const noexcept;
};

}  // namespace gnomon
