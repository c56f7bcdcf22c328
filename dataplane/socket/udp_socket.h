#pragma once

/// Opening UDP sockets for NTP the way the configuration wants them, and a descriptor that closes
/// itself. Works on Linux and under simulators that know only a part of the socket interface: what
/// is not essential may fail.

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "servo/units/result.h"

namespace gnomon {

/// Owns a file descriptor.
class FileDescriptor {
public:
    FileDescriptor() noexcept = default;
    explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
    ~FileDescriptor() { reset(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = other.release();
        }
        return *this;
    }

    int get() const noexcept { return fd_; }
    bool is_open() const noexcept { return fd_ >= 0; }
    int release() noexcept {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset() noexcept;

private:
    int fd_ = -1;
};

struct SocketOptions {
    /// V4 or V6; decides the family of the socket. The address may be `any`; port 0: the kernel
    /// chooses one.
    SocketAddress local;
    /// Connects the socket: only this end point is heard. Unspecified: not connected.
    SocketAddress remote;
    std::string device;       ///< `binddevice`, `bindacqdevice`; empty: any
    int dscp = 0;             ///< 0…63
    bool reuse_port = false;  ///< SO_REUSEPORT: several workers on one port
    bool broadcast = false;   ///< may send to broadcast addresses
    /// May bind to an address that no interface has yet (IP_FREEBIND).
    bool free_bind = true;
    bool receive_stamps = true;
    /// Every datagram is stamped on transmission, wanted or not; otherwise each asks for itself.
    bool always_transmit_stamps = false;
    /// Ask for stamps of the network interface too; it must have been told to take them.
    bool hardware_stamps = false;
    /// Transmit stamps shall carry an id of ours (`maxtxbuffers`; Linux 6.13).
    bool transmit_ids = false;
    int receive_buffer_bytes = 0;  ///< 0: the system's default
    /// Nothing is heard of what comes in there (interface_filter.h).
    std::vector<int> ignored_interfaces;
};

/// What was opened. `transmit_stamps` false: the kernel refused timestamping, stamps are the
/// daemon's own.
struct UdpSocket {
    FileDescriptor fd;
    IpAddress::Family family = IpAddress::Family::V4;
    bool connected = false;
    bool timestamping = false;
    bool always_transmit_stamps = false;
    bool hardware_stamps = false;
    bool transmit_ids = false;
};

/// Errors name the address and, where it is known, the usual cause:
/// "bind 0.0.0.0:123 (in use by another time service?): Address already in use".
SysResult<UdpSocket> open_udp_socket(const SocketOptions& options);

/// The address that the socket is bound to.
SysResult<SocketAddress> local_address(const UdpSocket& socket);

}  // namespace gnomon
