#include "mgmt/mgmtd/model.h"

#include <fmt/format.h>

namespace gnomon::mgmtd {

void Model::append(telemetry::Event event) {
    ++event_counts_[{event.kind, event.severity}];
    events_.push_back(StoredEvent{next_id_++, instance_, std::move(event)});
    if (events_.size() > kKeptEvents) events_.pop_front();
}

void Model::connected(telemetry::Hello hello, MonoClock::time_point) {
    connected_ = true;
    ++connections_;
    const bool restarted = hello.instance != instance_;
    if (restarted) {
        last_number_ = 0;
        const bool known = instance_ != 0;
        instance_ = hello.instance;
        telemetry::Event event;
        event.at = hello.started;
        event.kind = "restart";
        event.text = fmt::format("{} {} {} (pid {})", hello.program, hello.version,
                                 known ? "was restarted" : "is being watched", hello.pid);
        append(std::move(event));
    }
    hello_ = std::move(hello);
}

void Model::disconnected() { connected_ = false; }

void Model::set_snapshot(telemetry::Snapshot snapshot, MonoClock::time_point now) {
    snapshot_ = std::move(snapshot);
    snapshot_at_ = now;
}

std::uint64_t Model::add_events(std::vector<telemetry::Event> events) {
    const std::uint64_t first = next_id_;
    for (telemetry::Event& event : events) {
        if (event.number <= last_number_) continue;
        last_number_ = event.number;
        append(std::move(event));
    }
    return first;
}

double Model::snapshot_age_s(MonoClock::time_point now) const {
    return std::chrono::duration<double>(now - snapshot_at_).count();
}

bool Model::is_fresh(MonoClock::time_point now) const {
    // Many sources make snapshots rarer (TelemetryAgent::kSourcesPerSecond).
    return snapshot_ && connected_ &&
           snapshot_age_s(now) <
               kStale.count() + static_cast<double>(snapshot_->sources.size()) / 32;
}

bool Model::is_ready(MonoClock::time_point now, std::string& why) const {
    if (!is_fresh(now)) {
        why =
            connected_ ? "no news from gnomond" : "gnomond is not running, or its telemetry is off";
        return false;
    }
    const command::StateReport& state = snapshot_->state;
    why = fmt::format("{}: {}", to_string(state.kind), explain(state.reason));
    if (state.bound_known) {
        why += fmt::format("; error bound {:.9f} s, limit {:.9f} s", state.bound_s, state.limit_s);
    }
    const bool followed =
        state.kind == ClockStateKind::Locked || state.kind == ClockStateKind::Holdover;
    return followed && state.in_spec;
}

void Model::continue_after(std::uint64_t last_id, std::uint64_t instance,
                           std::uint64_t last_number) {
    next_id_ = last_id + 1;
    instance_ = instance;
    last_number_ = last_number;
}

}  // namespace gnomon::mgmtd
