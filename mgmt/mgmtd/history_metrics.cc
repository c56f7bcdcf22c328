#include "mgmt/mgmtd/history_metrics.h"

#include <limits>

#include "mgmt/mgmtd/history.h"
#include "mgmt/mgmtd/words.h"

namespace gnomon::mgmtd {
namespace {

using telemetry::Snapshot;
using telemetry::Source;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

struct ClockMetric {
    std::string_view name;
    double (*value)(const Snapshot& s);
};

// clang-format off
constexpr ClockMetric kClock[] = {
    {"bound", [](const Snapshot& s) { return s.state.bound_known ? s.state.bound_s : kNothing; }},
    {"state", [](const Snapshot& s) { return static_cast<double>(s.state.kind); }},
    {"system_offset", [](const Snapshot& s) { return s.tracking.system_offset_s; }},
    {"last_offset", [](const Snapshot& s) { return s.tracking.last_offset_s; }},
    {"rms_offset", [](const Snapshot& s) { return s.tracking.rms_offset_s; }},
    {"frequency", [](const Snapshot& s) { return s.tracking.frequency_ppm; }},
    {"residual_frequency", [](const Snapshot& s) { return s.tracking.residual_frequency_ppm; }},
    {"skew", [](const Snapshot& s) { return s.tracking.skew_ppm; }},
    {"root_delay", [](const Snapshot& s) { return s.tracking.root_delay_s; }},
    {"root_dispersion", [](const Snapshot& s) { return s.tracking.root_dispersion_s; }},
    {"loop_busy", [](const Snapshot& s) { return static_cast<double>(s.loop.longest_busy_ns) * 1e-9; }},
    {"loop_late", [](const Snapshot& s) { return static_cast<double>(s.loop.longest_late_ns) * 1e-9; }},
};
// clang-format on
constexpr std::string_view kRates[] = {"ntp_rate", "ntp_drop_rate"};

struct SourceMetric {
    std::string_view name;
    double (*value)(const Source& s);
};

constexpr SourceMetric kSource[] = {
    {"source.offset",
     [](const Source& s) { return s.stats.samples > 0 ? s.stats.offset_s : kNothing; }},
    {"source.sample",
     [](const Source& s) {
         // Only while it is new: a line through an old sample would say that it was measured again.
         return s.source.last_sample_ago_s <= 1 ? s.source.measured_offset_s : kNothing;
     }},
    {"source.stddev",
     [](const Source& s) { return s.stats.samples > 0 ? s.stats.standard_deviation_s : kNothing; }},
    {"source.frequency",
     [](const Source& s) {
         return s.stats.samples > 0 ? s.stats.residual_frequency_ppm : kNothing;
     }},
    {"source.skew",
     [](const Source& s) { return s.stats.samples > 0 ? s.stats.skew_ppm : kNothing; }},
    {"source.delay",
     [](const Source& s) {
         return s.ntp && s.ntp->total_valid_rx > 0 ? s.ntp->peer_delay_s : kNothing;
     }},
    {"source.reach", [](const Source& s) { return static_cast<double>(s.source.reach); }},
};

}  // namespace

bool is_history_metric(std::string_view name) {
    for (const ClockMetric& metric : kClock) {
        if (metric.name == name) return true;
    }
    for (const std::string_view rate : kRates) {
        if (rate == name) return true;
    }
    for (const SourceMetric& metric : kSource) {
        if (metric.name == name) return true;
    }
    return false;
}

std::string history_metric_list() {
    std::string list;
    const auto add = [&list](std::string_view name) {
        if (!list.empty()) list += ", ";
        list += name;
    };
    for (const ClockMetric& metric : kClock) add(metric.name);
    for (const std::string_view rate : kRates) add(rate);
    for (const SourceMetric& metric : kSource) add(metric.name);
    return list;
}

Rates RateMeter::update(const Snapshot& snapshot) {
    Rates rates;
    const command::ServerStatsReport& now = snapshot.server;
    // Counters that went back belong to another run.
    if (at_ && snapshot.mono > *at_ && now.ntp_hits >= hits_ && now.ntp_drops >= drops_) {
        const double elapsed_s = (snapshot.mono - *at_).to_seconds();
        rates.ntp_per_s = static_cast<double>(now.ntp_hits - hits_) / elapsed_s;
        rates.ntp_drops_per_s = static_cast<double>(now.ntp_drops - drops_) / elapsed_s;
    }
    at_ = snapshot.mono;
    hits_ = now.ntp_hits;
    drops_ = now.ntp_drops;
    return rates;
}

void for_each_sample(const Snapshot& snapshot, const Rates& rates, const UseSample& use) {
    static const std::string kClockItself;
    for (const ClockMetric& metric : kClock) use(metric.name, kClockItself, metric.value(snapshot));
    use(kRates[0], kClockItself, rates.ntp_per_s.value_or(kNothing));
    use(kRates[1], kClockItself, rates.ntp_drops_per_s.value_or(kNothing));
    for (const Source& source : snapshot.sources) {
        // Of a name that has no address yet there is nothing to remember.
        if (source.source.address.family() == IpAddress::Family::Id) continue;
        const std::string address = address_of(source);
        for (const SourceMetric& metric : kSource) use(metric.name, address, metric.value(source));
    }
}

}  // namespace gnomon::mgmtd
