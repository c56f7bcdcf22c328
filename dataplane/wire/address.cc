#include "dataplane/wire/address.h"

#include <charconv>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>

namespace gnomon {

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
    IpAddress a;
    a.family_ = Family::V4;
    for (int i = 0; i < 4; ++i) a.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return a;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) noexcept {
    IpAddress a;
    a.family_ = Family::V6;
    a.bytes_ = bytes;
    return a;
}

IpAddress IpAddress::id(std::uint32_t id) noexcept {
    IpAddress a = v4(id);
    a.family_ = Family::Id;
    return a;
}

IpAddress IpAddress::any(Family family) noexcept {
    IpAddress a;
    a.family_ = family;
    return a;
}

IpAddress IpAddress::loopback(Family family) noexcept {
    if (family == Family::V4) return v4(0x7F000001);
    IpAddress a = any(Family::V6);
    a.bytes_[15] = 1;
    return a;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.substr(0, 3) == "ID#") {
        std::uint32_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data() + 3, end, value, 10);
        if (error != std::errc() || stop != end) return std::nullopt;
        return id(value);
    }
    char terminated[INET6_ADDRSTRLEN];
    if (text.size() >= sizeof terminated) return std::nullopt;
    std::memcpy(terminated, text.data(), text.size());
    terminated[text.size()] = '\0';
    IpAddress a;
    if (inet_pton(AF_INET, terminated, a.bytes_.data()) == 1) {
        a.family_ = Family::V4;
        return a;
    }
    if (inet_pton(AF_INET6, terminated, a.bytes_.data()) == 1) {
        a.family_ = Family::V6;
        return a;
    }
    return std::nullopt;
}

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = "";
    switch (family_) {
        case Family::Unspecified: return "[UNSPEC]";
        case Family::V4: inet_ntop(AF_INET, bytes_.data(), text, sizeof text); break;
        case Family::V6: inet_ntop(AF_INET6, bytes_.data(), text, sizeof text); break;
        case Family::Id: std::snprintf(text, sizeof text, "ID#%010u", to_u32()); break;
    }
    return text;
}

std::uint32_t IpAddress::to_u32() const noexcept {
    return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 |
           std::uint32_t{bytes_[2]} << 8 | bytes_[3];
}

bool IpAddress::is_loopback() const noexcept {
    if (family_ == Family::V4) return bytes_[0] == 127;
    return family_ == Family::V6 && *this == loopback(Family::V6);
}

bool IpAddress::is_any() const noexcept { return *this == any(family_); }

std::string SocketAddress::to_string() const {
    const std::string host =
        ip.family() == IpAddress::Family::V6 ? "[" + ip.to_string() + "]" : ip.to_string();
    return host + ":" + std::to_string(port);
}

bool Subnet::contains(const IpAddress& ip) const noexcept {
    if (ip.family() != address.family()) return false;
    for (int bit = 0; bit < prefix_length; bit += 8) {
        const int rest = prefix_length - bit;
        const auto mask = static_cast<std::uint8_t>(rest >= 8 ? 0xff : 0xff << (8 - rest));
        if (((ip.bytes()[bit / 8] ^ address.bytes()[bit / 8]) & mask) != 0) return false;
    }
    return true;
}

}  // namespace gnomon
