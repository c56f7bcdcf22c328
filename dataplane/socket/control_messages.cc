#include "dataplane/socket/control_messages.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>

#include <cstring>

#include "dataplane/socket/socket_address.h"

namespace gnomon {

namespace {

#ifndef SCM_TIMESTAMPING_PKTINFO
constexpr int kStampInfoType = 58;
#else
constexpr int kStampInfoType = SCM_TIMESTAMPING_PKTINFO;
#endif

/// SCM_TS_OPT_ID, since Linux 6.13 and in no distribution's headers yet.
constexpr int kTransmitIdType = 81;

/// Layout of SCM_TIMESTAMPING_PKTINFO.
struct StampInfo {
    std::uint32_t interface_index;
    std::uint32_t frame_length;
    std::uint32_t reserved[2];
};

/// Copies the body if it is long enough: alignment and length are the sender's matter.
template <typename T>
bool read_body(const cmsghdr& message, T& body) noexcept {
    if (message.cmsg_len < CMSG_LEN(sizeof(T))) return false;
    std::memcpy(&body, CMSG_DATA(&message), sizeof(T));
    return true;
}

void parse_socket_level(const cmsghdr& message, ReceivedControl& control) noexcept {
    if (message.cmsg_type == SCM_TIMESTAMPING) {
        timespec stamps[3];
        if (!read_body(message, stamps)) return;
        control.software = SystemTime::from_timespec(stamps[0]);
        control.hardware_ns = SystemTime::from_timespec(stamps[2]).ns();
    } else if (message.cmsg_type == SCM_TIMESTAMPNS) {
        timespec stamp;
        if (read_body(message, stamp)) control.software = SystemTime::from_timespec(stamp);
    } else if (message.cmsg_type == kStampInfoType) {
        StampInfo info;
        if (!read_body(message, info)) return;
        control.stamp_interface_index = static_cast<int>(info.interface_index);
        control.frame_length = static_cast<std::uint16_t>(info.frame_length);
    }
}

template <typename T>
void append(msghdr& message, int level, int type, const T& body) noexcept {
    auto* header = reinterpret_cast<cmsghdr*>(static_cast<char*>(message.msg_control) +
                                              message.msg_controllen);
    std::memset(header, 0, CMSG_SPACE(sizeof(T)));
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(header), &body, sizeof(T));
    message.msg_controllen += CMSG_SPACE(sizeof(T));
}

static_assert(CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(std::uint32_t)) <=
              kSendControlSize);

}  // namespace

ReceivedControl parse_control(const msghdr& message) noexcept {
    ReceivedControl control;
    auto* mutable_message = const_cast<msghdr*>(&message);
    for (const cmsghdr* item = CMSG_FIRSTHDR(mutable_message); item != nullptr;
         item = CMSG_NXTHDR(mutable_message, const_cast<cmsghdr*>(item))) {
        // CMSG_FIRSTHDR believes the length of the first one.
        const auto offset =
            static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(item) -
                                     static_cast<const std::uint8_t*>(message.msg_control));
        if (item->cmsg_len > message.msg_controllen - offset) break;
        if (item->cmsg_level == SOL_SOCKET) {
            parse_socket_level(*item, control);
        } else if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            in_pktinfo info;
            if (!read_body(*item, info)) continue;
            control.local = from_in_addr(info.ipi_addr);
            // Packets to a broadcast or multicast address are answered from the interface's own.
            if (info.ipi_spec_dst.s_addr != 0) control.local = from_in_addr(info.ipi_spec_dst);
            control.interface_index = info.ipi_ifindex;
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            if (!read_body(*item, info)) continue;
            control.local = from_in6_addr(info.ipi6_addr);
            control.interface_index = static_cast<int>(info.ipi6_ifindex);
        } else if ((item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR) ||
                   (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR)) {
            sock_extended_err error;
            if (!read_body(*item, error)) continue;
            if (error.ee_origin == SO_EE_ORIGIN_TIMESTAMPING) control.transmit_id = error.ee_data;
        }
    }
    if (control.stamp_interface_index == 0) control.stamp_interface_index = control.interface_index;
    return control;
}

void write_control(msghdr& message, void* buffer, const TxDatagram& datagram,
                   std::uint32_t stamp_flags, std::uint32_t transmit_id) noexcept {
    message.msg_control = buffer;
    message.msg_controllen = 0;
    // Replies take whatever route there is; only link-local addresses are tied to an interface.
    const int interface = is_link_local(datagram.remote.ip) ? datagram.interface_index : 0;
    if (datagram.local.family() == IpAddress::Family::V4) {
        in_pktinfo info{};
        info.ipi_spec_dst = to_in_addr(datagram.local);
        info.ipi_ifindex = interface;
        append(message, IPPROTO_IP, IP_PKTINFO, info);
    } else if (datagram.local.family() == IpAddress::Family::V6 &&
               datagram.local.bytes()[0] != 0xff) {
        in6_pktinfo info{};
        info.ipi6_addr = to_in6_addr(datagram.local);
        info.ipi6_ifindex = static_cast<unsigned>(interface);
        append(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    if (stamp_flags != 0) append(message, SOL_SOCKET, SO_TIMESTAMPING, stamp_flags);
    if (stamp_flags != 0 && transmit_id != 0) {
        append(message, SOL_SOCKET, kTransmitIdType, transmit_id);
    }
    if (message.msg_controllen == 0) message.msg_control = nullptr;
}

}  // namespace gnomon
