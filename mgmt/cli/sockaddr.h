#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "dataplane/wire/address.h"

namespace gnomon::cli {

/// The system's form of an address; the length is 0 for what is not an IP address.
struct SystemAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    SystemAddress(const IpAddress& ip, std::uint16_t port) noexcept {
        if (ip.family() == IpAddress::Family::V4) {
            sockaddr_in in{};
            in.sin_family = AF_INET;
            in.sin_port = htons(port);
            in.sin_addr.s_addr = htonl(ip.to_u32());
            set(in);
        } else if (ip.family() == IpAddress::Family::V6) {
            sockaddr_in6 in{};
            in.sin6_family = AF_INET6;
            in.sin6_port = htons(port);
            std::memcpy(in.sin6_addr.s6_addr, ip.bytes().data(), 16);
            set(in);
        }
    }
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }

private:
    template <typename T>
    void set(const T& address) noexcept {
        std::memcpy(&storage, &address, sizeof address);
        length = sizeof address;
    }
};

}  // namespace gnomon::cli
