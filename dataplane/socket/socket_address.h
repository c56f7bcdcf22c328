#pragma once

/// `OsAddress`: a `SocketAddress` as the system calls want it. Internal to dataplane/socket.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/wire/address.h"

namespace gnomon {

inline IpAddress from_in_addr(const in_addr& address) noexcept {
    return IpAddress::v4(ntohl(address.s_addr));
}
inline IpAddress from_in6_addr(const in6_addr& address) noexcept {
    std::array<std::uint8_t, 16> bytes;
    std::copy(std::begin(address.s6_addr), std::end(address.s6_addr), bytes.begin());
    return IpAddress::v6(bytes);
}
inline in_addr to_in_addr(const IpAddress& ip) noexcept {
    in_addr address;
    address.s_addr = htonl(ip.to_u32());
    return address;
}
inline in6_addr to_in6_addr(const IpAddress& ip) noexcept {
    in6_addr address;
    std::copy(ip.bytes().begin(), ip.bytes().end(), address.s6_addr);
    return address;
}

/// fe80::/10: means something only together with an interface.
inline bool is_link_local(const IpAddress& ip) noexcept {
    return ip.family() == IpAddress::Family::V6 && ip.bytes()[0] == 0xfe &&
           (ip.bytes()[1] & 0xc0) == 0x80;
}

class OsAddress {
public:
    OsAddress() noexcept { std::memset(&storage_, 0, sizeof(storage_)); }
    /// `interface_index`: zone of link-local addresses.
    OsAddress(const SocketAddress& address, int interface_index) noexcept {
        set(address, interface_index);
    }

    void set(const SocketAddress& address, int interface_index) noexcept {
        std::memset(&storage_, 0, sizeof(storage_));
        if (address.ip.family() == IpAddress::Family::V6) {
            storage_.v6.sin6_family = AF_INET6;
            storage_.v6.sin6_port = htons(address.port);
            storage_.v6.sin6_addr = to_in6_addr(address.ip);
            if (is_link_local(address.ip)) {
                storage_.v6.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
            }
        } else {
            storage_.v4.sin_family = AF_INET;
            storage_.v4.sin_port = htons(address.port);
            if (address.ip.is_ip()) storage_.v4.sin_addr = to_in_addr(address.ip);
        }
    }

    SocketAddress to_socket_address() const noexcept {
        if (storage_.any.sa_family == AF_INET) {
            return {from_in_addr(storage_.v4.sin_addr), ntohs(storage_.v4.sin_port)};
        }
        if (storage_.any.sa_family == AF_INET6) {
            return {from_in6_addr(storage_.v6.sin6_addr), ntohs(storage_.v6.sin6_port)};
        }
        return {};
    }

    sockaddr* get() noexcept { return &storage_.any; }
    const sockaddr* get() const noexcept { return &storage_.any; }
    socklen_t size() const noexcept {
        return storage_.any.sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    }
    static constexpr socklen_t capacity() noexcept { return sizeof(Storage); }

private:
    union Storage {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    };
    Storage storage_;
};

}  // namespace gnomon
