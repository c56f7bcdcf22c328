#include "dataplane/dpdk/interface.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace gnomon {

namespace {

std::uint8_t prefix_length(std::span<const std::uint8_t> mask) {
    int bits = 0;
    for (const std::uint8_t byte : mask) bits += std::popcount(byte);
    return static_cast<std::uint8_t>(bits);
}

std::optional<DataplaneAddress> address_of(const ifaddrs& entry) {
    DataplaneAddress address;
    std::array<std::uint8_t, 16> bytes{};
    std::array<std::uint8_t, 16> mask{};
    if (entry.ifa_addr == nullptr || entry.ifa_netmask == nullptr) return std::nullopt;
    if (entry.ifa_addr->sa_family == AF_INET) {
        const auto* ip = reinterpret_cast<const sockaddr_in*>(entry.ifa_addr);
        const auto* net = reinterpret_cast<const sockaddr_in*>(entry.ifa_netmask);
        address.subnet.address = IpAddress::v4(ntohl(ip->sin_addr.s_addr));
        std::memcpy(mask.data(), &net->sin_addr, 4);
        address.subnet.prefix_length = prefix_length(std::span(mask).first(4));
        return address;
    }
    if (entry.ifa_addr->sa_family != AF_INET6) return std::nullopt;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr)->sin6_addr,
                16);
    std::memcpy(mask.data(), &reinterpret_cast<const sockaddr_in6*>(entry.ifa_netmask)->sin6_addr,
                16);
    address.subnet.address = IpAddress::v6(bytes);
    address.subnet.prefix_length = prefix_length(mask);
    return address;
}

/// RTM_NEWADDR; the answer is awaited.
std::optional<SysError> add_address(unsigned index, const DataplaneAddress& address) {
    struct Request {
        nlmsghdr header;
        ifaddrmsg body;
        std::array<std::uint8_t, 64> attributes;
    } request{};
    const bool is_ipv6 = address.subnet.address.family() == IpAddress::Family::V6;
    const std::size_t size = is_ipv6 ? 16 : 4;
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifaddrmsg));
    request.header.nlmsg_type = RTM_NEWADDR;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    request.body.ifa_family = is_ipv6 ? AF_INET6 : AF_INET;
    request.body.ifa_prefixlen = address.subnet.prefix_length;
    request.body.ifa_flags = is_ipv6 ? IFA_F_NODAD : 0;
    request.body.ifa_index = index;
    std::size_t at = 0;
    for (const unsigned short type : {IFA_LOCAL, IFA_ADDRESS}) {
        rtattr attribute{};
        attribute.rta_type = type;
        attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
        std::memcpy(request.attributes.data() + at, &attribute, sizeof(attribute));
        std::memcpy(request.attributes.data() + at + RTA_LENGTH(0),
                    address.subnet.address.bytes().data(), size);
        at += RTA_SPACE(size);
    }
    request.header.nlmsg_len += static_cast<std::uint32_t>(at);

    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return SysError::last("netlink");
    std::array<char, 1024> answer{};
    int code = 0;
    if (send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
        recv(fd, answer.data(), answer.size(), 0) < static_cast<ssize_t>(sizeof(nlmsghdr) + 4)) {
        code = errno;
    } else {
        nlmsgerr error{};
        std::memcpy(&error.error, answer.data() + NLMSG_HDRLEN, sizeof(error.error));
        code = -error.error;
    }
    close(fd);
    if (code == 0 || code == EEXIST) return std::nullopt;
    return SysError{"address " + address.subnet.address.to_string(), code};
}

}  // namespace

std::vector<DataplaneAddress> interface_addresses(const std::string& name) {
    std::vector<DataplaneAddress> addresses;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return addresses;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (name != entry->ifa_name) continue;
        if (const auto address = address_of(*entry)) addresses.push_back(*address);
    }
    freeifaddrs(list);
    return addresses;
}

std::optional<SysError> set_up_interface(const std::string& name, const MacAddress& mac,
                                         const std::vector<DataplaneAddress>& addresses) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return SysError::last("socket");
    std::optional<SysError> error;
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (mac != MacAddress{}) {
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
        if (ioctl(fd, SIOCSIFHWADDR, &request) < 0) error = SysError::last("MAC of " + name);
    }
    if (!error && ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) error = SysError::last("setting up " + name);
    }
    const unsigned index = if_nametoindex(name.c_str());
    for (const DataplaneAddress& address : addresses) {
        if (!error && address.vlan == 0) error = add_address(index, address);
    }
    close(fd);
    return error;
}

}  // namespace gnomon
