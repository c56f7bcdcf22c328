#include "dataplane/socket/socket_port.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "dataplane/socket/control_messages.h"
#include "dataplane/socket/socket_address.h"
#include "dataplane/wire/bytes.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon {

namespace {

constexpr std::size_t kMaxBatch = 64;
/// An NTP packet of the greatest length with all headers below it, and a byte to see that one is
/// longer.
constexpr std::size_t kBufferSize = 1344;
/// The kernel's own counting begins at zero: a greater id proves that ours was understood.
constexpr std::uint32_t kFirstTransmitId = 0x1000;
/// Standard deviation of a stamp that the daemon takes itself: scheduling, mostly.
constexpr double kDaemonStampVarianceS2 = 1e-5 * 1e-5;

/// The UDP payload of a frame as the error queue returns it: with an Ethernet header, or without one
/// on tunnels.
std::optional<UdpPacket> udp_in_frame(std::span<const std::uint8_t> frame) noexcept {
    if (const auto ethernet = parse_ethernet(frame)) {
        if (ethernet->ether_type == kEtherTypeIpv4 || ethernet->ether_type == kEtherTypeIpv6) {
            return parse_ip_udp(frame.subspan(ethernet->size()), ChecksumPolicy::Trust).packet;
        }
    }
    return parse_ip_udp(frame, ChecksumPolicy::Trust).packet;
}

}  // namespace

SystemTime read_realtime_clock() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return SystemTime::from_timespec(now);
}

/// Everything the system calls point into; allocated once.
struct SocketPort::Buffers {
    struct Message {
        OsAddress address;
        iovec io{};
        alignas(cmsghdr) std::array<std::uint8_t, kReceiveControlSize> control;
        std::array<std::uint8_t, kBufferSize> bytes;
    };
    struct Outgoing {
        OsAddress address;
        iovec io{};
        alignas(cmsghdr) std::array<std::uint8_t, kSendControlSize> control;
    };
    /// Which cookie belongs to a payload whose stamp is awaited, by T2 and T3.
    struct Awaited {
        std::array<std::uint8_t, 16> key{};
        std::uint64_t cookie = 0;
    };

    /// What was sent under an id.
    struct Kept {
        std::uint32_t id = 0;
        std::size_t size = 0;
        SocketAddress remote;
        std::uint64_t cookie = 0;
        std::array<std::uint8_t, kBufferSize> bytes;
    };
    Kept* kept_slot(std::uint32_t id, std::size_t limit) noexcept {
        const std::size_t index = (id - kFirstTransmitId) % limit;
        return id >= kFirstTransmitId && index < kept.size() ? kept[index].get() : nullptr;
    }
    void keep(const TxDatagram& datagram, std::uint32_t id, std::size_t limit) {
        const std::size_t index = (id - kFirstTransmitId) % limit;
        if (index >= kept.size()) kept.push_back(std::make_unique<Kept>());
        Kept& slot = *kept[std::min(index, kept.size() - 1)];
        slot.id = id;
        slot.size = std::min(datagram.payload.size(), slot.bytes.size());
        slot.remote = datagram.remote;
        slot.cookie = datagram.cookie;
        std::copy_n(datagram.payload.begin(), slot.size, slot.bytes.begin());
    }

    explicit Buffers(const Options& options)
        : messages(options.batch),
          incoming(options.batch),
          outgoing(options.send_batch),
          headers(options.send_batch) {
        for (std::size_t i = 0; i < messages.size(); ++i) {
            Message& message = messages[i];
            message.io = {message.bytes.data(), message.bytes.size()};
            msghdr& header = incoming[i].msg_hdr;
            header.msg_name = message.address.get();
            header.msg_iov = &message.io;
            header.msg_iovlen = 1;
            header.msg_control = message.control.data();
        }
        used = messages.size();
    }

    /// Gives back the room that the last call has taken in the first headers; most calls bring a
    /// packet or two, and the others are as they were.
    void prepare_receive() noexcept {
        for (std::size_t i = 0; i < used; ++i) {
            msghdr& header = incoming[i].msg_hdr;
            header.msg_namelen = OsAddress::capacity();
            header.msg_controllen = messages[i].control.size();
            header.msg_flags = 0;
            incoming[i].msg_len = 0;
        }
        used = 0;
    }

