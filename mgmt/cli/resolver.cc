#include "mgmt/cli/resolver.h"

#include <netdb.h>

#include <array>
#include <cstring>

#include "mgmt/cli/sockaddr.h"

namespace gnomon::cli {

namespace {

constexpr std::size_t kMaxAddresses = 16;

std::optional<IpAddress> from_system(const addrinfo& info) {
    if (info.ai_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, info.ai_addr, sizeof in);
        return IpAddress::v4(ntohl(in.sin_addr.s_addr));
    }
    if (info.ai_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, info.ai_addr, sizeof in);
        // An address with a scope would lose it on the way to the daemon.
        if (in.sin6_scope_id != 0) return std::nullopt;
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), in.sin6_addr.s6_addr, bytes.size());
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

}  // namespace

std::vector<IpAddress> SystemResolver::addresses(const std::string& name) {
    const bool any = family_ == IpAddress::Family::Unspecified;
    const auto literal = IpAddress::parse(name);
    if (literal.has_value() && literal->is_ip()) {
        if (!any && literal->family() != family_) return {};
        return {*literal};
    }
    addrinfo hints{};
    hints.ai_family = any ? AF_UNSPEC : family_ == IpAddress::Family::V4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return {};
    std::vector<IpAddress> found;
    for (const addrinfo* info = list; info != nullptr && found.size() < kMaxAddresses;
         info = info->ai_next) {
        const auto address = from_system(*info);
        if (address.has_value() && (any || address->family() == family_)) found.push_back(*address);
    }
    freeaddrinfo(list);
    return found;
}

std::string SystemResolver::name(const IpAddress& address) {
    const SystemAddress system(address, 0);
    std::array<char, NI_MAXHOST> host{};
    if (system.length == 0 ||
        getnameinfo(system.get(), system.length, host.data(), host.size(), nullptr, 0, 0) != 0) {
        return address.to_string();
    }
    return host.data();
}

}  // namespace gnomon::cli
