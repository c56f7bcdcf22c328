#include "mgmt/engine/engine.h"

#include <algorithm>
#include <utility>

#include "mgmt/command/dispatcher.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/clock_commands.h"
#include "mgmt/engine/key_store.h"
#include "mgmt/engine/manual_input.h"
#include "mgmt/engine/refclock_agent.h"
#include "mgmt/engine/report_agent.h"
#include "mgmt/engine/sample_store.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/server_agent.h"
#include "mgmt/engine/server_workers.h"
#include "mgmt/engine/source_commands.h"
#include "mgmt/engine/source_manager.h"
#include "mgmt/engine/state_agent.h"

namespace gnomon {
namespace {

command::CommandSet open_commands(const CommandConfig& config) {
    command::CommandSet set;
    for (const OpenCommand open : config.open_commands) set.add_report(to_string(open));
    return set;
}

/// A clock that a stable oscillator steadies is a straight line to all other sources, however long
/// they are watched: what adapts to wander would only follow their noise.
Config with_estimator(Config config) {
    const bool steadied =
        std::any_of(config.refclocks.begin(), config.refclocks.end(),
                    [](const RefclockConfig& refclock) { return refclock.options.local; });
    if (steadied && config.selection.estimator.empty()) config.selection.estimator = "regression";
    return config;
}

/// Commands to the process; what is the engine's own is done here.
class ProcessCommands final : public command::DaemonCommands {
public:
    ProcessCommands(command::DaemonCommands* process, KeyStore& keys, SampleStore& samples,
                    const Now& now)
        : process_(process), keys_(keys), samples_(samples), now_(now) {}

    command::Status cycle_logs() override {
        return process_ != nullptr ? process_->cycle_logs() : command::Status::NotEnabled;
    }
    command::Status dump() override {
        samples_.save(now_);
        return command::Status::Success;
    }
    command::Status rekey() override {
        keys_.load();
        return command::Status::Success;
    }
    command::Status shutdown() override {
        return process_ != nullptr ? process_->shutdown() : command::Status::NotEnabled;
    }
    command::ReportResult<command::CaptureReport> capture_start(
        const command::CaptureRequest& request) override {
        return process_ != nullptr ? process_->capture_start(request)
                                   : DaemonCommands::capture_start(request);
    }
    command::ReportResult<command::CaptureReport> capture_stop() override {
        return process_ != nullptr ? process_->capture_stop() : DaemonCommands::capture_stop();
    }
    command::ReportResult<command::CaptureReport> capture_status() override {
        return process_ != nullptr ? process_->capture_status() : DaemonCommands::capture_status();
    }

private:
    command::DaemonCommands* process_;
    KeyStore& keys_;
    SampleStore& samples_;
    const Now& now_;
};

}  // namespace

/// The agents and who tells whom: datagrams → sources → selection → clock → everybody.
class Engine::Parts final : private ClockListener {
public:
    Parts(const Config& given_config, const Services& services, const EngineOptions& options,
          command::DaemonCommands* process)
        : config(with_estimator(given_config)),
          keys(config.process.key_file, services),
          clock(config, services, options, *this),
          server(config, services, options.family),
          selection(config, services, clock),
          refclocks(config, services, clock, selection),
          sources(config, services, options, clock, server, selection, keys.table()),
          samples(config.process.dump_dir, services, clock, selection),
          manual(config.process.manual),
          state(config, services, clock, selection),
          reports(now, clock, selection, sources, server, manual, state, services.polled_ports),
          source_commands(now, services, clock, selection, sources, refclocks),
          clock_commands(now, services, clock, selection, manual),
          process_commands(process, keys, samples, now),
          open(open_commands(config.command)),
          options_(options),
          workers_(services.workers),
          observer_(services.observer) {
        if (workers_ != nullptr) {
            workers_->begin(server.client_log(), server.timestamp_store());
        }
    }

    void begin_turn(const Now& turn) {
        now = turn;
        clock.begin_turn(now);
        clock.publish(now);
    }
    void end_turn() {
        sources.drain(now);
        clock.publish(now);
        if (running) state.update(now);
        publish_to_workers();
    }
    void start_server() {
        publish_to_workers();
        server.start();
    }
    const EngineOptions& options() const noexcept { return options_; }

    const Config config;
    Now now;
    KeyStore keys;
    ClockAgent clock;
    ServerAgent server;
    SelectionAgent selection;
    RefclockAgent refclocks;
    SourceManager sources;
    SampleStore samples;
    ManualInput manual;
    StateAgent state;
    ReportAgent reports;
    SourceCommandAgent source_commands;
    ClockCommandAgent clock_commands;
    ProcessCommands process_commands;
    command::CommandSet open;
    bool running = false;

private:
    void publish_to_workers() {
        if (workers_ == nullptr) return;
        workers_->publish(clock.server_state());
        std::vector<IpAddress> addresses;
        for (const auto& source : sources.sources()) {
            if (source->has_address()) addresses.push_back(source->remote().ip);
        }
        tables_.publish(*workers_, {server.access_version(), keys.version()}, server.access(),
                        keys.table(), std::move(addresses));
    }
    void on_adjustment(const ClockAdjustment& adjustment, const Now& at) override {
        server.adjust(adjustment);
        manual.adjust(adjustment);
        refclocks.adjust(adjustment);
        if (observer_ != nullptr) observer_->on_adjustment(adjustment);
        sources.adjust(adjustment, at);
    }
    SourceLabel label_of(SourceId source) const override {
        const SelectableSource* found = selection.find(source);
        return found != nullptr ? found->label : SourceLabel{};
    }

