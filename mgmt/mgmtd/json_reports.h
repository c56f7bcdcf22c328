#pragma once

/// Reports as JSON, the vocabulary of /api/v1 (openapi.json describes it; a test compares them). Keys
/// name their units; signs are those of mgmt/command/reports.h; what is not known is null.

#include <nlohmann/json.hpp>

#include "mgmt/mgmtd/model.h"
#include "mgmt/telemetry/telemetry.h"

namespace gnomon::mgmtd {

using Json = nlohmann::ordered_json;

Json state_json(const telemetry::Snapshot& snapshot);
Json tracking_json(const telemetry::Snapshot& snapshot);
Json sources_json(const telemetry::Snapshot& snapshot);
Json sourcestats_json(const telemetry::Snapshot& snapshot);
Json ntpdata_json(const telemetry::Snapshot& snapshot);
Json selection_json(const telemetry::Snapshot& snapshot);
Json servos_json(const telemetry::Snapshot& snapshot);
Json auth_json(const telemetry::Snapshot& snapshot);
Json serverstats_json(const telemetry::Snapshot& snapshot);
Json activity_json(const telemetry::Snapshot& snapshot);
/// Null when clients are not logged, or have not been counted yet.
Json clients_json(const telemetry::Snapshot& snapshot);
Json rtc_json(const telemetry::Snapshot& snapshot);
Json smoothing_json(const telemetry::Snapshot& snapshot);
Json loop_json(const telemetry::Snapshot& snapshot);
Json stream_json(const telemetry::Snapshot& snapshot);
Json daemon_json(const Model& model, MonoClock::time_point now);
Json event_json(const StoredEvent& event);
Json measurement_json(const telemetry::Measurement& measurement);

/// All of the above that belong to one second.
Json snapshot_json(const telemetry::Snapshot& snapshot);

/// Compact; bytes that are no UTF-8 are replaced, numbers that are none are null.
std::string to_text(const Json& json);

}  // namespace gnomon::mgmtd
