#include "mgmt/daemon/appliance.h"

#include <unistd.h>

#include <algorithm>

#include "mgmt/runtime/capture_control.h"
#include "mgmt/runtime/dataplane_module.h"
#include "mgmt/runtime/log.h"
#include "mgmt/runtime/messages.h"
#include "servo/actuator/clock_reader.h"
#include "servo/actuator/linux_kernel_clock.h"
#include "servo/actuator/null_clock.h"

namespace gnomon {

namespace {

constexpr IpAddress::Family kFamilies[] = {IpAddress::Family::V4, IpAddress::Family::V6};

SocketNetwork::Options network_options(const Options& options, const Config& config,
                                       ServerThreads* threads, NicClocks& nic_clocks,
                                       CaptureTaps& taps) {
    SocketNetwork::Options network;
    network.taps = &taps;
    network.family = options.family;
    network.server_threads = threads;
    if (!config.timestamping.interfaces.empty()) {
        network.converter = &nic_clocks;
        network.hardware_stamps = true;
    }
    return network;
}

EngineOptions engine_options(const Options& options) {
    EngineOptions engine;
    if (options.set_once) engine.mode = EngineOptions::Mode::SetOnce;
    if (options.print_once) engine.mode = EngineOptions::Mode::PrintOnce;
    engine.restarted = options.restarted;
    engine.reload_samples = options.reload_samples;
    engine.family = options.family;
    engine.measured_precision_s = measure_clock_precision().seconds;
    return engine;
}

}  // namespace

Appliance::Appliance(const Options& options, const Config& config)
    : options_(options),
      config_(config),
      log_files_(config.log),
      capture_writer_(taps_, config.log.directory),
      server_threads_(make_server_threads()),
      polled_ports_(make_polled_ports()),
      polled_network_(make_polled_network()),
      workers_({server_threads_.get(), polled_ports_.get()}),
      nic_clocks_(
          [this](SystemTime t) { return engine_ ? engine_->utc(t) : UtcTime::from_ns(t.ns()); },
          [this](double offset_s, double frequency) {
              return engine_ && engine_->follow_oscillator(offset_s, frequency, now());
          }),
      network_(loop_, config, sink_of_sockets(),
               network_options(options, config, server_threads_.get(), nic_clocks_, taps_)),
      resolver_(loop_,
                [this](NameResolver::QueryId query, const ResolvedName& answer) {
                    engine_->handle_resolved(query, answer, now());
                }),
      command_server_(loop_, config.command,
                      [this](std::span<const std::uint8_t> request, const CommandClient& client,
                             std::span<std::uint8_t> reply) {
                          return engine_->handle_command(request, client, now(), reply);
                      }),
      telemetry_(loop_, config.process.telemetry_socket),
      refclocks_(loop_, [this](std::size_t index, std::span<const RawRefclockSample> samples) {
          engine_->handle_refclock_samples(index, samples, now());
      }) {
    if (polled_network_) {
        polled_network_->set_sockets(network_);
        polled_ports_->set_sink(*polled_network_);
    }
}

Appliance::~Appliance() {
    // They use what belongs to the engine.
    if (polled_ports_) polled_ports_->close();
    if (server_threads_) server_threads_->stop();
}

std::unique_ptr<PolledPorts> Appliance::make_polled_ports() {
    // A look at the time takes no ports.
    const bool serves = !options_.set_once && !options_.print_once;
    if (config_.dataplane.ports.empty() || !serves) return nullptr;
    DataplaneConfig dataplane = config_.dataplane;
    dataplane.ntp_port = config_.server.port;
    dataplane.dscp = static_cast<std::uint8_t>(config_.client.dscp);
    // Named here: the base is private to everybody else.
    EventSink& events = *this;
    return std::make_unique<PolledPorts>(
        dataplane,
        PolledPorts::Surroundings{loop_, random_, events,
                                  [this](bool corrected) { return measure_counter(corrected); },
                                  [this](std::vector<int> interfaces) {
                                      return network_.ignore_interfaces(std::move(interfaces));
                                  },
                                  &taps_});
}

std::unique_ptr<PolledNetwork> Appliance::make_polled_network() {
    if (!polled_ports_) return nullptr;
    DatagramSink& sink = *this;
    return std::make_unique<PolledNetwork>(config_, *polled_ports_, sink, random_);
}

DatagramSink& Appliance::sink_of_sockets() {
    if (polled_network_) return *polled_network_;
    return *this;
}

CounterLine Appliance::measure_counter(bool corrected) {
    if (!counter_clock_) return CounterLine{};
    return corrected ? counter_clock_->corrected() : counter_clock_->measure();
}

SysResult<void> Appliance::open_polled_ports() {
    auto counter = CounterClock::open();
    if (!counter) return Unexpected(counter.error());
    counter_clock_ = std::move(*counter);
    const auto module = load_dataplane_module();
    if (!module) return Unexpected(SysError{module.error(), ENOENT});
    make_engine();
    return polled_ports_->open(**module);
}

std::unique_ptr<ServerThreads> Appliance::make_server_threads() {
    if (config_.server.threads == 0) return nullptr;
    // Named here: the base is private to everybody else.
    DatagramSink& sink = *this;
    return std::make_unique<ServerThreads>(loop_, sink, random_,
                                           static_cast<unsigned>(config_.server.threads), &taps_);
}

Now Appliance::now() const { return Now{read_mono_clock(), clock_->now()}; }

double Appliance::clock_precision_s() const {
    return config_.clock.precision_s > 0.0 ? config_.clock.precision_s
                                           : measure_clock_precision().seconds;
}

SysResult<void> Appliance::open_privileged() {
    if (options_.control_clock) {
        LinuxKernelClock::Options clock_options;
        clock_options.rtcsync = config_.rtc.sync;
        auto clock = LinuxKernelClock::take_over(clock_options);
        if (!clock) {
            return Unexpected(SysError{
                "Could not control the system clock (start as root, or with -x to leave the clock "
                "alone) : " +
                    clock.error().what,
                clock.error().code});
        }
        clock_ = std::make_unique<LinuxKernelClock>(std::move(*clock));
    } else {
        clock_ = std::make_unique<NullClock>();
        log_info("Disabled control of system clock");
    }
    if (!config_.refclocks.empty()) {
        if (auto opened = refclocks_.open(config_, clock_precision_s()); !opened) {
            return Unexpected(SysError{"Could not open reference clock : " + opened.error().what,
                                       opened.error().code});
        }
    }
    if (!config_.timestamping.interfaces.empty()) {
        const double precision_s = clock_precision_s();
        if (auto opened = nic_clocks_.open(config_.timestamping, precision_s); !opened) {
            return Unexpected(SysError{"Could not enable HW timestamping : " + opened.error().what,
                                       opened.error().code});
        }
    }
    if (polled_ports_) {
        if (auto opened = open_polled_ports(); !opened) return opened;
    }
    // Monitoring is worth less than time: a command port that somebody else has stops nothing.
    for (const IpAddress::Family family : kFamilies) {
        if (!network_.family_enabled(family)) continue;
        if (auto opened = command_server_.open_udp(family); !opened) {
            log_error("Could not open command socket : {}", opened.error().message());
        }
    }
    return {};
}

void Appliance::open_telemetry() {
    telemetry::Hello hello;
    hello.program = "gnomond";
    hello.version = version();
    hello.pid = static_cast<std::uint32_t>(getpid());
    hello.instance = random_.next();
    hello.started = UtcTime::from_ns(clock_->now().ns());
    if (auto opened = telemetry_.open(std::move(hello)); !opened) {
        log_warning("Could not open telemetry socket : {} (directive telemetry)",
                    opened.error().message());
    }
}

void Appliance::restore_time_from_drift_file() {
    const auto last_run = modification_time(config_.clock.drift_file);
    if (!last_run || *last_run <= clock_->now()) return;
    // Without an RTC a machine wakes up in the past: it was later than that when it went to sleep.
    if (clock_->step(*last_run - clock_->now())) {
        log_info("System time restored from driftfile");
    }
}

void Appliance::make_engine() {
    // Named here: the base is private to everybody else.
    command::DaemonCommands* const process = this;
    Network& network = polled_network_ ? static_cast<Network&>(*polled_network_) : network_;
    Services services{*clock_, random_, network, resolver_, storage_, files_, *this};
    if (!workers_.empty()) services.workers = &workers_;
    services.refclocks = &refclocks_;
    if (!nic_clocks_.empty()) services.observer = &nic_clocks_;
    services.polled_ports = polled_ports_.get();
    engine_ = std::make_unique<Engine>(config_, services, engine_options(options_), process);
}

void Appliance::start() {
    if (auto opened = command_server_.open_unix(); !opened) {
        log_error("Could not open command socket : {}", opened.error().message());
    }
    open_telemetry();
    if (options_.set_from_rtc) restore_time_from_drift_file();
    if (!engine_) make_engine();
    const Now at = now();
    started_ = at.mono;
    engine_->start(at);
    refclocks_.watch();
}

Duration Appliance::time_to_wait(const Now& at) const {
    if (resolver_.has_answers()) return Duration::zero();
    MonoTime deadline =
        std::min({engine_->next_timeout(), nic_clocks_.next_timeout(), telemetry_.next_timeout()});
    if (polled_ports_) deadline = std::min(deadline, polled_ports_->next_timeout());
    if (options_.timeout_s >= 0) {
        deadline = std::min(deadline, started_ + Duration::from_s(options_.timeout_s));
    }
    return deadline - at.mono;
}

bool Appliance::timed_out(const Now& at) const {
    return options_.timeout_s >= 0 && at.mono - started_ >= Duration::from_s(options_.timeout_s);
}

std::optional<int> Appliance::turn(const SignalFlag& signals) {
    if (signals.caught() != 0 || shutdown_requested_) return 0;
    if (const auto status = engine_->exit_status()) return *status;

    const Now before = now();
    const Duration wait = time_to_wait(before);
    telemetry_.before_wait(before.mono, before.mono + wait);
    const auto wake = loop_.wait(wait);
    if (!wake) return log_fatal("{}", wake.error().message());
    resolver_.deliver();
    network_.release_closed();
    log_ended_capture(capture_writer_);

    const Now at = now();
    nic_clocks_.handle_timeout(at.mono);
    if (polled_ports_) polled_ports_->handle_timeout(at.mono);
    const bool tell = at.mono >= telemetry_.next_timeout();
    if (tell || at.mono >= engine_->next_timeout()) engine_->handle_timeout(at);
    if (tell) {
        telemetry_.handle_timeout(engine_->handlers().monitoring, engine_->utc(at.system), at.mono,
                                  options_.control_clock);
    }
    if (!timed_out(at)) return std::nullopt;
    log_info("Timeout reached");
    return engine_->server_state().stratum < kStratumUnsynchronised &&
                   engine_->server_state().synchronised
               ? 0
               : 1;
}

int Appliance::run(const SignalFlag& signals) {
    std::optional<int> status;
    while (!status) status = turn(signals);
    engine_->shutdown(now());
    if (polled_ports_) polled_ports_->close();
    return *status;
}

void Appliance::on_datagram(SocketHandle socket, const RxDatagram& datagram) {
    engine_->handle_datagram(socket, datagram, now());
}

void Appliance::on_transmit_stamp(SocketHandle socket, const TxStampReport& report) {
    engine_->handle_transmit_stamp(socket, report, now());
}

void Appliance::on_socket_error(SocketHandle socket) {
    engine_->handle_socket_error(socket, now());
}

void Appliance::on_event(const Event& event) {
    log_files_.write(event);
    const auto message = message_for(event);
    if (message) log().write(message->severity, message->text);
    if (!engine_ || !telemetry_.is_open()) return;
    const Now at = now();
    telemetry_.on_event(event, message, engine_->utc(at.system), at.mono);
}

command::Status Appliance::cycle_logs() {
    log_files_.cycle();
    log().cycle();
    return command::Status::Success;
}

command::Status Appliance::shutdown() {
    log_info("Received shutdown command");
    shutdown_requested_ = true;
    return command::Status::Success;
}

command::ReportResult<command::CaptureReport> Appliance::capture_start(
    const command::CaptureRequest& request) {
    return start_capture(capture_writer_, request);
}

command::ReportResult<command::CaptureReport> Appliance::capture_stop() {
    return stop_capture(capture_writer_);
}

command::ReportResult<command::CaptureReport> Appliance::capture_status() {
    return capture_report(capture_writer_);
}

}  // namespace gnomon
