#include "mgmt/mgmtd/json_reports.h"

#include <cmath>

#include <fmt/format.h>

#include "mgmt/mgmtd/words.h"

namespace gnomon::mgmtd {
namespace {

using telemetry::Snapshot;
using telemetry::Source;

Json unix_s(UtcTime t) {
    if (t.is_zero()) return nullptr;
    return static_cast<double>(t.ns()) * 1e-9;
}

Json ago(std::uint32_t seconds) {
    if (seconds == command::kNever) return nullptr;
    return seconds;
}

Json interval(std::int8_t log2_s) {
    if (log2_s == command::ClientAccess::kUnknownInterval) return nullptr;
    return std::ldexp(1.0, log2_s);
}

Json ip(const IpAddress& address) {
    if (address.family() == IpAddress::Family::Unspecified) return nullptr;
    return address.to_string();
}

std::string hex(RefId id) { return fmt::format("{:08X}", id.value); }

Json stamp_source(char letter) {
    switch (letter) {
        case 'D': return "daemon";
        case 'K': return "kernel";
        case 'H': return "hardware";
        default: return nullptr;
    }
}

Json named(const Source& source) {
    return Json{{"address", address_of(source)}, {"name", name_of(source)}};
}

/// `describe(source, object)` adds to the name of every source.
template <typename Describe>
Json each_source(const Snapshot& snapshot, Describe describe) {
    Json list = Json::array();
    for (const Source& source : snapshot.sources) {
        Json object = named(source);
        if (describe(source, object)) list.push_back(std::move(object));
    }
    return list;
}

Json options_json(const command::SelectOptions& o) {
    Json list = Json::array();
    if (o.noselect) list.push_back("noselect");
    if (o.prefer) list.push_back("prefer");
    if (o.trust) list.push_back("trust");
    if (o.require) list.push_back("require");
    return list;
}

template <std::size_t N>
Json histogram_json(const telemetry::BoundedHistogram<N>& h, const std::array<double, N>& bounds) {
    return Json{{"upper_bounds", bounds}, {"counts", h.counts}, {"sum", h.sum}};
}

Json latency_json(const telemetry::LatencyHistogram& h, std::uint64_t longest_ns) {
    Json bounds = Json::array();
    for (std::size_t i = 0; i + 1 < telemetry::LatencyHistogram::kBuckets; ++i) {
        bounds.push_back(telemetry::LatencyHistogram::bound_s(i));
    }
    return Json{{"upper_bounds_s", bounds},
                {"counts", h.counts},
                {"sum_s", static_cast<double>(h.total_ns) * 1e-9},
                {"count", h.count},
                {"longest_s", static_cast<double>(longest_ns) * 1e-9}};
}

Json client_json(const command::ClientAccess& c) {
    return Json{{"address", c.address.to_string()},
                {"ntp_packets", c.ntp_hits},
                {"ntp_dropped", c.ntp_drops},
                {"ntp_interval_s", interval(c.ntp_interval)},
                {"ntp_limited_interval_s", interval(c.ntp_limited_interval)},
                {"ntp_last_ago_s", ago(c.last_ntp_hit_ago_s)},
                {"nke_connections", c.nke_hits},
                {"nke_dropped", c.nke_drops},
                {"command_packets", c.cmd_hits},
                {"command_dropped", c.cmd_drops}};
}

}  // namespace

Json state_json(const Snapshot& snapshot) {
    const command::StateReport& s = snapshot.state;
    Json bound = nullptr;
    Json growth = nullptr;
    Json breach = nullptr;
    if (s.bound_known) {
        bound = s.bound_s;
        growth = s.bound_growth_ppm;
        if (s.breach_in_s >= 0.0) breach = s.breach_in_s;
    }
    return Json{{"state", to_string(s.kind)},
                {"in_spec", s.in_spec},
                {"reason", to_string(s.reason)},
                {"explanation", explain(s.reason)},
                {"since_s", unix_s(s.since)},
                {"since_ago_s", s.since_ago_s},
                {"bound_s", bound},
                {"bound_growth_ppm", growth},
                {"limit_s", s.limit_s},
                {"breach_in_s", breach},
                {"steers", snapshot.steers}};
}

Json tracking_json(const Snapshot& snapshot) {
    const command::TrackingReport& t = snapshot.tracking;
    return Json{{"reference_id", hex(t.ref_id)},
                {"address", tracking_address(snapshot)},
                {"name", tracking_name(snapshot)},
                {"stratum", t.stratum},
                {"leap", leap_word(t.leap)},
                {"reference_time_s", unix_s(t.reference_time)},
                {"system_offset_s", t.system_offset_s},
                {"last_offset_s", t.last_offset_s},
                {"rms_offset_s", t.rms_offset_s},
                {"frequency_ppm", t.frequency_ppm},
                {"residual_frequency_ppm", t.residual_frequency_ppm},
                {"skew_ppm", t.skew_ppm},
                {"root_delay_s", t.root_delay_s},
                {"root_dispersion_s", t.root_dispersion_s},
                {"update_interval_s", t.update_interval_s}};
}

Json sources_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        const command::SourceReport& s = source.source;
        out["mode"] = exporter_mode(s.mode);
        out["state"] = selection_word(source.select.state);
        out["letter"] = std::string(1, source.select.state);
        out["resolved"] = s.address.family() != IpAddress::Family::Id;
        out["stratum"] = s.stratum;
        out["poll_s"] = std::ldexp(1.0, s.poll);
        out["reach"] = s.reach;
        out["last_sample_ago_s"] = ago(s.last_sample_ago_s);
        out["offset_s"] = s.adjusted_offset_s;
        out["measured_offset_s"] = s.measured_offset_s;
        out["error_s"] = s.error_s;
        return true;
    });
}

