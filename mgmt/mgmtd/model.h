#pragma once

/// `Model`: all that the management daemon knows of gnomond at one time. The telemetry reader
/// writes it, metrics and API read it. One thread.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "mgmt/telemetry/telemetry.h"

namespace gnomon::mgmtd {

/// The management daemon's own monotonic time; what it shows of time otherwise is gnomond's.
using MonoClock = std::chrono::steady_clock;

/// An event with its place in this process's order, which goes on when gnomond restarts.
struct StoredEvent {
    std::uint64_t id = 0;
    std::uint64_t instance = 0;
    telemetry::Event event;
};

class Model {
public:
    /// Older than this, what is shown is not the present any more.
    static constexpr std::chrono::seconds kStale{10};
    static constexpr std::size_t kKeptEvents = 1000;

    // --- what the telemetry reader tells
    /// A new connection; an `instance` other than before is a restart, which is an event.
    void connected(telemetry::Hello hello, MonoClock::time_point now);
    void disconnected();
    void set_snapshot(telemetry::Snapshot snapshot, MonoClock::time_point now);
    /// Events that are known already (a reconnection repeats the last ones) are dropped. The ids of
    /// the new ones are consecutive, from the returned one on.
    std::uint64_t add_events(std::vector<telemetry::Event> events);

    // --- what there is to see
    bool is_connected() const noexcept { return connected_; }
    /// Null before the first one.
    const telemetry::Snapshot* snapshot() const noexcept {
        return snapshot_ ? &*snapshot_ : nullptr;
    }
    const std::optional<telemetry::Hello>& hello() const noexcept { return hello_; }
    double snapshot_age_s(MonoClock::time_point now) const;
    bool is_fresh(MonoClock::time_point now) const;
    /// Synchronised and within the limit; if not, `why` says so in words.
    bool is_ready(MonoClock::time_point now, std::string& why) const;

    const std::deque<StoredEvent>& events() const noexcept { return events_; }
    std::uint64_t next_event_id() const noexcept { return next_id_; }
    /// Numbering goes on where an earlier process ended.
    void continue_after(std::uint64_t last_id, std::uint64_t instance, std::uint64_t last_number);

    /// By kind and severity, since the start.
    const std::map<std::pair<std::string, int>, std::uint64_t>& event_counts() const noexcept {
        return event_counts_;
    }
    std::uint64_t connections() const noexcept { return connections_; }

private:
    void append(telemetry::Event event);

    bool connected_ = false;
    std::uint64_t connections_ = 0;
    std::optional<telemetry::Hello> hello_;
    std::optional<telemetry::Snapshot> snapshot_;
    MonoClock::time_point snapshot_at_{};
    std::deque<StoredEvent> events_;
    std::uint64_t next_id_ = 1;
    std::uint64_t instance_ = 0;
    std::uint64_t last_number_ = 0;
    std::map<std::pair<std::string, int>, std::uint64_t> event_counts_;
};

}  // namespace gnomon::mgmtd
