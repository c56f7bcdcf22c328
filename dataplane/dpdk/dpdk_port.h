#pragma once

/// `DpdkPort`: a device, its workers, and whoever looks after them. Everything for the control loop's
/// thread.

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "dataplane/dpdk/device_spec.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/ethdev_nic.h"
#include "dataplane/dpdk/exception_path.h"
#include "dataplane/dpdk/kernel_routes.h"
#include "dataplane/dpdk/nic_clock.h"
#include "dataplane/dpdk/port_supervisor.h"
#include "dataplane/dpdk/queue_worker.h"
#include "dataplane/frame/neighbour_table.h"
#include "dataplane/port/dataplane.h"

namespace gnomon {

class CaptureTaps;

struct DpdkPortResources {
    ClientLog& log;
    TimestampStore& store;
    RandomSource& seed;
    WorkerContext& context;
    const ListenedPorts& listened;
    const DataplaneConfig& config;
};

class DpdkPort {
public:
    static SysResult<std::unique_ptr<DpdkPort>> open(const DataplanePortConfig& config,
                                                     const DeviceSpec& spec, unsigned number,
                                                     const DpdkPortResources& resources,
                                                     EalLog& log);
    /// Stops the workers and closes the device.
    ~DpdkPort();
    DpdkPort(const DpdkPort&) = delete;
    DpdkPort& operator=(const DpdkPort&) = delete;

    PortHealth check(MonoTime now);
    PortHealth health() const noexcept { return supervisor_.health(); }
    void set_taking(bool taking);
    /// The dataplane's table of ports has changed.
    void set_listened(std::uint16_t local_port, bool listened);
    int interface_index() const noexcept { return nic_->interface_index(); }

    std::size_t take_forwarded(std::span<Forwarded> out);
    bool reaches(const IpAddress& remote) const;
    bool send(const TxDatagram& datagram, std::uint16_t local_port);
    void add_to(ServerStats& stats) const;
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const;
    DataplanePortReport report() const;
    void attach(CaptureTaps& taps);

private:
    struct WorkerThread {
        std::unique_ptr<QueueWorker> worker;
        std::thread thread;
        int core = -1;
        std::uint64_t busy_before = 0;
        std::uint64_t cycles_before = 0;
        double busy_share = 0.0;
    };

    DpdkPort(const DataplanePortConfig& config, DeviceSpec spec,
             const DpdkPortResources& resources);
    FrameServerConfig server_config(const DpdkPortResources& resources) const;
    std::optional<SysError> start_workers();
    void run(WorkerThread& thread, unsigned queue) noexcept;
    struct Way {
        NeighbourRoute route;
        MacAddress mac{};
    };
    std::optional<Way> way_to(const IpAddress& destination);
    void announce(MonoTime now);
    void ask_neighbours(MonoTime now);
    bool push(std::span<const std::uint8_t> frame);
    void measure_load();
    DataplaneWorkerReport report(const WorkerThread& thread, unsigned queue) const;

    DataplanePortConfig config_;
    DeviceSpec spec_;
    std::vector<DataplaneAddress> addresses_;
    WorkerContext& context_;
    std::uint8_t dscp_ = 0;
    std::unique_ptr<EthdevNic> nic_;
    SeqLock<CounterLine> nic_line_;
    NicClock nic_clock_;
    std::unique_ptr<ExceptionPath> exception_;
    std::optional<NeighbourTable> neighbours_;  ///< exclusive ports
    std::unique_ptr<KernelRoutes> routes_;      ///< shared ones over a kernel interface
    std::vector<WorkerThread> workers_;
    std::atomic<bool> stop_{false};
    PortSupervisor supervisor_;
    MonoTime now_;  ///< of the last check
    MonoTime measured_;
    bool link_up_ = false;
    std::uint64_t no_buffers_ = 0;
    int announcements_due_ = 0;
    MonoTime announce_at_;
};

}  // namespace gnomon
