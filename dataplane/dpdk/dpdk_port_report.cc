#include <fmt/format.h>

#include <algorithm>

#include "dataplane/capture/capture_tap.h"
#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/dpdk/dpdk_port.h"

namespace gnomon {

namespace {

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void DpdkPort::measure_load() {
    const std::uint64_t now = read_cycles();
    for (WorkerThread& thread : workers_) {
        const std::uint64_t busy = thread.worker->counters().busy_cycles.get();
        if (thread.cycles_before != 0) {
            thread.busy_share = ratio(busy - thread.busy_before, now - thread.cycles_before);
        }
        thread.busy_before = busy;
        thread.cycles_before = now;
    }
}

DataplanePortReport DpdkPort::report() const {
    DataplanePortReport report;
    report.device = config_.device;
    report.driver = nic_->driver();
    report.mode = spec_.mode;
    report.health = supervisor_.health();
    report.takeovers = supervisor_.takeovers();
    const NicLink link = nic_->link();
    report.link_up = link.up;
    report.link_speed_mbps = link.speed_mbps;
    report.offloads = nic_->capabilities().offloads;
    const NicCounters counters = nic_->counters();
    report.hardware_missed = counters.missed;
    report.no_buffers = counters.no_buffers;
    for (unsigned queue = 0; queue < workers_.size(); ++queue) {
        const WorkerCounters& worker = workers_[queue].worker->counters();
        report.workers.push_back(this->report(workers_[queue], queue));
        report.to_kernel_lost += worker.to_kernel_lost.get();
        report.queueing_s =
            std::max(report.queueing_s, worker.queueing_ns.load(std::memory_order_relaxed) * 1e-9);
    }
    return report;
}

DataplaneWorkerReport DpdkPort::report(const WorkerThread& thread, unsigned queue) const {
    const WorkerCounters& worker = thread.worker->counters();
    const FrameCounters& frames = thread.worker->server().counters();
    const ServerCounters& packets = thread.worker->server().responder().counters();
    DataplaneWorkerReport report;
    report.queue = queue;
    report.core = thread.core;
    report.polls = worker.turns.get();
    report.empty_polls = worker.empty_turns.get();
    report.rx_frames = worker.rx_frames.get();
    report.tx_frames = worker.tx_frames.get();
    report.tx_failed = worker.tx_failed.get();
    report.replies = frames.replies.get();
    report.neighbour =
        frames.arp_answers.get() + frames.nd_answers.get() + frames.echo_answers.get();
    report.to_kernel = frames.to_kernel.get();
    report.forwarded = worker.forwarded.get();
    report.forward_lost = worker.forward_lost.get();
    for (std::size_t i = 0; i < kTimestampSources; ++i) {
        report.rx_stamps[i] = worker.rx_stamps[i].get();
    }
    report.tx_stamps = worker.tx_stamps.get();
    report.tx_stamps_missed = worker.tx_stamps_missed.get();
    for (std::size_t i = 0; i < frames.drops.size(); ++i) {
        const auto reason = static_cast<FrameDrop>(i);
        // What the responder refused is told by its own reasons.
        if (reason == FrameDrop::Refused || frames.drops[i].get() == 0) continue;
        report.drops.emplace_back(to_string(reason), frames.drops[i].get());
    }
    for (std::size_t i = 0; i < packets.drops.size(); ++i) {
        if (packets.drops[i].get() == 0) continue;
        report.drops.emplace_back(to_string(static_cast<Drop>(i)), packets.drops[i].get());
    }
    if (const std::uint64_t count = worker.not_taken.get(); count != 0) {
        report.drops.emplace_back("not-taken", count);
    }
    report.cycles_per_packet = ratio(worker.busy_cycles.get(), worker.rx_frames.get());
    for (std::size_t i = 0; i < kWorkerStages; ++i) {
        report.stage_cycles[i] = ratio(worker.stage_cycles[i].get(), worker.rx_frames.get());
    }
    report.busy_share = thread.busy_share;
    report.mean_burst = ratio(worker.rx_frames.get(), worker.bursts.get());
    for (std::size_t i = 0; i < report.latency_log2_ns.size(); ++i) {
        report.latency_log2_ns[i] = worker.latency_log2_ns[i].get();
    }
    return report;
}

void DpdkPort::attach(CaptureTaps& taps) {
    for (unsigned queue = 0; queue < workers_.size(); ++queue) {
        workers_[queue].worker->set_tap(taps.tap(fmt::format("{}/{}", config_.device, queue),
                                                 nic_->driver(), CaptureLink::Ethernet));
    }
}

}  // namespace gnomon
