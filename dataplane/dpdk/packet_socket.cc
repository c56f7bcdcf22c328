#include "dataplane/dpdk/packet_socket.h"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/dpdk/descriptors.h"

namespace gnomon {

namespace {

/// Stamps that are there are shown; none are made.
constexpr int kShow = SOF_TIMESTAMPING_SOFTWARE;

}  // namespace

std::vector<int> PacketSocket::find(int interface_index) {
    std::vector<std::pair<ino_t, int>> found;
    for_each_descriptor([&](int fd) {
        sockaddr_ll address{};
        socklen_t size = sizeof(address);
        int version = 0;
        socklen_t version_size = sizeof(version);
        struct stat status {};
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
            address.sll_family == AF_PACKET && address.sll_ifindex == interface_index &&
            getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &version_size) == 0 &&
            version == TPACKET_V2 && fstat(fd, &status) == 0) {
            found.emplace_back(status.st_ino, fd);
        }
    });
    // The kernel numbers sockets as they are made, which the driver does queue by queue.
    std::sort(found.begin(), found.end());
    std::vector<int> descriptors;
    for (const auto& [inode, fd] : found) descriptors.push_back(fd);
    return descriptors;
}

PacketSocket::PacketSocket(int fd, const Ring& ring) : fd_(fd), ring_(ring) {
    // The ring for sending follows the one for receiving.
    mapped_ = 2 * ring.frames * ring.frame_size;
    void* memory = mmap(nullptr, mapped_, PROT_READ, MAP_SHARED, fd_, 0);
    if (memory != MAP_FAILED) ring_memory_ = static_cast<const std::uint8_t*>(memory);
}

PacketSocket::~PacketSocket() {
    if (ring_memory_ != nullptr) munmap(const_cast<std::uint8_t*>(ring_memory_), mapped_);
}

PacketSocket::PacketSocket(PacketSocket&& other) noexcept
    : fd_(other.fd_),
      ring_(other.ring_),
      mapped_(other.mapped_),
      ring_memory_(std::exchange(other.ring_memory_, nullptr)),
      next_(other.next_),
      lost_track_(other.lost_track_) {}

void PacketSocket::filter_for_udp() noexcept {
    constexpr std::uint32_t kTake = 0x40000;
    constexpr auto kPacketType = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
    // Tags that are still in the frame are looked behind by the worker.
    std::array<sock_filter, 13> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kPacketType),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 10, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021Q, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021AD, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
        BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, kTake),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

void PacketSocket::stamp(std::span<const Frame> frames, std::span<NicBuffer> buffers) noexcept {
    if (ring_memory_ == nullptr || lost_track_) return;
    constexpr std::uint32_t kTag = 4;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        tpacket2_hdr header;
        std::memcpy(&header, ring_memory_ + next_ * ring_.frame_size, sizeof(header));
        next_ = next_ + 1 == ring_.frames ? 0 : next_ + 1;
        // The driver puts a tag back that the kernel had taken off.
        const bool fits =
            header.tp_snaplen == frames[i].length || header.tp_snaplen + kTag == frames[i].length;
        if (!fits || header.tp_sec == 0) {
            lost_track_ = true;
            return;
        }
        buffers[i].kind = NicTime::System;
        buffers[i].time_ns = std::int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec;
    }
}

void PacketSocket::arm() noexcept {
    const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | kShow;
    armed_ = setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0;
}

bool PacketSocket::take(NicTransmitStamp& out) noexcept {
    if (armed_) {
        setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPING, &kShow, sizeof(kShow));
        armed_ = false;
    }
    iovec bytes{sent_.data(), sent_.size()};
    alignas(cmsghdr) std::array<char, 512> control;
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size <= 0) return false;
    out = NicTransmitStamp();
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPING) continue;
        scm_timestamping times{};
        std::memcpy(&times, CMSG_DATA(part), sizeof(times));
        out.kind = NicTime::System;
        out.time_ns = std::int64_t{times.ts[0].tv_sec} * 1'000'000'000 + times.ts[0].tv_nsec;
    }
    out.frame = std::span<const std::uint8_t>(sent_).first(static_cast<std::size_t>(size));
    return true;
}

std::uint64_t PacketSocket::take_drops() noexcept {
    tpacket_stats stats{};
    socklen_t size = sizeof(stats);
    return getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
}

}  // namespace gnomon
