#include "mgmt/mgmtd/daemon.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "mgmt/mgmtd/json_reports.h"
#include "mgmt/mgmtd/log.h"

namespace gnomon::mgmtd {

namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::seconds kKeepAlive{10};

double resident_bytes() {
    // The second number is the resident set, in pages.
    long total = 0;
    long resident = 0;
    if (FILE* file = fopen("/proc/self/statm", "re")) {
        if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
        fclose(file);
    }
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    timespec ts{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9;
}

Api::Access access_of(const Config& config) {
    return {config.tokens, config.allow_remote, config.hosts};
}

std::unique_ptr<History> make_history(const Config& config) {
    if (config.history_path.empty()) return nullptr;
    return std::make_unique<History>(config.history_path, config.history_bytes);
}

}  // namespace

Daemon::Daemon(const Config& config)
    : config_(config),
      history_(make_history(config)),
      api_(model_, history_.get(), access_of(config), [this] { return figures(); }),
      http_(
          hub_, [this](const Request& request) { return api_.handle(request, MonoClock::now()); },
          [this] { return api_.greeting(MonoClock::now()); },
          {config.max_connections, config.max_connections_per_address}),
      telemetry_(
          config.telemetry,
          [this](telemetry::Message&& message) { on_message(std::move(message)); },
          [this] {
              model_.disconnected();
              publish_daemon();
          }) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    start_time_s_ = static_cast<double>(now.tv_sec);
}

SysResult<void> Daemon::open_privileged() {
    for (const SocketAddress& address : config_.listen) {
        if (auto opened = http_.listen(address); !opened) return opened;
    }
    return {};
}

SysResult<void> Daemon::start() {
    if (history_ && history_->open()) {
        if (const auto last = history_->last_event()) {
            model_.continue_after(last->id, last->instance, last->event.number);
            next_event_ = last->id + 1;
        }
    }
    return http_.start();
}

OwnFigures Daemon::figures() const {
    OwnFigures own;
    const HttpServer::Figures http = http_.figures();
    own.requests = http.requests;
    own.refused = http.refused;
    own.connections = http.connections;
    own.stream_clients = hub_.clients();
    own.bad_frames = telemetry_.bad_frames();
    if (history_) {
        own.history_bytes = history_->bytes();
        own.history_errors = history_->errors();
    }
    own.resident_bytes = resident_bytes();
    own.cpu_s = cpu_seconds();
    own.start_time_s = start_time_s_;
    return own;
}

void Daemon::publish_events() {
    for (const StoredEvent& event : model_.events()) {
        if (event.id < next_event_) continue;
        next_event_ = event.id + 1;
        if (history_) history_->add_event(event);
        hub_.publish("event", to_text(event_json(event)), event.id);
    }
}

void Daemon::publish_daemon() {
    if (hub_.has_clients()) {
        hub_.publish("daemon", to_text(daemon_json(model_, MonoClock::now())));
    }
}

void Daemon::on_message(telemetry::Message&& message) {
    const auto now = MonoClock::now();
    if (auto* hello = std::get_if<telemetry::Hello>(&message)) {
        model_.connected(std::move(*hello), now);
        publish_daemon();
    } else if (auto* snapshot = std::get_if<telemetry::Snapshot>(&message)) {
        if (history_) history_->add(*snapshot);
        model_.set_snapshot(std::move(*snapshot), now);
        if (hub_.has_clients()) {
            hub_.publish("snapshot", to_text(snapshot_json(*model_.snapshot())));
        }
    } else if (auto* events = std::get_if<std::vector<telemetry::Event>>(&message)) {
        model_.add_events(std::move(*events));
    } else if (auto* measurement = std::get_if<telemetry::Measurement>(&message)) {
        if (hub_.has_clients())
            hub_.publish("measurement", to_text(measurement_json(*measurement)));
    }
    publish_events();
}

void Daemon::tick(MonoClock::time_point now) {
    next_tick_ = now + kTick;
    http_.sweep(now);
    if (history_) history_->flush(now);
    if (now >= next_keep_alive_) {
        next_keep_alive_ = now + kKeepAlive;
        hub_.keep_alive();
    }
}

void Daemon::wait() {
    std::vector<pollfd> fds;
    for (const int fd : http_.fds()) fds.push_back({fd, POLLIN, 0});
    if (telemetry_.fd() >= 0) fds.push_back({telemetry_.fd(), POLLIN, 0});
    const auto now = MonoClock::now();
    const auto until =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_tick_ - now).count() + 1;
    const auto timeout = std::clamp<long long>(until, 0, http_.timeout_ms());
    poll(fds.data(), fds.size(), static_cast<int>(timeout));
}

void Daemon::run(const volatile std::sig_atomic_t& stop) {
    while (stop == 0) {
        wait();
        const auto now = MonoClock::now();
        telemetry_.handle_timeout(now);
        if (telemetry_.fd() >= 0) telemetry_.receive(now);
        if (now >= next_tick_) tick(now);
        http_.run();
    }
}

}  // namespace gnomon::mgmtd
