#include "mgmt/cli/format_dataplane.h"

#include <cmath>

#include <fmt/format.h>

#include "mgmt/cli/text_units.h"

namespace gnomon::cli {

namespace {

using Json = nlohmann::ordered_json;
using command::DataplanePort;
using command::DataplaneWorker;

constexpr double kMedian = 0.5;
constexpr double kHigh = 0.99;
constexpr double kHighest = 0.999;

const char* mode_word(DataplaneMode mode) {
    switch (mode) {
        case DataplaneMode::Automatic: return "automatic";
        case DataplaneMode::Shared: return "shared";
        case DataplaneMode::Exclusive: return "exclusive";
    }
    return "?";
}

/// Who answers what comes in there.
const char* server_word(const DataplanePort& port) {
    if (port.serving) return "port";
    return port.kernel_under ? "kernel" : "none";
}

std::string link_text(const DataplanePort& port) {
    if (!port.link_up) return "down";
    if (port.link_speed_mbps == 0 || port.link_speed_mbps == 0xffff'ffff) return "up";
    return fmt::format("up, {} Mbit/s", port.link_speed_mbps);
}

std::string port_lines(const DataplanePort& port) {
    std::string text;
    const auto line = [&text](const char* label, const std::string& value) {
        text += fmt::format("{:<16}: {}\n", label, value);
    };
    line("Port", port.device);
    line("Driver", port.driver);
    line("Mode", mode_word(port.mode));
    line("Health", to_string(port.health));
    line("Served by", server_word(port));
    line("Link", link_text(port));
    line("Offloads", port.offloads.empty() ? "none" : port.offloads);
    line("Takeovers", std::to_string(port.takeovers));
    line("Missed by device", std::to_string(port.hardware_missed));
    line("Out of buffers", std::to_string(port.no_buffers));
    line("Lost to kernel", std::to_string(port.to_kernel_lost));
    line("Wait before poll", span_text(port.queueing_s));
    return text;
}

constexpr std::string_view kWorkerHeader =
    "Queue Core  Received   Replies  Neighb  Kernel Control Cycles Busy Burst    p50    p99\n"
    "======================================================================================\n";

std::string worker_lines(const DataplaneWorkerView& view) {
    const DataplaneWorker& w = view.worker;
    const std::string core = w.core < 0 ? "-" : std::to_string(w.core);
    std::string text =
        fmt::format("{:>5} {:>4} {:>9} {:>9} {:>7} {:>7} {:>7} {:>6.0f} {:>3.0f}% {:>5.1f} {} {}\n",
                    w.queue, core, w.rx_frames, w.replies, w.neighbour, w.to_kernel, w.forwarded,
                    w.cycles_per_packet, 100.0 * w.busy_share, w.mean_burst,
                    span_text(latency_quantile_s(w.latency_log2_ns, kMedian)),
                    span_text(latency_quantile_s(w.latency_log2_ns, kHigh)));
    text += fmt::format("      Sent {}, failed {}; lost to control {}; polls {}, empty {}\n",
                        w.tx_frames, w.tx_failed, w.forward_lost, w.polls, w.empty_polls);
    text += fmt::format("      Stamps RX: D {} K {} H {}; TX: {}, missed {}\n", w.rx_stamps[0],
                        w.rx_stamps[1], w.rx_stamps[2], w.tx_stamps, w.tx_stamps_missed);
    if (view.drops.empty()) return text;
    text += "      Dropped: ";
    const char* separator = "";
    for (const command::DataplaneDrop& drop : view.drops) {
        text += fmt::format("{}{} {}", separator, drop.reason, drop.count);
        separator = ", ";
    }
    return text + "\n";
}

}  // namespace

double latency_quantile_s(
    const std::array<std::uint64_t, command::kLatencyBuckets>& latency_log2_ns, double share) {
    double total = 0.0;
    for (const std::uint64_t count : latency_log2_ns) total += static_cast<double>(count);
    if (total == 0.0) return 0.0;
    double below = 0.0;
    for (std::size_t i = 0; i < latency_log2_ns.size(); ++i) {
        const auto count = static_cast<double>(latency_log2_ns[i]);
        if (count > 0.0 && below + count >= share * total) {
            const double part = (share * total - below) / count;
            return std::exp2(static_cast<double>(i) + part) * 1e-9;
        }
        below += count;
    }
    return std::exp2(static_cast<double>(latency_log2_ns.size())) * 1e-9;
}

std::string dataplane_text(const DataplanePortView& view) {
    std::string text = port_lines(view.port);
    text += "\n";
    text += kWorkerHeader;
    for (const DataplaneWorkerView& worker : view.workers) text += worker_lines(worker);
    return text;
}

std::vector<std::string> dataplane_csv(const DataplanePortView& view, std::size_t index) {
    const DataplanePort& p = view.port;
    std::vector<std::string> rows;
    rows.push_back(fmt::format("port,{},{},{},{},{},{},{},{},{},{},{},{},{},{:.9f}", index,
                               p.device, p.driver, mode_word(p.mode), to_string(p.health),
                               server_word(p), p.link_up ? 1 : 0, p.link_speed_mbps, p.offloads,
                               p.takeovers, p.hardware_missed, p.no_buffers, p.to_kernel_lost,
                               p.queueing_s));
    for (const DataplaneWorkerView& each : view.workers) {
        const DataplaneWorker& w = each.worker;
        rows.push_back(fmt::format(
            "worker,{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.1f},{:.4f},{:.2f},"
            "{:.9f},{:.9f},{:.9f}",
            index, w.queue, w.core, w.rx_frames, w.tx_frames, w.tx_failed, w.replies, w.neighbour,
            w.to_kernel, w.forwarded, w.forward_lost, w.polls, w.empty_polls, w.rx_stamps[0],
            w.rx_stamps[1], w.rx_stamps[2], w.tx_stamps, w.tx_stamps_missed, w.cycles_per_packet,
            w.busy_share, w.mean_burst, latency_quantile_s(w.latency_log2_ns, kMedian),
            latency_quantile_s(w.latency_log2_ns, kHigh),
            latency_quantile_s(w.latency_log2_ns, kHighest)));
        for (const command::DataplaneDrop& drop : each.drops) {
            rows.push_back(
                fmt::format("drop,{},{},{},{}", index, w.queue, drop.reason, drop.count));
        }
    }
    return rows;
}

Json dataplane_json(const DataplanePortView& view) {
    const DataplanePort& p = view.port;
    Json workers = Json::array();
    for (const DataplaneWorkerView& each : view.workers) {
        const DataplaneWorker& w = each.worker;
        Json drops = Json::object();
        for (const command::DataplaneDrop& drop : each.drops) drops[drop.reason] = drop.count;
        workers.push_back({{"queue", w.queue},
                           {"core", w.core < 0 ? Json() : Json(w.core)},
                           {"rx_frames", w.rx_frames},
                           {"tx_frames", w.tx_frames},
                           {"tx_failed", w.tx_failed},
                           {"replies", w.replies},
                           {"neighbour_answers", w.neighbour},
                           {"to_kernel", w.to_kernel},
                           {"to_control", w.forwarded},
                           {"to_control_lost", w.forward_lost},
                           {"polls", w.polls},
                           {"empty_polls", w.empty_polls},
                           {"rx_daemon_stamps", w.rx_stamps[0]},
                           {"rx_kernel_stamps", w.rx_stamps[1]},
                           {"rx_hardware_stamps", w.rx_stamps[2]},
                           {"tx_stamps", w.tx_stamps},
                           {"tx_stamps_missed", w.tx_stamps_missed},
                           {"cycles_per_packet", w.cycles_per_packet},
                           {"busy_share", w.busy_share},
                           {"mean_burst", w.mean_burst},
                           {"latency_p50_s", latency_quantile_s(w.latency_log2_ns, kMedian)},
                           {"latency_p99_s", latency_quantile_s(w.latency_log2_ns, kHigh)},
                           {"latency_p999_s", latency_quantile_s(w.latency_log2_ns, kHighest)},
                           {"latency_log2_ns", w.latency_log2_ns},
                           {"drops", std::move(drops)}});
    }
    return {{"device", p.device},
            {"driver", p.driver},
            {"mode", mode_word(p.mode)},
            {"health", to_string(p.health)},
            {"served_by", server_word(p)},
            {"link_up", p.link_up},
            {"link_speed_mbps", p.link_speed_mbps},
            {"offloads", p.offloads},
            {"takeovers", p.takeovers},
            {"missed_by_device", p.hardware_missed},
            {"out_of_buffers", p.no_buffers},
            {"lost_to_kernel", p.to_kernel_lost},
            {"wait_before_poll_s", p.queueing_s},
            {"workers", std::move(workers)}};
}

}  // namespace gnomon::cli
