#pragma once

/// `PacketSocket`: what the kernel knows of the frames of a queue of DPDK's af_packet driver, and the
/// driver throws away.
///
/// The driver's socket has a ring in which each frame lies with the kernel's receive stamp. The ring can
/// be mapped once more, and since nobody but this queue consumes it, the place of the next frame is
/// known by counting. Every stamp is taken only if the length beside it is that of the frame; the first
/// that is not ends it for good, and frames are stamped by the time of polling again. The socket also
/// tells when frames left, if it is asked to, through its error queue.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/dpdk/nic_device.h"

namespace gnomon {

class PacketSocket {
public:
    /// As given to the driver.
    struct Ring {
        std::size_t block_size = 65536;
        std::size_t frame_size = 2048;
        std::size_t frames = 4096;
    };

    /// Those of the process that are bound to the interface, in the order of their creation.
    static std::vector<int> find(int interface_index);

    /// `fd` stays the driver's.
    PacketSocket(int fd, const Ring& ring);
    ~PacketSocket();
    PacketSocket(PacketSocket&& other) noexcept;
    PacketSocket& operator=(PacketSocket&&) = delete;

    /// Before the first frame is received.
    bool is_mapped() const noexcept { return ring_memory_ != nullptr; }
    /// Lets only frames through that may be datagrams of UDP to us: what others want of the interface
    /// need not be copied.
    void filter_for_udp() noexcept;

    // The worker's side.

    /// The frames that the driver has just received, all of them, in order.
    void stamp(std::span<const Frame> frames, std::span<NicBuffer> buffers) noexcept;
    void arm() noexcept;
    bool take(NicTransmitStamp& out) noexcept;

    /// Frames that found the ring full, since the last call. For the control loop.
    std::uint64_t take_drops() noexcept;

private:
    int fd_;
    Ring ring_;
    std::size_t mapped_ = 0;
    const std::uint8_t* ring_memory_ = nullptr;
    std::size_t next_ = 0;
    bool lost_track_ = false;
    bool armed_ = false;
    std::array<std::uint8_t, 1600> sent_;
};

}  // namespace gnomon
