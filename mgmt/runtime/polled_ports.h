#pragma once

/// `PolledPorts`: the dataplane (directive `dataplane`) as a part of the appliance: for the engine it is
/// one of its `ServerWorkers`, for the network a second way out, and it decides, many times a second,
/// who serves: the ports or the kernel's sockets.
///
///     PolledPorts ports(…);
///     engine is made                     → begin: client log and timestamp store
///     ports.open(module)                 with root's rights, before they are dropped
///     loop: ports.handle_timeout(now) when next_timeout() is reached
///     ports.close()                      before the engine ends
///
/// All calls from the control loop's thread.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/port/dataplane.h"
#include "mgmt/engine/polled_port_reports.h"
#include "mgmt/engine/server_workers.h"
#include "mgmt/engine/services.h"
#include "mgmt/runtime/dataplane_supervisor.h"
#include "mgmt/runtime/event_loop.h"

namespace gnomon {

/// Takes what ports hand to the control loop.
class PolledPortSink {
public:
    virtual ~PolledPortSink() = default;
    virtual void on_polled_datagram(std::uint16_t local_port, const RxDatagram& datagram) = 0;
    virtual void on_polled_stamp(std::uint16_t local_port, const TxStampReport& report) = 0;
};

class PolledPorts final : public ServerWorkers, public PolledPortReports {
public:
    struct Surroundings {
        EventLoop& loop;
        RandomSource& random;
        EventSink& events;
        /// The processor's counter against the system clock, measured now. `corrected`: the system clock
        /// has just been stepped or slewed, what is known of it before does not count.
        std::function<CounterLine(bool corrected)> measure_counter;
        /// `SocketNetwork::ignore_interfaces`.
        std::function<SysResult<void>(std::vector<int>)> ignore_interfaces;
        CaptureTaps* taps = nullptr;  ///< what ports see and send is shown there, if to anybody
    };

    PolledPorts(const DataplaneConfig& config, Surroundings surroundings);
    ~PolledPorts() override;

    /// Once, after `begin`.
    SysResult<void> open(const DataplaneModule& module);
    /// Who gets what is forwarded; before `open`, outlives the ports.
    void set_sink(PolledPortSink& sink) { sink_ = &sink; }
    /// Packets go back to the kernel, threads end, devices and memory are returned. Idempotent.
    void close();
    bool is_open() const noexcept { return dataplane_ != nullptr; }

    // ServerWorkers
    void begin(ClientLog& log, TimestampStore& store) override;
    void publish(const ServerState& state) override;
    void publish(std::shared_ptr<const ServerTables> tables) override;
    void add_to(ServerStats& stats) const override;
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const override;

    // PolledPortReports
    const std::vector<PolledPortState>& polled_ports() override;

    MonoTime next_timeout() const noexcept { return dataplane_ ? next_look_ : MonoTime::max(); }
    void handle_timeout(MonoTime now);

    // What a second way out of the host can do; see PolledDataplane. All of them fail politely
    // while no port serves.
    bool reaches(const IpAddress& remote) const;
    bool send(const TxDatagram& datagram, std::uint16_t local_port);
    bool listen(std::uint16_t local_port);
    void unlisten(std::uint16_t local_port);
    std::uint16_t server_port() const noexcept { return config_.ntp_port; }

private:
    void on_forwarded();
    void check(MonoTime now);
    void apply(const DataplaneSupervisor::Change& change);
    void update_ignored_interfaces();
    bool kernel_sees_copies(std::size_t port) const;

    const DataplaneConfig config_;
    Surroundings around_;
    PolledPortSink* sink_ = nullptr;
    ClientLog* log_ = nullptr;
    TimestampStore* store_ = nullptr;
    ServerState state_;
    std::shared_ptr<const ServerTables> tables_;
    std::unique_ptr<PolledDataplane> dataplane_;
    DataplaneSupervisor supervisor_{0};
    std::vector<PortHealth> health_;
    std::vector<int> ignored_;
    MonoTime now_;
    MonoTime next_look_;
    MonoTime next_check_;
    MonoTime next_interfaces_;
    std::vector<Forwarded> forwarded_;
    std::vector<PolledPortState> reports_;
    std::optional<MonoTime> reported_at_;
};

}  // namespace gnomon
