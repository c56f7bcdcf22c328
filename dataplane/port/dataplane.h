#pragma once

/// `PolledDataplane`: ports that workers of their own poll without sleeping, as the control loop sees
/// them. The implementation over DPDK is a module that is loaded when the configuration asks for one
/// (dataplane/dpdk/), so that nobody else pays for it.
///
/// All calls from the control loop's thread. None blocks, but the destructor, which joins the workers
/// and gives back what the dataplane took: devices, XDP programs, flow rules, memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/port/forwarded.h"
#include "dataplane/port/port.h"
#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/server_tables.h"
#include "dataplane/proto/timestamp_store.h"
#include "servo/units/counter_line.h"
#include "servo/units/random_source.h"
#include "servo/units/result.h"
#include "servo/units/server_state.h"
#include "servo/units/time_point.h"

namespace gnomon {

class CaptureTaps;  // dataplane/capture/capture_tap.h

/// How a port is. Any state but Healthy: the kernel's sockets should serve.
enum class PortHealth : std::uint8_t {
    Healthy,
    Starting,
    LinkDown,
    Stalled,    ///< a worker's heartbeat has stopped
    NoBuffers,  ///< the pool of packet buffers is exhausted
    Lost,       ///< the device is gone
};

const char* to_string(PortHealth health) noexcept;

/// What a worker does with a burst, in this order.
enum class WorkerStage : std::uint8_t {
    Receive,  ///< the device's receive call
    Answer,   ///< stamps, parsing, judging, preparing replies; passing on what is not answered
    Finish,   ///< T3, MACs, checksums
    Send,     ///< the device's send call
    Count,
};
inline constexpr std::size_t kWorkerStages = static_cast<std::size_t>(WorkerStage::Count);

/// "receive", "answer", "finish", "send".
const char* to_string(WorkerStage stage) noexcept;

/// One worker's counters and distributions since its start. Cycles are of the processor's counter.
struct DataplaneWorkerReport {
    unsigned queue = 0;
    int core = -1;  ///< -1: not pinned
    std::uint64_t polls = 0;
    std::uint64_t empty_polls = 0;
    std::uint64_t rx_frames = 0;
    std::uint64_t tx_frames = 0;
    std::uint64_t tx_failed = 0;
    std::uint64_t replies = 0;
    std::uint64_t neighbour = 0;  ///< ARP, neighbour discovery, ICMP answered
    std::uint64_t to_kernel = 0;
    std::uint64_t forwarded = 0;     ///< to the control loop
    std::uint64_t forward_lost = 0;  ///< the ring was full
    std::array<std::uint64_t, kTimestampSources> rx_stamps{};
    std::uint64_t tx_stamps = 0;
    std::uint64_t tx_stamps_missed = 0;
    /// Drops by reason, the frame's and the packet's, as pairs of name and count; only those that are
    /// not zero.
    std::vector<std::pair<std::string, std::uint64_t>> drops;
    double cycles_per_packet = 0.0;  ///< of bursts that were not empty
    /// Its parts by WorkerStage.
    std::array<double, kWorkerStages> stage_cycles{};
    double busy_share = 0.0;  ///< of the cycles since the previous report, 0..1
    double mean_burst = 0.0;  ///< frames per burst that was not empty
    /// Receive stamp to hand-over for sending, in powers of two: bucket i counts [2^i, 2^(i+1)) ns.
    std::array<std::uint64_t, 32> latency_log2_ns{};
};

struct DataplanePortReport {
    std::string device;
    std::string driver;
    DataplaneMode mode = DataplaneMode::Shared;
    PortHealth health = PortHealth::Starting;
    bool link_up = false;
    unsigned link_speed_mbps = 0;
    std::string offloads;               ///< in words, "rx-checksum tx-checksum timestamp"
    std::uint64_t hardware_missed = 0;  ///< frames that the device dropped for want of descriptors
    std::uint64_t no_buffers = 0;
    std::uint64_t to_kernel_lost = 0;
    std::uint64_t takeovers = 0;  ///< times that the kernel's sockets had to take over
    /// The estimated wait of a frame before it was polled, s, which poll-time stamps cannot see.
    double queueing_s = 0.0;
    std::vector<DataplaneWorkerReport> workers;
};

class PolledDataplane {
public:
    virtual ~PolledDataplane() = default;

    virtual void publish(const ServerState& state) noexcept = 0;
    virtual void publish(std::shared_ptr<const ServerTables> tables) = 0;
    virtual void publish(const CounterLine& line) noexcept = 0;

    /// Becomes readable when `take_forwarded` has something.
    virtual int forward_fd() const noexcept = 0;
    virtual std::size_t take_forwarded(std::span<Forwarded> out) = 0;

    /// Whether what goes to `remote` leaves through one of the ports.
    virtual bool reaches(const IpAddress& remote) const = 0;
    /// Queues a datagram from `local_port` of the port that reaches its destination; calls the
    /// finisher. Its transmit stamp is forwarded. False: no port, unhealthy port, neighbour not yet
    /// known, or the queue is full.
    virtual bool send(const TxDatagram& datagram, std::uint16_t local_port) = 0;
    /// Datagrams to this port of ours are forwarded from now on, or no more. At most 1024.
    virtual bool listen(std::uint16_t local_port) = 0;
    virtual void unlisten(std::uint16_t local_port) = 0;

    virtual void add_to(ServerStats& stats) const = 0;
    /// Merges what the workers' responders saw of their clients (`Responder::set_analytics`).
    virtual void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
        static_cast<void>(snapshot);
        static_cast<void>(now);
    }
    virtual std::vector<DataplanePortReport> report() const = 0;

    /// Looks after the ports; at least ten times a second. Returns the health of port i in out[i].
    virtual void check(MonoTime now, std::span<PortHealth> out) = 0;
    /// Number of ports; their order is that of the configuration.
    virtual std::size_t port_count() const noexcept = 0;
    /// Kernel interface under a shared port, 0 when there is none.
    virtual int interface_index(std::size_t port) const noexcept = 0;
    /// Gives the port's packets to the kernel (false) or takes them back (true).
    virtual void set_taking(std::size_t port, bool taking) = 0;

    /// Once, after opening: workers show their frames to taps made from `taps`, one per queue, named
    /// "DEVICE/QUEUE", link Ethernet. `taps` outlives the dataplane.
    virtual void attach(CaptureTaps& taps) { static_cast<void>(taps); }
};

/// What a module exports under the name kDataplaneEntry, as `extern "C"`.
struct DataplaneModule {
    const char* abi;  ///< must equal kDataplaneAbi
    /// Everything passed by reference outlives the dataplane.
    SysResult<std::unique_ptr<PolledDataplane>> (*open)(const DataplaneConfig& config,
                                                        ClientLog& log, TimestampStore& store,
                                                        RandomSource& seed);
};
inline constexpr char kDataplaneEntry[] = "gnomon_dataplane_module";
/// Raised whenever anything in this header or in what it includes changes its layout.
inline constexpr char kDataplaneAbi[] = "gnomon-dataplane 2";

}  // namespace gnomon
