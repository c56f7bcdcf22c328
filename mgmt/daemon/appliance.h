#pragma once

/// `Appliance`: the running daemon. Composes engine, kernel clock, sockets, resolver, command server and
/// logs around one event loop. Created after the process is what it is going to be (in the background,
/// with its pid file), run once.

#include <memory>
#include <optional>

#include "mgmt/command/handlers.h"
#include "mgmt/config/config.h"
#include "mgmt/daemon/options.h"
#include "mgmt/engine/engine.h"
#include "mgmt/runtime/capture_writer.h"
#include "mgmt/runtime/command_server.h"
#include "mgmt/runtime/event_loop.h"
#include "mgmt/runtime/kernel_random.h"
#include "mgmt/runtime/log_files.h"
#include "mgmt/runtime/nic_clocks.h"
#include "mgmt/runtime/polled_network.h"
#include "mgmt/runtime/polled_ports.h"
#include "mgmt/runtime/privileges.h"
#include "mgmt/runtime/refclock_set.h"
#include "mgmt/runtime/resolver.h"
#include "mgmt/runtime/server_threads.h"
#include "mgmt/runtime/socket_network.h"
#include "mgmt/runtime/storage.h"
#include "mgmt/runtime/telemetry_agent.h"
#include "servo/actuator/counter_clock.h"

namespace gnomon {

class Appliance final : private DatagramSink, private EventSink, private command::DaemonCommands {
public:
    /// `config` outlives the appliance.
    Appliance(const Options& options, const Config& config);
    ~Appliance() override;

    /// Everything that needs root: the clock, the command ports. Errors are fatal and name a remedy.
    SysResult<void> open_privileged();

    /// As the daemon's own user: engine and Unix socket. `open_privileged` has succeeded.
    void start();

    /// Until a signal, the `shutdown` command, the timeout of -t or the engine ends it. The exit status.
    int run(const SignalFlag& signals);

private:
    std::unique_ptr<ServerThreads> make_server_threads();
    std::unique_ptr<PolledPorts> make_polled_ports();
    std::unique_ptr<PolledNetwork> make_polled_network();
    DatagramSink& sink_of_sockets();
    SysResult<void> open_polled_ports();
    CounterLine measure_counter(bool corrected);
    void make_engine();
    Now now() const;
    double clock_precision_s() const;
    /// How long the loop may sleep.
    Duration time_to_wait(const Now& at) const;
    bool timed_out(const Now& at) const;
    void open_telemetry();
    void restore_time_from_drift_file();
    std::optional<int> turn(const SignalFlag& signals);

    // DatagramSink
    void on_datagram(SocketHandle socket, const RxDatagram& datagram) override;
    void on_transmit_stamp(SocketHandle socket, const TxStampReport& report) override;
    void on_socket_error(SocketHandle socket) override;
    // EventSink
    void on_event(const Event& event) override;
    // command::DaemonCommands
    command::Status cycle_logs() override;
    command::Status shutdown() override;
    command::ReportResult<command::CaptureReport> capture_start(
        const command::CaptureRequest& request) override;
    command::ReportResult<command::CaptureReport> capture_stop() override;
    command::ReportResult<command::CaptureReport> capture_status() override;

    const Options& options_;
    const Config& config_;
    EventLoop loop_;
    KernelRandom random_;
    SystemStorage storage_;
    SystemConfigFiles files_;
    LogFiles log_files_;
    /// Before whatever offers to its taps.
    CaptureTaps taps_;
    CaptureWriter capture_writer_;
    /// Null without `serverthreads`.
    std::unique_ptr<ServerThreads> server_threads_;
    /// These three are null without `dataplane`.
    std::unique_ptr<CounterClock> counter_clock_;
    std::unique_ptr<PolledPorts> polled_ports_;
    std::unique_ptr<PolledNetwork> polled_network_;
    WorkerGroup workers_;
    NicClocks nic_clocks_;
    SocketNetwork network_;
    ThreadResolver resolver_;
    CommandServer command_server_;
    TelemetryAgent telemetry_;
    RefclockSet refclocks_;
    std::unique_ptr<ClockDriver> clock_;
    std::unique_ptr<Engine> engine_;
    MonoTime started_;
    bool shutdown_requested_ = false;
};

}  // namespace gnomon