Json sourcestats_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        const command::SourceStatsReport& s = source.stats;
        out["reference_id"] = hex(s.ref_id);
        out["samples"] = s.samples;
        out["runs"] = s.runs;
        out["span_s"] = s.span_s;
        out["residual_frequency_ppm"] = s.residual_frequency_ppm;
        out["skew_ppm"] = s.skew_ppm;
        out["offset_s"] = s.offset_s;
        out["offset_error_s"] = s.offset_error_s;
        out["stddev_s"] = s.standard_deviation_s;
        return true;
    });
}

Json ntpdata_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        if (!source.ntp) return false;
        const command::NtpReport& n = *source.ntp;
        out["remote_port"] = n.remote_port;
        out["local_address"] = ip(n.local_address);
        out["leap"] = leap_word(n.leap);
        out["version"] = n.version;
        out["mode"] = n.mode;
        out["stratum"] = n.stratum;
        out["poll_log2_s"] = n.poll;
        out["precision_log2_s"] = n.precision;
        out["root_delay_s"] = n.root_delay_s;
        out["root_dispersion_s"] = n.root_dispersion_s;
        out["reference_id"] = hex(n.ref_id);
        out["reference_time_s"] = unix_s(n.reference_time);
        out["offset_s"] = n.offset_s;
        out["delay_s"] = n.peer_delay_s;
        out["dispersion_s"] = n.peer_dispersion_s;
        out["response_time_s"] = n.response_time_s;
        out["jitter_asymmetry"] = n.jitter_asymmetry;
        out["tests"] = fmt::format("{:010b}", n.tests & 0x3ff);
        out["interleaved"] = n.interleaved;
        out["authenticated"] = n.authenticated;
        out["tx_timestamp"] = stamp_source(n.tx_timestamp_source);
        out["rx_timestamp"] = stamp_source(n.rx_timestamp_source);
        out["sent"] = n.total_tx;
        out["received"] = n.total_rx;
        out["valid"] = n.total_valid_rx;
        out["good"] = n.total_good_rx;
        out["kernel_tx_timestamps"] = n.total_kernel_tx_timestamps;
        out["kernel_rx_timestamps"] = n.total_kernel_rx_timestamps;
        out["hardware_tx_timestamps"] = n.total_hardware_tx_timestamps;
        out["hardware_rx_timestamps"] = n.total_hardware_rx_timestamps;
        return true;
    });
}

