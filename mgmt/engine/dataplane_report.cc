#include "mgmt/engine/dataplane_report.h"

#include <algorithm>

namespace gnomon {
namespace {

using command::DataplanePart;
using command::Status;

command::DataplanePort port_of(const PolledPortState& state) {
    const DataplanePortReport& from = state.report;
    command::DataplanePort port;
    port.device = from.device;
    port.driver = from.driver;
    port.offloads = from.offloads;
    port.mode = from.mode;
    port.health = from.health;
    port.link_up = from.link_up;
    port.serving = state.serving;
    port.kernel_under = state.kernel_under;
    port.link_speed_mbps = from.link_speed_mbps;
    port.hardware_missed = from.hardware_missed;
    port.no_buffers = from.no_buffers;
    port.to_kernel_lost = from.to_kernel_lost;
    port.takeovers = from.takeovers;
    port.queueing_s = from.queueing_s;
    return port;
}

command::DataplaneWorker worker_of(const DataplaneWorkerReport& from) {
    command::DataplaneWorker worker;
    worker.queue = from.queue;
    worker.core = from.core;
    worker.polls = from.polls;
    worker.empty_polls = from.empty_polls;
    worker.rx_frames = from.rx_frames;
    worker.tx_frames = from.tx_frames;
    worker.tx_failed = from.tx_failed;
    worker.replies = from.replies;
    worker.neighbour = from.neighbour;
    worker.to_kernel = from.to_kernel;
    worker.forwarded = from.forwarded;
    worker.forward_lost = from.forward_lost;
    worker.rx_stamps = from.rx_stamps;
    worker.tx_stamps = from.tx_stamps;
    worker.tx_stamps_missed = from.tx_stamps_missed;
    worker.cycles_per_packet = from.cycles_per_packet;
    worker.busy_share = from.busy_share;
    worker.mean_burst = from.mean_burst;
    worker.latency_log2_ns = from.latency_log2_ns;
    return worker;
}

}  // namespace

command::ReportResult<command::DataplaneReport> dataplane_report(
    const std::vector<PolledPortState>& ports, const command::DataplaneQuery& query) {
    if (query.port >= ports.size()) return Unexpected(Status::Invalid);
    const PolledPortState& port = ports[query.port];
    const auto& workers = port.report.workers;
    command::DataplaneReport report;
    report.part = query.part;
    report.ports = static_cast<std::uint32_t>(ports.size());
    report.workers = static_cast<std::uint32_t>(workers.size());
    if (query.part == DataplanePart::Port) {
        report.port = port_of(port);
        return report;
    }
    if (query.worker >= workers.size()) return Unexpected(Status::Invalid);
    const DataplaneWorkerReport& worker = workers[query.worker];
    report.drops = static_cast<std::uint32_t>(worker.drops.size());
    if (query.part == DataplanePart::Worker) {
        report.worker = worker_of(worker);
        return report;
    }
    if (query.part != DataplanePart::Drops) return Unexpected(Status::Invalid);
    const std::size_t first = std::min<std::size_t>(query.first, worker.drops.size());
    const std::size_t last = std::min(first + command::kMaxDropsPerReply, worker.drops.size());
    for (std::size_t i = first; i < last; ++i) {
        report.dropped.push_back({worker.drops[i].first, worker.drops[i].second});
    }
    return report;
}

}  // namespace gnomon
