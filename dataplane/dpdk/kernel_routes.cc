#include "dataplane/dpdk/kernel_routes.h"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace gnomon {

namespace {

constexpr std::size_t kMaxDestinations = 256;
constexpr unsigned kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

int family_of(const IpAddress& ip) {
    return ip.family() == IpAddress::Family::V6 ? AF_INET6 : AF_INET;
}
std::size_t size_of(const IpAddress& ip) { return ip.family() == IpAddress::Family::V6 ? 16U : 4U; }

/// A request with one body and address attributes.
template <typename Body>
struct Request {
    nlmsghdr header{};
    Body body{};
    std::array<std::uint8_t, 128> attributes{};
    std::size_t used = 0;

    void add(unsigned short type, const void* data, std::size_t size) {
        rtattr attribute{};
        attribute.rta_type = type;
        attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
        std::memcpy(attributes.data() + used, &attribute, sizeof(attribute));
        std::memcpy(attributes.data() + used + RTA_LENGTH(0), data, size);
        used += RTA_SPACE(size);
    }
    std::size_t finish(unsigned short type, unsigned short flags, std::uint32_t sequence) {
        header.nlmsg_type = type;
        header.nlmsg_flags = flags;
        header.nlmsg_seq = sequence;
        header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof(Body)) + used);
        return header.nlmsg_len;
    }
};

using Buffer = std::array<std::uint8_t, 4096>;

/// The kernel's answer to the request of that number; empty on errors.
std::span<const std::uint8_t> ask(int socket, const void* request, std::size_t size,
                                  std::uint32_t sequence, Buffer& buffer) {
    if (send(socket, request, size, 0) < 0) return {};
    while (true) {
        const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
        if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return {};
        nlmsghdr header;
        std::memcpy(&header, buffer.data(), sizeof(header));
        if (header.nlmsg_seq != sequence) continue;
        if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_len > static_cast<std::size_t>(got)) {
            return {};
        }
        return std::span<const std::uint8_t>(buffer).first(header.nlmsg_len);
    }
}

/// Calls function(type, value) for the attributes behind a body of `body` bytes.
template <typename Function>
void for_each_attribute(std::span<const std::uint8_t> message, std::size_t body,
                        Function function) {
    std::size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(body);
    while (at + sizeof(rtattr) <= message.size()) {
        rtattr attribute;
        std::memcpy(&attribute, message.data() + at, sizeof(attribute));
        if (attribute.rta_len < RTA_LENGTH(0) || at + attribute.rta_len > message.size()) return;
        function(attribute.rta_type,
                 message.subspan(at + RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)));
        at += RTA_ALIGN(attribute.rta_len);
    }
}

IpAddress address_from(std::span<const std::uint8_t> bytes) {
    if (bytes.size() == 4) {
        return IpAddress::v4(std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                             std::uint32_t{bytes[2]} << 8 | bytes[3]);
    }
    std::array<std::uint8_t, 16> v6{};
    if (bytes.size() != v6.size()) return {};
    std::copy(bytes.begin(), bytes.end(), v6.begin());
    return IpAddress::v6(v6);
}

}  // namespace

KernelRoutes::KernelRoutes(int interface_index) : interface_index_(interface_index) {
    socket_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    // The kernel answers within the call; should it ever not, nobody waits.
    const timeval patience{0, 10'000};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

KernelRoutes::~KernelRoutes() {
    if (socket_ >= 0) close(socket_);
}

std::optional<KernelRoutes::Path> KernelRoutes::find(const IpAddress& destination) {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.destination == destination;
    });
    if (found != entries_.end()) return found->path;
    if (entries_.size() == kMaxDestinations) entries_.clear();
    entries_.push_back({destination, look_up(destination)});
    return entries_.back().path;
}

