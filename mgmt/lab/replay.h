#pragma once

/// Runs a capture through the responder that serves the sockets, with the access rules, rate limits
/// and keys of a configuration. The same capture gives the same counts every time.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "dataplane/capture/replay_port.h"
#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/server_tables.h"

namespace gnomon {

struct ReplaySetup {
    ServerTables tables;
    ClientLogConfig log;
    std::uint16_t port = 123;
    std::size_t burst = 32;  ///< 1…64
    std::uint64_t seed = 1;
    /// Called with the time of each burst before it is answered: to keep a pace; may be empty.
    std::function<void(SystemTime)> pace;
    std::function<void(const UdpPacket& reply, const Stamp& stamp)> on_reply;
};

struct ReplayResult {
    ReplayPort::Counts port;
    ServerStats server;
    std::uint64_t authenticated = 0;
    std::uint64_t interleaved = 0;
    AnalyticsSnapshot analytics;
    SystemTime first;
    SystemTime last;
    /// Median over bursts of what a request took in the responder, ns; 0 without requests. The only
    /// figure that differs between two runs.
    double ns_per_request = 0.0;
    std::optional<CaptureFileError> error;
};

ReplayResult replay(CaptureFile file, const ReplaySetup& setup);

}  // namespace gnomon
