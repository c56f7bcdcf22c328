#pragma once

/// `SocketPort`: one kernel UDP socket as a `Port`. A server has one per address family, a client
/// association one per request.
///
/// Use: poll `fd()` for `poll_events()`; on POLLIN call `receive` once; on POLLPRI or POLLERR call
/// `transmit_stamps` once. Exactly one system call per readiness, never "until EAGAIN": simulators
/// that keep one queue per host would hand out packets of other sockets.
///
/// Receive stamps are the kernel's (or the interface's) where there are any, else the clock as read
/// after the call. Transmit stamps come back with the packet they belong to, so a stamp is never
/// attributed to another packet.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/capture/capture_tap.h"
#include "dataplane/port/port.h"
#include "dataplane/socket/udp_socket.h"
#include "servo/units/result.h"

namespace gnomon {

struct ReceivedControl;

/// Turns stamps of a network interface into system time. The owner of the NIC clocks implements it.
class HardwareStampConverter {
public:
    virtual ~HardwareStampConverter() = default;
    struct Raw {
        int interface_index = 0;
        std::int64_t ns = 0;           ///< as the NIC's clock counted
        std::size_t frame_length = 0;  ///< without the check sequence; 0: unknown
        std::size_t payload_length = 0;
        IpAddress::Family family = IpAddress::Family::V4;
        bool transmit = false;
        SystemTime now;  ///< about when the stamp was read
    };
    /// Empty: no clock for this interface, or the result is not credible.
    virtual std::optional<Stamp> convert(const Raw& raw) = 0;
};

/// The clock that T3 is taken from; a test replaces it.
using ReadClock = SystemTime (*)() noexcept;
/// clock_gettime(CLOCK_REALTIME).
SystemTime read_realtime_clock() noexcept;

class SocketPort final : public Port {
public:
    struct Options {
        std::size_t batch = 16;      ///< datagrams per system call, 1…64
        std::size_t send_batch = 8;  ///< datagrams that share one reading of the clock for T3
        ReadClock clock = read_realtime_clock;
        HardwareStampConverter* converter = nullptr;
        /// Datagrams that are kept to match transmit stamps by id (`maxtxbuffers`), where the kernel
        /// can do that: for interfaces below which what was sent is not found again.
        std::size_t transmit_buffers = 0;
        /// What is received and sent is shown here; a tap for IP that no other thread offers to.
        CaptureTap* tap = nullptr;
    };

    static SysResult<std::unique_ptr<SocketPort>> open(const SocketOptions& socket,
                                                       const Options& options);
    static SysResult<std::unique_ptr<SocketPort>> open(const SocketOptions& socket) {
        return open(socket, Options());
    }
    SocketPort(UdpSocket socket, const Options& options);
    ~SocketPort() override;

    int fd() const noexcept;
    /// POLLIN, and POLLPRI when transmit stamps can arrive.
    short poll_events() const noexcept;
    SysResult<SocketAddress> local() const;
    bool kernel_stamps() const noexcept;
    IpAddress::Family family() const noexcept;

    /// Spans in `out` live until the next call.
    std::size_t receive(std::span<RxDatagram> out) override;
    std::size_t send(std::span<const TxDatagram> datagrams) override;
    /// Also takes a pending error (port unreachable) off the socket: when there are no stamps, it is in
    /// errno, 0 for none. `receive` leaves it there too.
    std::size_t transmit_stamps(std::span<TxStampReport> out) override;

    /// The cookie that `payload` was sent with by this port, 0 when it is not known any more: for
    /// stamps that another port of the same socket has taken.
    std::uint64_t cookie_of(std::span<const std::uint8_t> payload) const noexcept;

    /// errno of the last send that failed, 0 when none has.
    int last_send_error() const noexcept;

private:
    struct Buffers;

    std::size_t receive_messages(std::size_t wanted, int flags) noexcept;
    Stamp best_stamp(const ReceivedControl& control, std::size_t payload_length,
                     std::size_t sent_frame_length, SystemTime& now) const noexcept;
    std::size_t send_chunk(std::span<const TxDatagram> datagrams);
    void remember(const TxDatagram& datagram);
    std::size_t send_messages(std::size_t count);
    std::uint32_t stamp_flags(const TxDatagram& datagram) const noexcept;
    bool is_captured() const noexcept { return options_.tap != nullptr && options_.tap->active(); }
    const SocketAddress& own_address();
    void show_received(std::span<const RxDatagram> datagrams);
    void show_sent(std::span<const TxDatagram> datagrams, SystemTime now);
    bool uses_ids() const noexcept { return socket_.transmit_ids && options_.transmit_buffers > 0; }

    UdpSocket socket_;
    Options options_;
    std::unique_ptr<Buffers> buffers_;
    int last_send_error_ = 0;
    std::optional<SocketAddress> own_address_;  ///< asked for by the first capture
    bool have_sendmmsg_ = true;
    bool have_recvmmsg_ = true;
};

}  // namespace gnomon