void KernelRoutes::refresh(MonoTime now) {
    if (!refreshed_.is_zero() && now - refreshed_ < Duration::from_s(1)) return;
    refreshed_ = now;
    for (Entry& entry : entries_) entry.path = look_up(entry.destination);
}

std::optional<KernelRoutes::Path> KernelRoutes::look_up(const IpAddress& destination) {
    if (!destination.is_ip() || destination.is_loopback()) return std::nullopt;
    Request<rtmsg> request;
    request.body.rtm_family = static_cast<unsigned char>(family_of(destination));
    request.body.rtm_dst_len = static_cast<unsigned char>(size_of(destination) * 8);
    request.add(RTA_DST, destination.bytes().data(), size_of(destination));
    const std::size_t size = request.finish(RTM_GETROUTE, NLM_F_REQUEST, ++sequence_);
    Buffer buffer;
    const auto answer = ask(socket_, &request, size, sequence_, buffer);
    if (answer.size() < NLMSG_LENGTH(sizeof(rtmsg))) return std::nullopt;
    rtmsg route;
    std::memcpy(&route, answer.data() + NLMSG_HDRLEN, sizeof(route));
    if (route.rtm_type != RTN_UNICAST) return std::nullopt;
    Path path;
    path.next_hop = destination;
    int interface = 0;
    for_each_attribute(answer, sizeof(rtmsg), [&](unsigned type, auto value) {
        if (type == RTA_OIF && value.size() == sizeof(interface)) {
            std::memcpy(&interface, value.data(), sizeof(interface));
        } else if (type == RTA_PREFSRC) {
            path.source = address_from(value);
        } else if (type == RTA_GATEWAY) {
            path.next_hop = address_from(value);
        }
    });
    if (interface != interface_index_ || !path.source.is_ip()) return std::nullopt;
    path.mac = neighbour(path.next_hop);
    if (!path.mac) ask_for(path.next_hop);
    return path;
}

std::optional<MacAddress> KernelRoutes::neighbour(const IpAddress& next_hop) {
    Request<ndmsg> request;
    request.body.ndm_family = static_cast<unsigned char>(family_of(next_hop));
    request.body.ndm_ifindex = interface_index_;
    request.add(NDA_DST, next_hop.bytes().data(), size_of(next_hop));
    const std::size_t size = request.finish(RTM_GETNEIGH, NLM_F_REQUEST, ++sequence_);
    Buffer buffer;
    const auto answer = ask(socket_, &request, size, sequence_, buffer);
    if (answer.size() < NLMSG_LENGTH(sizeof(ndmsg))) return std::nullopt;
    ndmsg entry;
    std::memcpy(&entry, answer.data() + NLMSG_HDRLEN, sizeof(entry));
    if ((entry.ndm_state & kUsable) == 0) return std::nullopt;
    std::optional<MacAddress> mac;
    for_each_attribute(answer, sizeof(ndmsg), [&](unsigned type, auto value) {
        if (type != NDA_LLADDR || value.size() != MacAddress().size()) return;
        mac.emplace();
        std::copy(value.begin(), value.end(), mac->begin());
    });
    // Who is used stays known: the kernel confirms it as if it had sent something itself.
    if ((entry.ndm_state & (NUD_REACHABLE | NUD_PERMANENT)) == 0) ask_for(next_hop);
    return mac;
}

void KernelRoutes::ask_for(const IpAddress& next_hop) {
    Request<ndmsg> request;
    request.body.ndm_family = static_cast<unsigned char>(family_of(next_hop));
    request.body.ndm_ifindex = interface_index_;
    request.body.ndm_flags = NTF_USE;
    request.body.ndm_state = NUD_NONE;
    request.add(NDA_DST, next_hop.bytes().data(), size_of(next_hop));
    const std::size_t size =
        request.finish(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, ++sequence_);
    Buffer buffer;
    // Without the privilege nothing happens: a datagram through the kernel does the same.
    ask(socket_, &request, size, sequence_, buffer);
}

}  // namespace gnomon