Json selection_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        const command::SelectReport& s = source.select;
        out["state"] = selection_word(s.state);
        out["letter"] = std::string(1, s.state);
        out["explanation"] = selection_text(s.state);
        out["authenticated"] = s.authenticated;
        out["leap"] = leap_word(s.leap);
        out["configured_options"] = options_json(s.configured);
        out["effective_options"] = options_json(s.effective);
        out["last_sample_ago_s"] = ago(s.last_sample_ago_s);
        out["score"] = s.score;
        out["offset_low_s"] = s.offset_low_s;
        out["offset_high_s"] = s.offset_high_s;
        return true;
    });
}

Json servos_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        Json list = Json::array();
        for (const command::ServoReport& s : source.servos.servos) {
            list.push_back(Json{{"servo", s.name},
                                {"steers", list.empty()},
                                {"known", s.known},
                                {"offset_s", s.offset_s},
                                {"offset_sd_s", s.offset_sd_s},
                                {"frequency_ppm", s.frequency_ppm},
                                {"frequency_sd_ppm", s.frequency_sd_ppm},
                                {"predictions", s.predictions},
                                {"prediction_error_s", s.prediction_error_s}});
        }
        out["servos"] = std::move(list);
        return true;
    });
}

Json auth_json(const Snapshot& snapshot) {
    return each_source(snapshot, [](const Source& source, Json& out) {
        if (!source.auth) return false;
        const command::AuthReport& a = *source.auth;
        const char* const modes[] = {"none", "symmetric", "nts"};
        const auto mode = static_cast<std::size_t>(a.mode);
        out["mode"] = mode < std::size(modes) ? modes[mode] : "unknown";
        out["key_id"] = a.key_id;
        out["key_length_bits"] = a.key_length_bits;
        out["key_exchange_attempts"] = a.ke_attempts;
        out["last_key_exchange_ago_s"] = ago(a.last_ke_ago_s);
        out["cookies"] = a.cookies;
        out["nak"] = a.nak != 0;
        return true;
    });
}

Json serverstats_json(const Snapshot& snapshot) {
    const command::ServerStatsReport& s = snapshot.server;
    return Json{{"ntp_packets_received", s.ntp_hits},
                {"ntp_packets_dropped", s.ntp_drops},
                {"command_packets_received", s.cmd_hits},
                {"command_packets_dropped", s.cmd_drops},
                {"client_log_records_dropped", s.log_drops},
                {"nts_ke_connections_accepted", s.nke_hits},
                {"nts_ke_connections_dropped", s.nke_drops},
                {"authenticated_ntp_packets", s.ntp_auth_hits},
                {"interleaved_ntp_packets", s.ntp_interleaved_hits},
                {"ntp_timestamps_held", s.ntp_timestamps},
                {"ntp_timestamp_span_s", s.ntp_span_s},
                {"daemon_rx_timestamps", s.ntp_daemon_rx_timestamps},
                {"daemon_tx_timestamps", s.ntp_daemon_tx_timestamps},
                {"kernel_rx_timestamps", s.ntp_kernel_rx_timestamps},
                {"kernel_tx_timestamps", s.ntp_kernel_tx_timestamps},
                {"hardware_rx_timestamps", s.ntp_hardware_rx_timestamps},
                {"hardware_tx_timestamps", s.ntp_hardware_tx_timestamps}};
}

Json activity_json(const Snapshot& snapshot) {
    const command::ActivityReport& a = snapshot.activity;
    return Json{{"online", a.online},
                {"offline", a.offline},
                {"burst_online", a.burst_online},
                {"burst_offline", a.burst_offline},
                {"unresolved", a.unresolved}};
}

Json clients_json(const Snapshot& snapshot) {
    if (!snapshot.clients) return nullptr;
    const telemetry::ClientsReport& c = *snapshot.clients;
    Json talkers = Json::array();
    for (const command::ClientAccess& client : c.talkers) talkers.push_back(client_json(client));
    return Json{{"at_s", unix_s(c.at)},
                {"ntp_clients", c.ntp_clients},
                {"nts_clients", c.nts_clients},
                {"command_clients", c.command_clients},
                {"last_hit_s", histogram_json(c.last_hit_s, telemetry::kClientSecondsBounds)},
                {"interval_s", histogram_json(c.interval_s, telemetry::kClientSecondsBounds)},
                {"drops", histogram_json(c.drops, telemetry::kClientDropsBounds)},
                {"talkers", talkers}};
}