    Awaited* awaited_slot(std::span<const std::uint8_t> payload) noexcept {
        if (payload.size() < kNtpHeaderSize) return nullptr;
        const std::uint64_t mixed =
            (load_be64(payload, 32) ^ load_be64(payload, 40) << 1) * 0x9e3779b97f4a7c15ULL;
        return &awaited[mixed >> 58];
    }
    void await(std::span<const std::uint8_t> payload, std::uint64_t cookie) noexcept {
        if (Awaited* slot = awaited_slot(payload)) {
            std::memcpy(slot->key.data(), payload.data() + 32, slot->key.size());
            slot->cookie = cookie;
        }
    }
    std::uint64_t cookie_of(std::span<const std::uint8_t> payload) noexcept {
        Awaited* slot = awaited_slot(payload);
        if (slot == nullptr ||
            std::memcmp(slot->key.data(), payload.data() + 32, slot->key.size()) != 0) {
            return 0;
        }
        return slot->cookie;
    }

    std::vector<Message> messages;
    std::vector<mmsghdr> incoming;  ///< of `messages`
    std::size_t used = 0;           ///< how many of them the last call may have written to
    std::vector<Outgoing> outgoing;
    std::vector<mmsghdr> headers;  ///< of `outgoing`
    std::array<Awaited, 64> awaited{};
    std::vector<std::unique_ptr<Kept>> kept;  ///< a ring that grows to its limit
    std::uint32_t next_id = kFirstTransmitId;
};

SysResult<std::unique_ptr<SocketPort>> SocketPort::open(const SocketOptions& socket,
                                                        const Options& options) {
    SysResult<UdpSocket> opened = open_udp_socket(socket);
    if (!opened) return Unexpected(opened.error());
    return std::make_unique<SocketPort>(std::move(opened).value(), options);
}

SocketPort::SocketPort(UdpSocket socket, const Options& options)
    : socket_(std::move(socket)), options_(options) {
    options_.batch = std::clamp<std::size_t>(options_.batch, 1, kMaxBatch);
    options_.send_batch = std::clamp<std::size_t>(options_.send_batch, 1, kMaxBatch);
    buffers_ = std::make_unique<Buffers>(options_);
}

SocketPort::~SocketPort() = default;

int SocketPort::fd() const noexcept { return socket_.fd.get(); }
short SocketPort::poll_events() const noexcept {
    return static_cast<short>(socket_.timestamping ? POLLIN | POLLPRI : POLLIN);
}
SysResult<SocketAddress> SocketPort::local() const { return local_address(socket_); }
bool SocketPort::kernel_stamps() const noexcept { return socket_.timestamping; }
IpAddress::Family SocketPort::family() const noexcept { return socket_.family; }
int SocketPort::last_send_error() const noexcept { return last_send_error_; }

std::uint64_t SocketPort::cookie_of(std::span<const std::uint8_t> payload) const noexcept {
    return buffers_->cookie_of(payload);
}

std::size_t SocketPort::receive_messages(std::size_t wanted, int flags) noexcept {
    wanted = std::min(wanted, options_.batch);
    if (wanted == 0) return 0;
    buffers_->prepare_receive();
    mmsghdr* headers = buffers_->incoming.data();
    if (have_recvmmsg_) {
        const int count =
            recvmmsg(fd(), headers, static_cast<unsigned>(wanted), flags | MSG_DONTWAIT, nullptr);
        // The kernel may have begun to fill one more when it failed.
        buffers_->used = std::min(wanted, static_cast<std::size_t>(std::max(count, 0)) + 1);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != ENOSYS) return 0;
        have_recvmmsg_ = false;
    }
    buffers_->used = 1;
    const ssize_t size = recvmsg(fd(), &headers[0].msg_hdr, flags | MSG_DONTWAIT);
    if (size < 0) return 0;
    headers[0].msg_len = static_cast<unsigned>(size);
    return 1;
}

Stamp SocketPort::best_stamp(const ReceivedControl& control, std::size_t payload_length,
                             std::size_t sent_frame_length, SystemTime& now) const noexcept {
    const bool need_clock = control.software.is_zero() || control.hardware_ns != 0;
    if (need_clock && now.is_zero()) now = options_.clock();
    if (control.hardware_ns != 0 && options_.converter != nullptr) {
        HardwareStampConverter::Raw raw;
        raw.interface_index = control.stamp_interface_index;
        raw.ns = control.hardware_ns;
        raw.frame_length = sent_frame_length != 0 ? sent_frame_length : control.frame_length;
        raw.payload_length = payload_length;
        raw.family = socket_.family;
        raw.transmit = sent_frame_length != 0;
        raw.now = now;
        if (const auto stamp = options_.converter->convert(raw)) return *stamp;
    }
    if (!control.software.is_zero()) return {control.software, TimestampSource::Kernel, 0.0};
    return {now, TimestampSource::Daemon, kDaemonStampVarianceS2};
}

