#include "dataplane/socket/udp_socket.h"

#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dataplane/socket/interface_filter.h"
#include "dataplane/socket/socket_address.h"

namespace gnomon {

namespace {

bool set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/// Simulators know no flags in the type and do not always set errno; the kernel then fails again
/// and says why.
int open_nonblocking(int domain) {
    int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) return fd;
    fd = socket(domain, SOCK_DGRAM, 0);
    if (fd < 0) return fd;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void enable_timestamping(const SocketOptions& options, UdpSocket& socket) {
    const int fd = socket.fd.get();
    // Without it the error queue raises POLLERR only, which some simulators never set.
    set_option(fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1);
    int flags =
        SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_OPT_CMSG;
    if (options.always_transmit_stamps) flags |= SOF_TIMESTAMPING_TX_SOFTWARE;
    if (options.hardware_stamps) {
        int hardware = flags | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE;
        if (options.always_transmit_stamps) hardware |= SOF_TIMESTAMPING_TX_HARDWARE;
        const int extras = SOF_TIMESTAMPING_OPT_PKTINFO | SOF_TIMESTAMPING_OPT_TX_SWHW;
        if (set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, hardware | extras) ||
            set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, hardware)) {
            socket.timestamping = socket.hardware_stamps = true;
        }
    }
    if (!socket.timestamping) {
        socket.timestamping = set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, flags);
    }
    if (socket.timestamping && options.transmit_ids) {
        int current = flags | SOF_TIMESTAMPING_OPT_ID;
        if (socket.hardware_stamps) {
            current |= SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
                       SOF_TIMESTAMPING_OPT_PKTINFO | SOF_TIMESTAMPING_OPT_TX_SWHW;
            if (options.always_transmit_stamps) current |= SOF_TIMESTAMPING_TX_HARDWARE;
        }
        socket.transmit_ids = set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, current);
    }
    socket.always_transmit_stamps = socket.timestamping && options.always_transmit_stamps;
    if (!socket.timestamping) set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

void set_family_options(const SocketOptions& options, UdpSocket& socket) {
    const int fd = socket.fd.get();
    if (socket.family == IpAddress::Family::V4) {
        set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
        // Our packets are small and never to be fragmented: no forged fragment can be mixed in, no
        // forged "fragmentation needed" is believed, and the kernel need not count identifiers.
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        if (options.free_bind) set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
        if (options.dscp > 0) set_option(fd, IPPROTO_IP, IP_TOS, options.dscp << 2);
    } else {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        if (options.free_bind) set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
        if (options.dscp > 0) set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, options.dscp << 2);
    }
}

std::string bind_hint(int code, std::uint16_t port) {
    switch (code) {
        case EADDRINUSE: return port == 123 ? " (another time service is running?)" : " (in use)";
        case EACCES: return port < 1024 ? " (needs root or CAP_NET_BIND_SERVICE)" : "";
        case EADDRNOTAVAIL: return " (no interface has this address)";
        default: return "";
    }
}

}  // namespace

void FileDescriptor::reset() noexcept {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
}

SysResult<UdpSocket> open_udp_socket(const SocketOptions& options) {
    UdpSocket socket;
    socket.family =
        options.local.ip.is_ip() ? options.local.ip.family() : options.remote.ip.family();
    if (socket.family != IpAddress::Family::V4 && socket.family != IpAddress::Family::V6) {
        return Unexpected(SysError{"socket for an address without a family", EAFNOSUPPORT});
    }
    const bool v4 = socket.family == IpAddress::Family::V4;
    socket.fd = FileDescriptor(open_nonblocking(v4 ? AF_INET : AF_INET6));
    const int fd = socket.fd.get();
    if (fd < 0) {
        return Unexpected(SysError{v4 ? "socket for IPv4" : "socket for IPv6",
                                   errno != 0 ? errno : EAFNOSUPPORT});
    }

    set_family_options(options, socket);
    if (options.broadcast) set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (options.receive_buffer_bytes > 0) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
    }
    if (options.reuse_port && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
        return Unexpected(SysError::last("sharing port " + options.local.to_string()));
    }
    if (!options.device.empty() &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options.device.c_str(),
                   static_cast<socklen_t>(options.device.size() + 1)) != 0) {
        return Unexpected(SysError::last("bind to device " + options.device));
    }
    if (options.receive_stamps) enable_timestamping(options, socket);
    if (!options.ignored_interfaces.empty()) {
        if (auto ignored = ignore_interfaces(fd, options.ignored_interfaces); !ignored) {
            return Unexpected(ignored.error());
        }
    }

    const bool wants_bind = options.local.port != 0 || options.reuse_port ||
                            (options.local.ip.is_ip() && !options.local.ip.is_any()) ||
                            !options.remote.ip.is_ip();
    if (wants_bind && options.local.ip.is_ip()) {
        const OsAddress address(options.local, 0);
        if (bind(fd, address.get(), address.size()) != 0) {
            const int code = errno;
            return Unexpected(SysError{
                "bind " + options.local.to_string() + bind_hint(code, options.local.port), code});
        }
    }
    if (options.remote.ip.is_ip()) {
        const OsAddress address(options.remote, 0);
        if (connect(fd, address.get(), address.size()) != 0) {
            return Unexpected(SysError::last("connect " + options.remote.to_string()));
        }
        socket.connected = true;
    }
    return socket;
}

SysResult<SocketAddress> local_address(const UdpSocket& socket) {
    OsAddress address;
    socklen_t size = OsAddress::capacity();
    if (getsockname(socket.fd.get(), address.get(), &size) != 0) {
        return Unexpected(SysError::last("getsockname"));
    }
    return address.to_socket_address();
}

}  // namespace gnomon
