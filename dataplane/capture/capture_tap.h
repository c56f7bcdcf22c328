#pragma once

/// `CaptureTap`: where a thread that handles packets shows what it received and sent, for `capture
/// start`. One thread offers (the tap's owner), one other takes (the writer of the capture file).
///
/// While nothing is captured a tap costs its owner one relaxed load per burst (`active()`). While
/// something is, `offer` copies at most kSnapLength bytes into a ring: no lock, no allocation, no
/// system call. A full ring counts a loss and the packet is served as ever: the capture suffers,
/// never the clients.
///
///     if (tap.active()) {
///         for (…) tap.offer(frame, stamp, CaptureDirection::In);
///     }
///
/// The ring's memory (2 MiB, touched at once: the owner shall not wait for pages) is taken by the first
/// `open` and kept until the tap dies, so that no owner ever meets memory that has gone.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/wire/address.h"

namespace gnomon {

/// What the captured bytes begin with.
enum class CaptureLink : std::uint8_t {
    Ethernet,  ///< an Ethernet header; frames without their check sequence
    Ip,        ///< an IP header: what sockets see, with headers made up again
};

enum class CaptureDirection : std::uint8_t { In, Out };

/// One packet on its way to the file.
struct CaptureSlot {
    static constexpr std::size_t kSnapLength = 480;

    SystemTime time;
    float variance_s2 = 0.0F;  ///< as in `Stamp`
    float error_s = 0.0F;      ///< as in `Stamp`
    std::uint32_t length = 0;  ///< of the packet; at most kSnapLength bytes of it are here
    std::uint16_t captured = 0;
    TimestampSource source = TimestampSource::Daemon;
    CaptureDirection direction = CaptureDirection::In;
    alignas(8) std::array<std::uint8_t, kSnapLength> bytes;
};
static_assert(sizeof(CaptureSlot) <= 512);

class CaptureTap {
public:
    static constexpr std::size_t kSlots = 4096;

    /// `name`: of the interface in the file, "eth1/0": the port's name, then a slash and the queue if
    /// it has several.
    CaptureTap(std::string name, std::string description, CaptureLink link);
    CaptureTap(const CaptureTap&) = delete;
    CaptureTap& operator=(const CaptureTap&) = delete;

    const std::string& name() const noexcept { return name_; }
    const std::string& description() const noexcept { return description_; }
    CaptureLink link() const noexcept { return link_; }

    // The owner's side.

    bool active() const noexcept { return open_.load(std::memory_order_relaxed); }
    /// `packet` begins as `link()` says. Bytes beyond the snap length are counted, not copied. Does
    /// nothing while the tap is not active.
    void offer(std::span<const std::uint8_t> packet, const Stamp& stamp,
               CaptureDirection direction) noexcept;
    /// For CaptureLink::Ip: makes up the IP and UDP headers. A local address that is not known is
    /// written as zeros.
    void offer_datagram(const SocketAddress& source, const SocketAddress& destination,
                        std::span<const std::uint8_t> payload, const Stamp& stamp,
                        CaptureDirection direction) noexcept;

    // The taker's side: one thread at a time.

    /// Throws std::bad_alloc when there is no memory for the ring. What an earlier capture left is
    /// dropped.
    void open();
    void close() noexcept { open_.store(false, std::memory_order_release); }
    /// The oldest packet, null when there is none.
    const CaptureSlot* front() const noexcept;
    void pop() noexcept;
    /// Packets that did not fit since `open`.
    std::uint64_t lost() const noexcept {
        return lost_.load(std::memory_order_relaxed) - lost_before_;
    }

private:
    std::string name_;
    std::string description_;
    CaptureLink link_;
    std::unique_ptr<CaptureSlot[]> slots_;
    std::uint64_t lost_before_ = 0;
    std::atomic<bool> open_{false};
    alignas(64) std::atomic<std::size_t> head_{0};
    alignas(64) std::atomic<std::size_t> tail_{0};
    std::atomic<std::uint64_t> lost_{0};
};

/// All taps of the process. Safe for any thread; taps live as long as this does.
class CaptureTaps {
public:
    /// The tap of that name, made when there is none. Two owners must not share a tap at one time.
    CaptureTap& tap(std::string_view name, std::string_view description, CaptureLink link);

    /// Those whose name is `port` or begins with `port` and a slash; all when it is empty.
    std::vector<CaptureTap*> select(std::string_view port) const;

private:
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<CaptureTap>> taps_;
};

}  // namespace gnomon
