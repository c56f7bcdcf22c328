#include "mgmt/runtime/telemetry_agent.h"

#include <algorithm>

#include "servo/actuator/clock_reader.h"

namespace gnomon {

namespace {

void add(telemetry::LatencyHistogram& histogram, std::uint64_t& longest, Duration value) noexcept {
    const std::int64_t ns = std::max<std::int64_t>(value.ns(), 0);
    histogram.add(ns);
    longest = std::max(longest, static_cast<std::uint64_t>(ns));
}

}  // namespace

TelemetryAgent::TelemetryAgent(EventLoop& loop, const std::string& path)
    : loop_(loop), server_(loop, path) {}

TelemetryAgent::~TelemetryAgent() { loop_.set_on_wake(nullptr); }

SysResult<void> TelemetryAgent::open(telemetry::Hello hello) {
    server_.set_hello(std::move(hello));
    if (auto opened = server_.open(); !opened) return opened;
    if (server_.is_open()) loop_.set_on_wake([this] { woke(); });
    return {};
}

void TelemetryAgent::before_wait(MonoTime now, MonoTime deadline) noexcept {
    if (!server_.is_open()) return;
    if (woke_at_) add(loop_report_.busy, loop_report_.longest_busy_ns, now - *woke_at_);
    woke_at_.reset();
    deadline_ = std::max(now, deadline);
}

void TelemetryAgent::woke() noexcept {
    woke_at_ = read_mono_clock();
    // Somebody who comes before the deadline is not late.
    if (*woke_at_ >= deadline_) {
        add(loop_report_.late, loop_report_.longest_late_ns, *woke_at_ - deadline_);
    }
}

MonoTime TelemetryAgent::next_timeout() const noexcept {
    return server_.has_readers() ? next_ : MonoTime::max();
}

void TelemetryAgent::handle_timeout(command::MonitoringReports& reports, UtcTime utc, MonoTime now,
                                    bool steers) {
    telemetry::Snapshot snapshot = gather_snapshot(reports, utc);
    snapshot.mono = now;
    snapshot.steers = steers;
    snapshot.loop = loop_report_;
    loop_report_.longest_busy_ns = 0;
    loop_report_.longest_late_ns = 0;
    clients_.advance(reports, utc);
    snapshot.clients = clients_.result();
    server_.publish(snapshot, now);

    const auto seconds = static_cast<std::int64_t>(1 + snapshot.sources.size() / kSourcesPerSecond);
    next_ = std::max(next_ + Duration::from_s(seconds), now + Duration::from_s(seconds) / 2);
}

void TelemetryAgent::on_event(const Event& event, const std::optional<Message>& message,
                              UtcTime utc, MonoTime now) {
    if (auto told = telemetry_event(event, message, utc)) server_.add_event(std::move(*told), now);
    if (!server_.has_readers()) return;
    if (const auto told = telemetry_measurement(event)) server_.add_measurement(*told, now);
}

}  // namespace gnomon
