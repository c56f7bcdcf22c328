#pragma once

/// `ExceptionPath`: an interface of the kernel (a tap) that gets what an exclusive port does not
/// use, so that everything else on the host lives on the same port: SSH, routing daemons, DHCP.
///
/// A thread of its own moves frames between the tap and two rings, because reading and writing a tap
/// are system calls and the worker makes none. DPDK's own tap device would make them in the worker, and
/// takes a signal per frame.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/port/spsc_ring.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/result.h"

namespace gnomon {

class ExceptionPath {
public:
    static constexpr std::size_t kMaxFrame = 2032;

    /// Makes the interface with the port's MAC and addresses and sets it up.
    static SysResult<std::unique_ptr<ExceptionPath>> open(
        const std::string& name, const MacAddress& mac,
        const std::vector<DataplaneAddress>& addresses);
    /// The interface goes.
    ~ExceptionPath();
    ExceptionPath(const ExceptionPath&) = delete;
    ExceptionPath& operator=(const ExceptionPath&) = delete;

    // One worker's side.

    /// False: lost, because the ring was full or the frame too long.
    bool to_kernel(std::span<const std::uint8_t> frame) noexcept;
    /// After a burst of `to_kernel`; a system call when the thread sleeps.
    void flush() noexcept;
    /// The oldest frame from the kernel, empty when there is none; valid until `pop`.
    std::span<const std::uint8_t> front() noexcept;
    void pop() noexcept;

private:
    struct Slot {
        std::uint16_t size = 0;
        std::array<std::uint8_t, kMaxFrame> bytes;
    };
    static constexpr std::size_t kRing = 512;

    ExceptionPath();
    void run() noexcept;
    bool write_frames() noexcept;
    bool read_frames() noexcept;

    int tap_ = -1;
    int event_ = -1;
    SpscRing<Slot> down_;  ///< to the kernel
    SpscRing<Slot> up_;
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace gnomon