Json rtc_json(const Snapshot& snapshot) {
    if (!snapshot.rtc) return nullptr;
    const command::RtcReport& r = *snapshot.rtc;
    return Json{{"reference_time_s", unix_s(r.reference_time)},
                {"samples", r.samples},
                {"runs", r.runs},
                {"span_s", r.span_s},
                {"fast_s", r.rtc_fast_s},
                {"gain_ppm", r.rtc_gain_rate_ppm}};
}

Json smoothing_json(const Snapshot& snapshot) {
    if (!snapshot.smoothing) return nullptr;
    const command::SmoothingReport& s = *snapshot.smoothing;
    return Json{{"active", s.active},
                {"leap_only", s.leap_only},
                {"offset_s", s.offset_s},
                {"frequency_ppm", s.frequency_ppm},
                {"wander_ppm_per_s", s.wander_ppm_per_s},
                {"last_update_ago_s", s.last_update_ago_s},
                {"remaining_s", s.remaining_s}};
}

Json loop_json(const Snapshot& snapshot) {
    return Json{{"busy", latency_json(snapshot.loop.busy, snapshot.loop.longest_busy_ns)},
                {"late", latency_json(snapshot.loop.late, snapshot.loop.longest_late_ns)}};
}

Json stream_json(const Snapshot& snapshot) {
    const telemetry::StreamReport& s = snapshot.stream;
    return Json{{"readers", s.readers},
                {"frames_sent", s.frames_sent},
                {"frames_dropped", s.frames_dropped},
                {"readers_dropped", s.readers_dropped},
                {"readers_refused", s.readers_refused}};
}

Json daemon_json(const Model& model, MonoClock::time_point now) {
    std::string why;
    const bool ready = model.is_ready(now, why);
    Json out{{"connected", model.is_connected()},
             {"fresh", model.is_fresh(now)},
             {"ready", ready},
             {"ready_reason", why},
             {"last_snapshot_ago_s", nullptr},
             {"program", nullptr},
             {"version", nullptr},
             {"pid", nullptr},
             {"started_s", nullptr}};
    if (model.snapshot() != nullptr) out["last_snapshot_ago_s"] = model.snapshot_age_s(now);
    if (const auto& hello = model.hello()) {
        out["program"] = hello->program;
        out["version"] = hello->version;
        out["pid"] = hello->pid;
        out["started_s"] = unix_s(hello->started);
    }
    return out;
}

Json event_json(const StoredEvent& stored) {
    const telemetry::Event& e = stored.event;
    Json source = nullptr;
    if (!e.source.empty()) source = e.source;
    return Json{{"id", stored.id},  {"at_s", unix_s(e.at)},
                {"kind", e.kind},   {"severity", severity_word(e.severity)},
                {"source", source}, {"text", e.text},
                {"value", e.value}};
}

Json measurement_json(const telemetry::Measurement& m) {
    return Json{{"at_s", unix_s(m.at)},           {"source", m.source},
                {"offset_s", m.offset_s},         {"delay_s", m.delay_s},
                {"dispersion_s", m.dispersion_s}, {"valid", m.valid}};
}

Json snapshot_json(const Snapshot& snapshot) {
    return Json{{"number", snapshot.number},
                {"at_s", unix_s(snapshot.at)},
                {"state", state_json(snapshot)},
                {"tracking", tracking_json(snapshot)},
                {"sources", sources_json(snapshot)},
                {"sourcestats", sourcestats_json(snapshot)},
                {"ntpdata", ntpdata_json(snapshot)},
                {"selection", selection_json(snapshot)},
                {"servos", servos_json(snapshot)},
                {"authdata", auth_json(snapshot)},
                {"serverstats", serverstats_json(snapshot)},
                {"activity", activity_json(snapshot)},
                {"clients", clients_json(snapshot)},
                {"rtc", rtc_json(snapshot)},
                {"smoothing", smoothing_json(snapshot)},
                {"loop", loop_json(snapshot)},
                {"stream", stream_json(snapshot)}};
}

std::string to_text(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gnomon::mgmtd
