#pragma once

/// `gnomonc dataplane`: the state of polled ports for people, as CSV and as JSON. Pure functions.

#include <string>
#include <vector>

#include "mgmt/cli/record.h"
#include "mgmt/command/reports.h"

namespace gnomon::cli {

struct DataplaneWorkerView {
    command::DataplaneWorker worker;
    std::vector<command::DataplaneDrop> drops;
};

/// A port with its workers, put together again.
struct DataplanePortView {
    command::DataplanePort port;
    std::vector<DataplaneWorkerView> workers;
};

/// What `share` of the packets did not exceed, s; 0 without packets. Within a bucket logarithmically.
double latency_quantile_s(
    const std::array<std::uint64_t, command::kLatencyBuckets>& latency_log2_ns, double share);

/// One port as lines and a table of its workers.
std::string dataplane_text(const DataplanePortView& view);
/// Rows beginning with "port", "worker" or "drop" and the number of the port.
std::vector<std::string> dataplane_csv(const DataplanePortView& view, std::size_t index);
nlohmann::ordered_json dataplane_json(const DataplanePortView& view);

}  // namespace gnomon::cli
