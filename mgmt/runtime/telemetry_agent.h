#pragma once

/// `TelemetryAgent`: when what is told. A snapshot a second while somebody reads, events and
/// measurements as they happen; and how the control loop itself does, which nobody else can measure.
///
///     each turn: before_wait(now, deadline); loop.wait(…); if (now >= next_timeout()) handle_timeout(…)

#include <optional>
#include <string>

#include "mgmt/runtime/event_loop.h"
#include "mgmt/runtime/telemetry_server.h"
#include "mgmt/runtime/telemetry_source.h"

namespace gnomon {

class TelemetryAgent {
public:
    /// One snapshot for so many sources a second: a thousand of them take longer to gather than a loop
    /// should be held up.
    static constexpr std::uint32_t kSourcesPerSecond = 64;

    /// `path` empty: nothing is told, measured or waited for. The loop outlives the agent.
    TelemetryAgent(EventLoop& loop, const std::string& path);
    ~TelemetryAgent();

    SysResult<void> open(telemetry::Hello hello);
    bool is_open() const noexcept { return server_.is_open(); }

    /// `max()` without readers.
    MonoTime next_timeout() const noexcept;
    /// `reports` as of now.
    void handle_timeout(command::MonitoringReports& reports, UtcTime utc, MonoTime now,
                        bool steers);
    void on_event(const Event& event, const std::optional<Message>& message, UtcTime utc,
                  MonoTime now);
    /// The loop is about to sleep until `deadline`.
    void before_wait(MonoTime now, MonoTime deadline) noexcept;

private:
    void woke() noexcept;

    EventLoop& loop_;
    TelemetryServer server_;
    ClientScan clients_;
    telemetry::LoopReport loop_report_;
    std::optional<MonoTime> woke_at_;
    MonoTime deadline_ = MonoTime::max();
    MonoTime next_;
};

}  // namespace gnomon
