#pragma once

/// `NicDevice`: a network interface with queues that are polled, as workers see it. `EthdevNic` makes it
/// of a device of DPDK, tests of arrays: no device that this project is tested with has a clock or sends
/// on time.
///
/// A queue belongs to one thread; what is not said to be of a queue belongs to the control loop.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "dataplane/frame/frame.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

/// What a device's stamp counts.
enum class NicTime : std::uint8_t {
    None,
    Device,  ///< ns of the device's own clock
    System,  ///< ns of the kernel's real-time clock, taken by the kernel
    Mono,    ///< ns of CLOCK_MONOTONIC, taken in the kernel
};

/// The buffer behind a `Frame`.
struct NicBuffer {
    void* handle = nullptr;
    NicTime kind = NicTime::None;
    std::int64_t time_ns = 0;
};

/// How a device tells when frames left.
enum class TransmitStamping : std::uint8_t {
    None,
    Frame,  ///< of one frame at a time, by its own clock
    Burst,  ///< the kernel's stamps of all frames of a burst, with their bytes
};

struct NicTransmitStamp {
    NicTime kind = NicTime::None;
    std::int64_t time_ns = 0;
    /// The frame as it was sent, for Burst. Valid until the next call.
    std::span<const std::uint8_t> frame;
};

struct NicCapabilities {
    bool rx_stamps = false;  ///< frames carry a stamp of the device or of the kernel
    TransmitStamping transmit_stamps = TransmitStamping::None;
    bool clock = false;        ///< the device's clock can be read
    bool ip_checksum = false;  ///< computed on sending
    bool udp_checksum = false;
    std::string offloads;  ///< in words
};

struct NicLink {
    bool up = false;
    unsigned speed_mbps = 0;
};

struct NicCounters {
    std::uint64_t missed = 0;
    std::uint64_t no_buffers = 0;
    std::uint64_t send_errors = 0;
};

class NicDevice {
public:
    virtual ~NicDevice() = default;

    virtual const NicCapabilities& capabilities() const noexcept = 0;
    virtual MacAddress mac() const noexcept = 0;

    /// Fills in data, length, capacity and checksum states of frames, and their buffers; at most
    /// min(frames.size(), buffers.size()).
    virtual std::size_t receive(unsigned queue, std::span<Frame> frames,
                                std::span<NicBuffer> buffers) noexcept = 0;
    /// Sends the first frames of the burst and returns how many were taken; those belong to the device
    /// then, the others still to the caller. The frames' bytes lie in the buffers.
    virtual std::size_t send(unsigned queue, std::span<const Frame> frames,
                             std::span<const NicBuffer> buffers) noexcept = 0;
    virtual void release(const NicBuffer& buffer) noexcept = 0;
    /// An empty buffer for a frame of ours; false: there is none.
    virtual bool allocate(unsigned queue, Frame& frame, NicBuffer& buffer) noexcept = 0;

    /// Asks for the transmit stamp of what the queue sends next: of `buffer` (Frame), or of all frames
    /// of the next burst (Burst).
    virtual void arm_transmit_stamp(unsigned queue, const NicBuffer& buffer) noexcept = 0;
    /// A transmit stamp that has arrived; false: none yet.
    virtual bool take_transmit_stamp(unsigned queue, NicTransmitStamp& out) noexcept = 0;

    virtual NicLink link() noexcept = 0;
    virtual NicCounters counters() noexcept = 0;
    /// The device has been taken away.
    virtual bool lost() noexcept { return false; }
    virtual std::size_t free_buffers() noexcept = 0;
    /// Whether frames come to us (true) or to the kernel, where the device can choose.
    virtual void set_taking(bool taking) noexcept = 0;

    /// ns of the device's clock, now; empty when it cannot be read.
    virtual std::optional<std::int64_t> read_clock() noexcept { return std::nullopt; }
};

}  // namespace gnomon
