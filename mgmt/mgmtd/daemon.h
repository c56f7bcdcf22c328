#pragma once

/// `Daemon`: gnomon-mgmtd itself. One thread over poll(2): telemetry in, HTTP out, history to disk.

#include <csignal>
#include <memory>
#include <optional>

#include "mgmt/mgmtd/api.h"
#include "mgmt/mgmtd/config.h"
#include "mgmt/mgmtd/history.h"
#include "mgmt/mgmtd/http_server.h"
#include "mgmt/mgmtd/model.h"
#include "mgmt/mgmtd/stream_hub.h"
#include "mgmt/mgmtd/telemetry_client.h"

namespace gnomon::mgmtd {

class Daemon {
public:
    explicit Daemon(const Config& config);

    /// What may need root: ports. Fatal when it fails.
    SysResult<void> open_privileged();
    SysResult<void> start();
    /// Until `stop` is set.
    void run(const volatile std::sig_atomic_t& stop);

private:
    void wait();
    void on_message(telemetry::Message&& message);
    void publish_events();
    void publish_daemon();
    void tick(MonoClock::time_point now);
    OwnFigures figures() const;

    Config config_;
    Model model_;
    std::unique_ptr<History> history_;
    StreamHub hub_;
    Api api_;
    HttpServer http_;
    TelemetryClient telemetry_;
    std::uint64_t next_event_ = 1;
    MonoClock::time_point next_tick_{};
    MonoClock::time_point next_keep_alive_{};
    double start_time_s_ = 0.0;
};

}  // namespace gnomon::mgmtd
