#pragma once

/// What responders saw of their clients, as reports of the command protocol.

#include "dataplane/proto/client_analytics.h"
#include "mgmt/command/reports.h"

namespace gnomon {

command::TopClient to_report(const HeavyClient& heavy);
/// The page that begins at the `first`th client.
command::TopReport to_top_report(const AnalyticsSnapshot& snapshot, std::size_t first);
/// Without the measured intervals, which are the client log's.
command::AnalyticsReport to_report(const AnalyticsSnapshot& snapshot);

}  // namespace gnomon