std::size_t SocketPort::receive(std::span<RxDatagram> out) {
    const std::size_t count = receive_messages(out.size(), 0);
    std::size_t used = 0;
    SystemTime now;
    for (std::size_t i = 0; i < count; ++i) {
        const Buffers::Message& message = buffers_->messages[i];
        const msghdr& header = buffers_->incoming[i].msg_hdr;
        const std::size_t size = buffers_->incoming[i].msg_len;
        if ((header.msg_flags & MSG_TRUNC) != 0 || size > message.bytes.size()) continue;
        const ReceivedControl control = parse_control(header);
        RxDatagram& datagram = out[used++];
        datagram.payload = {message.bytes.data(), size};
        datagram.remote = message.address.to_socket_address();
        datagram.local = control.local;
        datagram.interface_index = control.interface_index;
        datagram.frame_length = control.frame_length;
        datagram.stamp = best_stamp(control, size, 0, now);
    }
    if (is_captured()) show_received(out.first(used));
    return used;
}

const SocketAddress& SocketPort::own_address() {
    if (!own_address_) {
        const auto address = local();
        own_address_ = address ? *address : SocketAddress{IpAddress::any(socket_.family), 0};
    }
    return *own_address_;
}

void SocketPort::show_received(std::span<const RxDatagram> datagrams) {
    for (const RxDatagram& datagram : datagrams) {
        SocketAddress destination = own_address();
        if (datagram.local.is_ip()) destination.ip = datagram.local;
        options_.tap->offer_datagram(datagram.remote, destination, datagram.payload, datagram.stamp,
                                     CaptureDirection::In);
    }
}

/// `now`: what T3 was made from. The kernel's stamp comes too late to wait for.
void SocketPort::show_sent(std::span<const TxDatagram> datagrams, SystemTime now) {
    const Stamp stamp{now, TimestampSource::Daemon, kDaemonStampVarianceS2};
    for (const TxDatagram& datagram : datagrams) {
        SocketAddress source = own_address();
        if (datagram.local.is_ip()) source.ip = datagram.local;
        options_.tap->offer_datagram(source, datagram.remote, datagram.payload, stamp,
                                     CaptureDirection::Out);
    }
}

std::size_t SocketPort::send(std::span<const TxDatagram> datagrams) {
    std::size_t sent = 0;
    while (sent < datagrams.size()) {
        const std::size_t wanted = std::min(datagrams.size() - sent, options_.send_batch);
        const std::size_t taken = send_chunk(datagrams.subspan(sent, wanted));
        sent += taken;
        if (taken < wanted) break;
    }
    return sent;
}

std::size_t SocketPort::send_chunk(std::span<const TxDatagram> datagrams) {
    mmsghdr* headers = buffers_->headers.data();
    bool finishers = false;
    std::size_t ids = 0;
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
        const TxDatagram& datagram = datagrams[i];
        Buffers::Outgoing& outgoing = buffers_->outgoing[i];
        outgoing.io = {const_cast<std::uint8_t*>(datagram.payload.data()), datagram.payload.size()};
        msghdr& header = headers[i].msg_hdr;
        header = msghdr{};
        if (!socket_.connected) {
            outgoing.address.set(datagram.remote, datagram.interface_index);
            header.msg_name = outgoing.address.get();
            header.msg_namelen = outgoing.address.size();
        }
        header.msg_iov = &outgoing.io;
        header.msg_iovlen = 1;
        const std::uint32_t flags = stamp_flags(datagram);
        const bool keep = uses_ids() && flags != 0;
        write_control(header, outgoing.control.data(), datagram, flags,
                      keep ? buffers_->next_id + static_cast<std::uint32_t>(ids) : 0);
        if (keep) ++ids;
        finishers = finishers || datagram.finisher != nullptr;
    }
    // From here on every nanosecond is between T3 and the wire.
    const bool captured = is_captured();
    SystemTime now;
    if (finishers || captured) now = options_.clock();
    if (finishers) {
        for (std::size_t i = 0; i < datagrams.size(); ++i) {
            if (datagrams[i].finisher != nullptr) datagrams[i].finisher->finish(now, i);
        }
    }
    const std::size_t taken = send_messages(datagrams.size());
    for (std::size_t i = 0; i < taken; ++i) remember(datagrams[i]);
    if (captured) show_sent(datagrams.first(taken), now);
    if (ids == 0 || taken == datagrams.size() || last_send_error_ != EINVAL) return taken;
    // Either a kernel that does not know the request for an id, or a datagram that cannot be sent.
    const std::uint32_t flags = stamp_flags(datagrams[taken]);
    if (flags == 0) return taken;
    msghdr& header = headers[taken].msg_hdr;
    write_control(header, buffers_->outgoing[taken].control.data(), datagrams[taken], flags, 0);
    if (sendmsg(fd(), &header, 0) < 0) {
        last_send_error_ = errno;
        return taken;
    }
    options_.transmit_buffers = 0;
    remember(datagrams[taken]);
    if (captured) show_sent(datagrams.subspan(taken, 1), now);
    const auto rest = datagrams.subspan(taken + 1);
    return taken + 1 + (rest.empty() ? 0 : send_chunk(rest));
}