    EngineOptions options_;
    ServerWorkers* workers_;
    ClockObserver* observer_;
    TablesPublisher tables_;
};

Engine::Engine(const Config& config, const Services& services, const EngineOptions& options,
               command::DaemonCommands* process)
    : parts_(std::make_unique<Parts>(config, services, options, process)) {}

Engine::~Engine() = default;

void Engine::start(const Now& now) {
    Parts& p = *parts_;
    p.now = now;
    p.keys.load();
    p.clock.start(now);
    p.state.start(now);
    p.clock.publish(now);
    if (p.options().mode == EngineOptions::Mode::Normal) p.start_server();
    p.refclocks.start(now);
    p.sources.start(now);
    if (p.options().reload_samples) p.samples.restore(now);
    p.samples.remove_files();
    p.running = true;
    p.end_turn();
}

void Engine::handle_datagram(SocketHandle socket, const RxDatagram& datagram, const Now& now) {
    Parts& p = *parts_;
    if (!p.running) return;
    p.begin_turn(now);
    if (!p.sources.handle_datagram(socket, datagram, now) && socket == kServerSocket) {
        p.server.handle_request(datagram, p.clock.server_state(), p.keys.table());
    }
    p.end_turn();
}

void Engine::handle_transmit_stamp(SocketHandle socket, const TxStampReport& report,
                                   const Now& now) {
    Parts& p = *parts_;
    if (!p.running) return;
    p.begin_turn(now);
    p.sources.handle_transmit_stamp(socket, report, now);
    if (socket == kServerSocket) p.server.handle_transmit_stamp(report);
    p.end_turn();
}

void Engine::handle_socket_error(SocketHandle socket, const Now& now) {
    if (!parts_->running) return;
    parts_->begin_turn(now);
    parts_->sources.handle_socket_error(socket, now);
    parts_->end_turn();
}

void Engine::handle_refclock_samples(std::size_t index, std::span<const RawRefclockSample> samples,
                                     const Now& now) {
    if (!parts_->running) return;
    parts_->begin_turn(now);
    parts_->refclocks.handle_samples(index, samples, now);
    parts_->end_turn();
}

bool Engine::follow_oscillator(double offset_s, double frequency, const Now& now) {
    Parts& p = *parts_;
    if (!p.running) return false;
    p.begin_turn(now);
    const bool done = p.clock.adjust_reference(offset_s, frequency, now);
    p.end_turn();
    return done;
}

void Engine::handle_timeout(const Now& now) {
    Parts& p = *parts_;
    if (!p.running) return;
    p.begin_turn(now);
    p.clock.handle_timeout(now);
    p.refclocks.handle_timeout(now);
    p.sources.handle_timeout(now);
    p.end_turn();
}

MonoTime Engine::next_timeout() const {
    const Parts& p = *parts_;
    if (!p.running) return MonoTime::max();
    return std::min({p.clock.next_timeout(p.now), p.sources.next_timeout(),
                     p.refclocks.next_timeout(), p.state.next_timeout()});
}

void Engine::handle_resolved(NameResolver::QueryId query, const ResolvedName& answer,
                             const Now& now) {
    if (!parts_->running) return;
    parts_->begin_turn(now);
    parts_->sources.handle_resolved(query, answer, now);
    parts_->end_turn();
}

std::size_t Engine::handle_command(std::span<const std::uint8_t> request,
                                   const CommandClient& client, const Now& now,
                                   std::span<std::uint8_t> reply) {
    Parts& p = *parts_;
    if (!p.running) return 0;
    p.begin_turn(now);
    if (!p.server.accept_command(client.address, now)) return 0;
    command::Origin origin = command::Origin::AllowedHost;
    if (client.is_unix()) {
        origin = command::Origin::UnixSocket;
    } else if (client.address.is_loopback()) {
        origin = command::Origin::Loopback;
    }
    const auto length = command::handle_command(request, origin, p.open, p.clock.to_utc(now.system),
                                                handlers(), reply);
    p.end_turn();
    return length.value_or(0);
}

const ServerState& Engine::server_state() const { return parts_->clock.server_state(); }

UtcTime Engine::utc(SystemTime system) const {
    if (!parts_->clock.is_running()) return UtcTime::from_ns(system.ns());
    return parts_->clock.to_utc(system);
}

command::CommandHandlers Engine::handlers() {
    Parts& p = *parts_;
    return command::CommandHandlers{p.reports, p.source_commands, p.clock_commands, p.server,
                                    p.process_commands};
}

std::optional<int> Engine::exit_status() const { return parts_->clock.exit_status(); }

void Engine::shutdown(const Now& now) {
    Parts& p = *parts_;
    if (!p.running) return;
    p.begin_turn(now);
    p.clock.give_up_slew(now);
    p.samples.save(now);
    p.clock.shutdown(now);
    p.sources.shutdown();
    p.server.shutdown();
    p.running = false;
}

}  // namespace gnomon
