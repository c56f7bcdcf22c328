#pragma once

/// What there is to tell: the daemon's reports gathered into one snapshot, its events as telemetry.

#include <functional>
#include <optional>

#include "mgmt/command/handlers.h"
#include "mgmt/engine/events.h"
#include "mgmt/runtime/messages.h"
#include "mgmt/telemetry/telemetry.h"

namespace gnomon {

/// Reads the client log in portions, so that a large one does not hold up the loop.
class ClientScan {
public:
    /// Entries that are looked at per call.
    static constexpr std::uint32_t kPortion = 1024;

    /// True when the log has been read to its end: `result()` is new.
    bool advance(command::MonitoringReports& reports, UtcTime now);
    const std::optional<telemetry::ClientsReport>& result() const noexcept { return result_; }

private:
    void add(const command::ClientAccess& client);

    std::uint32_t next_ = 0;
    telemetry::ClientsReport current_;
    std::optional<telemetry::ClientsReport> result_;
};

/// Everything but the loop, the clients and the stream itself.
telemetry::Snapshot gather_snapshot(command::MonitoringReports& reports, UtcTime now);

/// Nothing for what is only of use to log files or debugging.
std::optional<telemetry::Event> telemetry_event(const Event& event,
                                                const std::optional<Message>& message, UtcTime now);
std::optional<telemetry::Measurement> telemetry_measurement(const Event& event);

}  // namespace gnomon