/// Keeps of a datagram that was sent what its stamp will be found by.
void SocketPort::remember(const TxDatagram& datagram) {
    if (datagram.want_stamp && datagram.cookie != 0) {
        buffers_->await(datagram.payload, datagram.cookie);
    }
    if (uses_ids() && stamp_flags(datagram) != 0) {
        buffers_->keep(datagram, buffers_->next_id, options_.transmit_buffers);
        if (++buffers_->next_id == 0) buffers_->next_id = kFirstTransmitId;
    }
}

std::uint32_t SocketPort::stamp_flags(const TxDatagram& datagram) const noexcept {
    if (!datagram.want_stamp || !socket_.timestamping || socket_.always_transmit_stamps) return 0;
    std::uint32_t flags = SOF_TIMESTAMPING_TX_SOFTWARE;
    if (socket_.hardware_stamps) flags |= SOF_TIMESTAMPING_TX_HARDWARE;
    return flags;
}

std::size_t SocketPort::send_messages(std::size_t count) {
    mmsghdr* headers = buffers_->headers.data();
    std::size_t first = 0;
    if (count > 1 && have_sendmmsg_) {
        const int sent = sendmmsg(fd(), headers, static_cast<unsigned>(count), 0);
        if (sent < 0) {
            last_send_error_ = errno;
            // A simulator's descriptors are unknown to system calls that it does not know.
            if (errno != ENOSYS && errno != EBADF) return 0;
            have_sendmmsg_ = false;
        } else {
            // Why it did not take more is only told to who asks again.
            first = static_cast<std::size_t>(sent);
        }
    }
    for (std::size_t i = first; i < count; ++i) {
        if (sendmsg(fd(), &headers[i].msg_hdr, 0) < 0) {
            last_send_error_ = errno;
            return i;
        }
    }
    return count;
}

std::size_t SocketPort::transmit_stamps(std::span<TxStampReport> out) {
    const std::size_t count = receive_messages(out.size(), MSG_ERRQUEUE);
    if (count == 0) {
        // POLLERR without anything in the queue is a pending error (a port unreachable, say): fetch
        // it, or poll would return at once for ever.
        int error = 0;
        socklen_t size = sizeof(error);
        getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        return 0;
    }
    std::size_t used = 0;
    SystemTime now;
    for (std::size_t i = 0; i < count; ++i) {
        const Buffers::Message& message = buffers_->messages[i];
        const std::size_t size =
            std::min<std::size_t>(buffers_->incoming[i].msg_len, message.bytes.size());
        const ReceivedControl control = parse_control(buffers_->incoming[i].msg_hdr);
        if (control.software.is_zero() && control.hardware_ns == 0) continue;
        const auto udp = udp_in_frame({message.bytes.data(), size});
        TxStampReport& report = out[used];
        const Buffers::Kept* kept =
            uses_ids() ? buffers_->kept_slot(control.transmit_id, options_.transmit_buffers)
                       : nullptr;
        if (kept != nullptr && kept->id == control.transmit_id) {
            report.payload = {kept->bytes.data(), kept->size};
            report.remote = kept->remote;
            report.cookie = kept->cookie;
        } else if (udp) {
            report.payload = udp->payload;
            report.remote = udp->destination;
            report.cookie = buffers_->cookie_of(udp->payload);
        } else {
            continue;
        }
        report.stamp = best_stamp(control, report.payload.size(), size, now);
        if (report.stamp.source != TimestampSource::Daemon) ++used;
    }
    return used;
}

}  // namespace gnomon
