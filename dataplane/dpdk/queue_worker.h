#pragma once

/// `QueueWorker`: one thread's work on one queue, from receiving to sending, without an allocation, a
/// lock or a system call of its own, but for the event that tells the control loop of something
/// forwarded.
///
/// A turn: receive a burst; stamp what the device has not stamped; FrameServer::receive; pass on what is
/// not answered; read the counter; FrameServer::finish; send. Without a burst it looks after what the
/// control loop and the exception path have for it.
///
/// Except for `run` and `turn`, which belong to the worker's thread, everything is for the control loop.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/capture/capture_tap.h"
#include "dataplane/dpdk/exception_path.h"
#include "dataplane/dpdk/nic_device.h"
#include "dataplane/dpdk/receive_clock.h"
#include "dataplane/dpdk/tables_cell.h"
#include "dataplane/dpdk/transmit_clock.h"
#include "dataplane/dpdk/worker_counters.h"
#include "dataplane/frame/frame_server.h"
#include "dataplane/port/dataplane.h"
#include "dataplane/port/forwarded.h"
#include "dataplane/port/spsc_ring.h"
#include "dataplane/port/worker_random.h"
#include "dataplane/proto/client_analytics.h"
#include "servo/units/counter_line.h"
#include "servo/units/seqlock.h"
#include "servo/units/server_state.h"

namespace gnomon {

/// What all workers share. The control loop writes it.
struct WorkerContext {
    SeqLock<ServerState> state;
    SeqLock<CounterLine> line;
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC, ns.
    std::atomic<std::int64_t> mono_to_system_ns{0};
    TablesCell tables;
    int forward_event = -1;  ///< written to when something was forwarded
};

/// A frame of ours on its way to the worker that sends it.
struct OutgoingFrame {
    static constexpr std::size_t kMaxSize = 1024;

    std::array<std::uint8_t, kMaxSize> bytes;
    std::size_t size = 0;
    /// Where the NTP payload begins; 0: not a datagram of an association.
    std::size_t payload_offset = 0;
    std::size_t payload_size = 0;
    std::uint64_t cookie = 0;
    std::uint16_t local_port = 0;
    bool want_stamp = false;
    SocketAddress remote;
};

/// Takes frames and sightings that the worker saw; both ends are lock-free rings.
struct WorkerRings {
    WorkerRings() : forwarded(256), outgoing(64), sightings(256) {}
    SpscRing<Forwarded> forwarded;
    SpscRing<OutgoingFrame> outgoing;
    SpscRing<NeighbourSighting> sightings;
};

struct QueueWorkerConfig {
    unsigned queue = 0;
    unsigned burst = 32;  ///< 1..FrameServer::kMaxBurst
    FrameServerConfig server;
};

class QueueWorker {
public:
    /// Everything passed by reference outlives the worker. `nic_line`: the system clock over the
    /// device's. `exception` may be null; only one worker of a port may have it.
    QueueWorker(QueueWorkerConfig config, NicDevice& nic, const SeqLock<CounterLine>& nic_line,
                ExceptionPath* exception, WorkerContext& context, ClientLog& log,
                TimestampStore& store, RandomSource& seed);
    QueueWorker(const QueueWorker&) = delete;
    QueueWorker& operator=(const QueueWorker&) = delete;

    void run(const std::atomic<bool>& stop) noexcept;
    /// False when there was nothing to do.
    bool turn() noexcept;

    std::uint64_t heartbeat() const noexcept { return counters_.turns.get(); }
    /// While false the worker drops what it receives.
    void set_taking(bool taking) noexcept { taking_.store(taking, std::memory_order_relaxed); }
    WorkerRings& rings() noexcept { return rings_; }
    const WorkerCounters& counters() const noexcept { return counters_; }
    const FrameServer& server() const noexcept { return server_; }
    const ClientAnalytics& analytics() const noexcept { return analytics_; }
    /// From now on received and sent frames are shown to the tap, which outlives the worker.
    void set_tap(CaptureTap& tap) noexcept { tap_.store(&tap, std::memory_order_release); }
    /// A router asked for group memberships since the last call.
    bool take_membership_query() noexcept { return announce_.exchange(false); }

private:
    /// Counts that no receive call takes.
    static constexpr std::uint64_t kInterrupted = 100'000;
    /// Counts between bursts whose frames the kernel stamps.
    static constexpr std::uint64_t kStampSpacing = 200'000;

    void stamp_burst(std::size_t count, std::uint64_t polled, std::uint64_t received,
                     const CounterLine& line) noexcept;
    Stamp device_stamp(const NicBuffer& buffer) const noexcept;
    std::size_t sort_burst(std::size_t count) noexcept;
    void send_answers(std::size_t count, std::uint64_t read, const CounterLine& line) noexcept;
    void finish_answers(std::span<Frame> answers, std::uint64_t read,
                        const CounterLine& line) noexcept;
    void arm_stamps(std::span<const Frame> answers, std::uint64_t read) noexcept;
    Stamp transmit_stamp(const NicTransmitStamp& stamp) const noexcept;
    void take_transmit_stamps(const CounterLine& line) noexcept;
    bool look_after_others() noexcept;
    void send_outgoing(const OutgoingFrame& outgoing, const CounterLine& line) noexcept;
    void send_from_kernel() noexcept;
    void forward(const Frame& frame) noexcept;
    void forward_stamp(const OutgoingFrame& outgoing, const Stamp& stamp) noexcept;
    void push_forwarded() noexcept;
    void pass_sightings() noexcept;
    CaptureTap* open_tap() const noexcept {
        CaptureTap* tap = tap_.load(std::memory_order_acquire);
        return tap != nullptr && tap->active() ? tap : nullptr;
    }

    QueueWorkerConfig config_;
    NicDevice& nic_;
    const SeqLock<CounterLine>& nic_line_;
    ExceptionPath* exception_;
    WorkerContext& context_;
    TablesCell::Reader& tables_;
    WorkerRandom random_;
    ClientAnalytics analytics_;
    FrameServer server_;
    ReceiveClock receive_clock_;
    TransmitClock transmit_clock_;
    WorkerCounters counters_;
    WorkerRings rings_;
    bool armed_ = false;  ///< a transmit stamp is awaited
    std::uint64_t armed_read_ = 0;
    std::uint64_t armed_turn_ = 0;
    std::uint64_t armed_cookie_ = 0;
    std::atomic<bool> taking_{true};
    std::atomic<bool> announce_{false};
    std::atomic<CaptureTap*> tap_{nullptr};
    std::array<Frame, FrameServer::kMaxBurst> frames_;
    std::array<NicBuffer, FrameServer::kMaxBurst> buffers_;
};

}  // namespace gnomon
