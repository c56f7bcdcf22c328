#include "mgmt/mgmtd/metrics.h"

#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mgmt/mgmtd/words.h"

namespace gnomon::mgmtd {
namespace {

using telemetry::Snapshot;
using telemetry::Source;
using Type = Exposition::Type;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double unix_s(UtcTime t) { return static_cast<double>(t.ns()) * 1e-9; }

/// One family with a sample for each source; `value` returns nothing for those it does not apply to.
template <typename Value>
void per_source(Exposition& out, std::string_view name, std::string_view help,
                const Snapshot& snapshot, Value value, Type type = Type::Gauge) {
    out.family(name, type, help);
    for (const Source& source : snapshot.sources) {
        const std::optional<double> v = value(source);
        if (!v) continue;
        out.sample(*v, {{"source_address", address_of(source)}, {"source_name", name_of(source)}});
    }
}

void gauge(Exposition& out, std::string_view name, std::string_view help, double value) {
    out.family(name, Type::Gauge, help);
    out.sample(value);
}
void counter(Exposition& out, std::string_view name, std::string_view help, std::uint64_t value) {
    out.family(name, Type::Counter, help);
    out.sample(value);
}

// --- chrony_exporter's. Its values are those of the command protocol: some of our signs are the other
// way round there (mgmt/command/reports.h, "wire: negated").

void chrony_tracking(Exposition& out, const Snapshot& s) {
    const command::TrackingReport& t = s.tracking;
    const std::string address = tracking_address(s);
    const std::string refid = fmt::format("{:08X}", t.ref_id.value);
    const bool local = t.ref_id == RefId::local();
    out.family("chrony_tracking_info", Type::Gauge, "Chrony tracking info");
    out.sample(1.0, {{"tracking_address", local ? "127.127.1.1" : address},
                     {"tracking_name", local ? "127.127.1.1" : tracking_name(s)},
                     {"tracking_refid", refid}});
    gauge(out, "chrony_tracking_last_offset_seconds", "Offset at the last update of the clock",
          -t.last_offset_s);
    gauge(out, "chrony_tracking_reference_timestamp_seconds", "Time of the last update (Unix)",
          unix_s(t.reference_time));
    gauge(out, "chrony_tracking_system_time_seconds",
          "What remains to be corrected; positive: the system clock is slow", t.system_offset_s);
    gauge(out, "chrony_tracking_remote_reference", "Synchronised to somebody else",
          local ? 0.0 : 1.0);
    gauge(out, "chrony_tracking_rms_offset_seconds", "Long-term average of the offset",
          t.rms_offset_s);
    gauge(out, "chrony_tracking_root_delay_seconds", "Delay to the primary reference",
          t.root_delay_s);
    gauge(out, "chrony_tracking_root_dispersion_seconds", "Dispersion to the primary reference",
          t.root_dispersion_s);
    gauge(out, "chrony_tracking_frequency_ppms",
          "Frequency error of the uncorrected clock, ppm; positive: fast", t.frequency_ppm);
    gauge(out, "chrony_tracking_residual_frequency_ppms", "Residual frequency, ppm",
          t.residual_frequency_ppm);
    gauge(out, "chrony_tracking_skew_ppms", "Error bound of the frequency, ppm", t.skew_ppm);
    gauge(out, "chrony_tracking_update_interval_seconds", "Time between the last two updates",
          t.update_interval_s);
    gauge(out, "chrony_tracking_stratum", "Stratum", t.stratum);
}

bool is_resolved(const Source& s) { return s.source.address.family() != IpAddress::Family::Id; }

void chrony_sources(Exposition& out, const Snapshot& snapshot) {
    // Without an address there is nothing to be told about but in sourcestats.
    const auto family = [&](std::string_view name, std::string_view help, auto value) {
        per_source(out, name, help, snapshot, [&](const Source& s) {
            return is_resolved(s) ? std::optional<double>(value(s)) : std::nullopt;
        });
    };
    family("chrony_sources_last_sample_age_seconds", "Age of the last good sample",
           [](const Source& s) { return static_cast<double>(s.source.last_sample_ago_s); });
    family("chrony_sources_reachability_ratio", "Part of the last eight polls that were answered",
           [](const Source& s) { return std::popcount(s.source.reach) / 8.0; });
    family("chrony_sources_reachability_success", "The last poll was answered",
           [](const Source& s) { return static_cast<double>(s.source.reach & 1); });
    family("chrony_sources_last_sample_offset_seconds", "Offset of the last sample",
           [](const Source& s) { return -s.source.adjusted_offset_s; });
    family("chrony_sources_last_sample_error_margin_seconds", "Margin of error of the last sample",
           [](const Source& s) { return s.source.error_s; });
    family("chrony_sources_polling_interval_seconds", "Polling interval",
           [](const Source& s) { return std::ldexp(1.0, s.source.poll); });
    out.family("chrony_sources_state_info", Type::Gauge, "State and mode of the source");
    for (const Source& s : snapshot.sources) {
        if (!is_resolved(s)) continue;
        out.sample(1.0, {{"source_address", address_of(s)},
                         {"source_name", name_of(s)},
                         {"source_state", exporter_state(s.source.state)},
                         {"source_mode", exporter_mode(s.source.mode)}});
    }
    family("chrony_sources_stratum", "Stratum of the source",
           [](const Source& s) { return static_cast<double>(s.source.stratum); });
}

void chrony_ntpdata(Exposition& out, const Snapshot& snapshot) {
    const auto family = [&](std::string_view name, std::string_view help, auto value) {
        per_source(out, name, help, snapshot, [&](const Source& s) {
            return is_resolved(s) && s.ntp ? std::optional<double>(value(*s.ntp)) : std::nullopt;
        });
    };
    using Ntp = command::NtpReport;
    family("chrony_sources_peer_offset_seconds", "Offset of the last valid measurement",
           [](const Ntp& n) { return n.offset_s; });
    family("chrony_sources_peer_delay_seconds", "Delay of the last valid measurement",
           [](const Ntp& n) { return n.peer_delay_s; });
    family("chrony_sources_peer_dispersion_seconds", "Dispersion of the last valid measurement",
           [](const Ntp& n) { return n.peer_dispersion_s; });
    family("chrony_sources_peer_response_time_seconds", "Time that the source took to answer",
           [](const Ntp& n) { return n.response_time_s; });
    family("chrony_sources_peer_jitter_asymmetry_seconds",
           "Asymmetry of the jitter, a ratio from -0.5 to 0.5",
           [](const Ntp& n) { return n.jitter_asymmetry; });
}

void chrony_sourcestats(Exposition& out, const Snapshot& snapshot) {
    using Stats = command::SourceStatsReport;
    const auto family = [&](std::string_view name, std::string_view help, auto value) {
        per_source(out, name, help, snapshot,
                   [&](const Source& s) { return std::optional<double>(value(s.stats)); });
    };
    family("chrony_sourcestats_samples", "Samples that are kept (NP)",
           [](const Stats& s) { return static_cast<double>(s.samples); });
    family("chrony_sourcestats_runs", "Runs of residuals with the same sign (NR)",
           [](const Stats& s) { return static_cast<double>(s.runs); });
    family("chrony_sourcestats_span_seconds", "Time between the oldest and the newest sample",
           [](const Stats& s) { return static_cast<double>(s.span_s); });
    family("chrony_sourcestats_stddev", "Standard deviation of the samples",
           [](const Stats& s) { return s.standard_deviation_s; });
    family("chrony_sourcestats_frequency_ppms", "Residual frequency of the source, ppm",
           [](const Stats& s) { return s.residual_frequency_ppm; });
    family("chrony_sourcestats_frequency_skew_ppms", "Error bound of the frequency, ppm",
           [](const Stats& s) { return s.skew_ppm; });
    family("chrony_sourcestats_offset", "Estimated offset of the source",
           [](const Stats& s) { return -s.offset_s; });
}

void chrony_serverstats(Exposition& out, const Snapshot& snapshot) {
    const command::ServerStatsReport& s = snapshot.server;
    // clang-format off
    const struct { const char* name; const char* help; std::uint64_t value; } kCounters[] = {
        {"ntp_packets_received_total", "NTP requests received", s.ntp_hits},
        {"ntp_packets_dropped_total", "NTP requests dropped to limit the rate", s.ntp_drops},
        {"command_packets_received_total", "Command requests received", s.cmd_hits},
        {"command_packets_dropped_total", "Command requests dropped to limit the rate", s.cmd_drops},
        {"client_log_records_dropped_total", "Records of clients dropped to limit the memory", s.log_drops},
        {"nts_ke_connections_accepted_total", "NTS-KE connections accepted", s.nke_hits},
        {"nts_ke_connections_dropped_total", "NTS-KE connections dropped to limit the rate", s.nke_drops},
        {"authenticated_ntp_packets_total", "NTP requests that were authenticated", s.ntp_auth_hits},
        {"interleaved_ntp_packets_total", "NTP requests in interleaved mode", s.ntp_interleaved_hits},
        {"ntp_daemon_rx_timestamps_total", "Responses with the daemon's receive timestamp", s.ntp_daemon_rx_timestamps},
        {"ntp_daemon_tx_timestamps_total", "Responses with the daemon's transmit timestamp", s.ntp_daemon_tx_timestamps},
        {"ntp_kernel_rx_timestamps_total", "Responses with the kernel's receive timestamp", s.ntp_kernel_rx_timestamps},
        {"ntp_kernel_tx_timestamps_total", "Responses with the kernel's transmit timestamp", s.ntp_kernel_tx_timestamps},
        {"ntp_hw_rx_timestamps_total", "Responses with the NIC's receive timestamp", s.ntp_hardware_rx_timestamps},
        {"ntp_hw_tx_timestamps_total", "Responses with the NIC's transmit timestamp", s.ntp_hardware_tx_timestamps},
    };
    // clang-format on
    for (const auto& c : kCounters) {
        counter(out, fmt::format("chrony_serverstats_{}", c.name), c.help, c.value);
    }
    gauge(out, "chrony_serverstats_ntp_timestamps_held", "Pairs of timestamps held for clients",
          static_cast<double>(s.ntp_timestamps));
    gauge(out, "chrony_serverstats_ntp_timestamp_span_seconds", "Time that they cover",
          static_cast<double>(s.ntp_span_s));
}

template <std::size_t N>
void histogram(Exposition& out, std::string_view name, std::string_view help,
               const telemetry::BoundedHistogram<N>& h, const std::array<double, N>& bounds) {
    out.family(name, Type::Histogram, help);
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < N; ++i) {
        cumulative += h.counts[i];
        out.bucket(bounds[i], cumulative);
    }
    cumulative += h.counts[N];
    out.bucket(kInfinity, cumulative);
    out.total(h.sum, cumulative);
}

void chrony_clients(Exposition& out, const telemetry::ClientsReport& clients) {
    out.family("chrony_clients_connected", Type::Gauge, "Clients in the log");
    out.sample(clients.ntp_clients, {{"protocol", "ntp"}});
    out.sample(clients.nts_clients, {{"protocol", "nts"}});
    histogram(out, "chrony_clients_last_ntp_hit_ago_seconds",
              "Time since the clients' last request", clients.last_hit_s,
              telemetry::kClientSecondsBounds);
    histogram(out, "chrony_clients_ntp_interval_seconds", "Intervals between clients' requests",
              clients.interval_s, telemetry::kClientSecondsBounds);
    histogram(out, "chrony_clients_ntp_drops", "Requests dropped per client", clients.drops,
              telemetry::kClientDropsBounds);
}

// --- gnomon's own

void clock_state(Exposition& out, const Snapshot& snapshot) {
    const command::StateReport& s = snapshot.state;
    out.family("gnomon_clock_state", Type::Gauge, "1 for the state that the clock is in");
    for (const ClockStateKind kind :
         {ClockStateKind::Unsynced, ClockStateKind::Acquiring, ClockStateKind::Locked,
          ClockStateKind::Holdover, ClockStateKind::Freerun}) {
        out.sample(s.kind == kind ? 1.0 : 0.0, {{"state", to_string(kind)}});
    }
    out.family("gnomon_clock_state_info", Type::Gauge, "Why the clock is in its state");
    out.sample(1.0, {{"state", to_string(s.kind)}, {"reason", to_string(s.reason)}});
    gauge(out, "gnomon_clock_in_spec", "The error bound is known and within its limit", s.in_spec);
    gauge(out, "gnomon_clock_state_since_timestamp_seconds",
          "Since when it is in this state (Unix)", unix_s(s.since));
    gauge(out, "gnomon_clock_error_bound_seconds",
          "How wrong the system clock may be; +Inf when not synchronised",
          s.bound_known ? s.bound_s : kInfinity);
    gauge(out, "gnomon_clock_error_bound_limit_seconds", "The limit of the error bound (maxbound)",
          s.limit_s);
    gauge(out, "gnomon_clock_error_bound_growth_ratio",
          "Growth of the bound without updates, seconds per second", s.bound_growth_ppm * 1e-6);
    gauge(out, "gnomon_clock_error_bound_breach_in_seconds",
          "Time until the bound reaches the limit without updates; +Inf: not within a year",
          !s.bound_known        ? 0.0
          : s.breach_in_s < 0.0 ? kInfinity
                                : s.breach_in_s);
    gauge(out, "gnomon_clock_steered", "The daemon corrects the system clock (not -x)",
          snapshot.steers);
}

void own_sources(Exposition& out, const Snapshot& snapshot) {
    out.family("gnomon_source_selection_info", Type::Gauge, "What selection made of the source");
    for (const Source& s : snapshot.sources) {
        out.sample(1.0, {{"source_address", address_of(s)},
                         {"source_name", name_of(s)},
                         {"status", selection_word(s.select.state)}});
    }
    per_source(out, "gnomon_source_selection_score", "Score against the selected source", snapshot,
               [](const Source& s) { return std::optional(s.select.score); });
    per_source(out, "gnomon_source_offset_low_seconds", "Lower end of the source's offset",
               snapshot, [](const Source& s) { return std::optional(s.select.offset_low_s); });
    per_source(out, "gnomon_source_offset_high_seconds", "Upper end of the source's offset",
               snapshot, [](const Source& s) { return std::optional(s.select.offset_high_s); });
    per_source(out, "gnomon_source_authenticated", "Its packets are authenticated", snapshot,
               [](const Source& s) { return std::optional(s.select.authenticated ? 1.0 : 0.0); });
    out.family("gnomon_source_packets_total", Type::Counter, "Packets exchanged with the source");
    for (const Source& s : snapshot.sources) {
        if (!s.ntp) continue;
        const std::string address = address_of(s);
        const std::string name = name_of(s);
        const auto sample = [&](const char* kind, std::uint64_t value) {
            out.sample(value, {{"source_address", address}, {"source_name", name}, {"kind", kind}});
        };
        sample("sent", s.ntp->total_tx);
        sample("received", s.ntp->total_rx);
        sample("valid", s.ntp->total_valid_rx);
        sample("good", s.ntp->total_good_rx);
    }
    out.family("gnomon_source_timestamps_total", Type::Counter,
               "Timestamps of exchanges by who took them");
    for (const Source& s : snapshot.sources) {
        if (!s.ntp) continue;
        const std::string address = address_of(s);
        const std::string name = name_of(s);
        const auto sample = [&](const char* direction, const char* taker, std::uint64_t value) {
            out.sample(value, {{"source_address", address},
                               {"source_name", name},
                               {"direction", direction},
                               {"taker", taker}});
        };
        sample("tx", "kernel", s.ntp->total_kernel_tx_timestamps);
        sample("rx", "kernel", s.ntp->total_kernel_rx_timestamps);
        sample("tx", "hardware", s.ntp->total_hardware_tx_timestamps);
        sample("rx", "hardware", s.ntp->total_hardware_rx_timestamps);
    }
    per_source(out, "gnomon_source_nts_cookies", "NTS cookies at hand", snapshot,
               [](const Source& s) -> std::optional<double> {
                   if (!s.auth || s.auth->mode != command::AuthMode::Nts) return std::nullopt;
                   return s.auth->cookies;
               });
}

void servos(Exposition& out, const Snapshot& snapshot) {
    using Servo = command::ServoReport;
    const auto family = [&](std::string_view name, std::string_view help, auto value) {
        out.family(name, Type::Gauge, help);
        for (const Source& s : snapshot.sources) {
            bool steers = true;
            for (const Servo& servo : s.servos.servos) {
                out.sample(value(servo), {{"source_address", address_of(s)},
                                          {"source_name", name_of(s)},
                                          {"servo", servo.name},
                                          {"role", steers ? "steers" : "shadow"}});
                steers = false;
            }
        }
    };
    family("gnomon_servo_offset_seconds", "Offset of our clock as the estimator sees it",
           [](const Servo& s) { return s.offset_s; });
    family("gnomon_servo_offset_stddev_seconds", "Its standard deviation",
           [](const Servo& s) { return s.offset_sd_s; });
    family("gnomon_servo_frequency_ppm", "Frequency of our clock as the estimator sees it",
           [](const Servo& s) { return s.frequency_ppm; });
    family("gnomon_servo_frequency_stddev_ppm", "Its standard deviation",
           [](const Servo& s) { return s.frequency_sd_ppm; });
    family("gnomon_servo_prediction_error_seconds",
           "By how much measurements were missed, weighted RMS",
           [](const Servo& s) { return s.prediction_error_s; });
}

void latency(Exposition& out, std::string_view name, std::string_view help,
             const telemetry::LatencyHistogram& h) {
    out.family(name, Type::Histogram, help);
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < telemetry::LatencyHistogram::kBuckets; ++i) {
        cumulative += h.counts[i];
        out.bucket(telemetry::LatencyHistogram::bound_s(i), cumulative);
    }
    out.total(static_cast<double>(h.total_ns) * 1e-9, h.count);
}

void daemon_figures(Exposition& out, const Snapshot& s) {
    latency(out, "gnomon_loop_busy_seconds", "How long turns of the control loop took",
            s.loop.busy);
    latency(out, "gnomon_loop_late_seconds", "How late the control loop woke up for its deadlines",
            s.loop.late);
    gauge(out, "gnomon_loop_longest_busy_seconds", "Longest turn of the last second",
          static_cast<double>(s.loop.longest_busy_ns) * 1e-9);
    gauge(out, "gnomon_loop_longest_late_seconds", "Latest wake-up of the last second",
          static_cast<double>(s.loop.longest_late_ns) * 1e-9);
    out.family("gnomon_sources", Type::Gauge, "Sources by activity");
    out.sample(std::uint64_t{s.activity.online}, {{"activity", "online"}});
    out.sample(std::uint64_t{s.activity.offline}, {{"activity", "offline"}});
    out.sample(std::uint64_t{s.activity.burst_online}, {{"activity", "burst_online"}});
    out.sample(std::uint64_t{s.activity.burst_offline}, {{"activity", "burst_offline"}});
    out.sample(std::uint64_t{s.activity.unresolved}, {{"activity", "unresolved"}});
    gauge(out, "gnomon_telemetry_readers", "Readers of the telemetry stream", s.stream.readers);
    counter(out, "gnomon_telemetry_frames_sent_total", "Frames sent to readers",
            s.stream.frames_sent);
    counter(out, "gnomon_telemetry_frames_dropped_total", "Frames for which a reader had no room",
            s.stream.frames_dropped);
    counter(out, "gnomon_telemetry_readers_dropped_total",
            "Readers that were too slow for too long", s.stream.readers_dropped);
    if (s.rtc) {
        gauge(out, "gnomon_rtc_offset_seconds", "The RTC is ahead of the system clock by this",
              s.rtc->rtc_fast_s);
        gauge(out, "gnomon_rtc_frequency_ppm", "The RTC gains, ppm", s.rtc->rtc_gain_rate_ppm);
    }
}

void own_figures(Exposition& out, const Model& model, const OwnFigures& own,
                 MonoClock::time_point now) {
    std::string why;
    gauge(out, "gnomon_ready", "Synchronised, and the error bound is within its limit",
          model.is_ready(now, why));
    gauge(out, "gnomon_telemetry_connected", "gnomond is heard", model.is_connected());
    if (const auto& hello = model.hello()) {
        out.family("gnomon_build_info", Type::Gauge, "The daemon that is watched");
        out.sample(1.0, {{"program", hello->program}, {"version", hello->version}});
        gauge(out, "gnomon_daemon_start_timestamp_seconds", "When it started (Unix)",
              unix_s(hello->started));
    }
    out.family("gnomon_events_total", Type::Counter, "Events by kind and severity");
    // All from the start: what appears with its first event has no increase to alert on.
    auto counts = model.event_counts();
    for (const char* kind :
         {"state", "step", "selection", "alarm", "leap", "source", "clock", "restart", "log"}) {
        for (const int severity : {0, 1, 2}) counts.try_emplace({kind, severity}, 0);
    }
    for (const auto& [key, count] : counts) {
        out.sample(count, {{"kind", key.first}, {"severity", severity_word(key.second)}});
    }
    counter(out, "gnomon_mgmtd_connections_total", "Connections to gnomond", model.connections());
    counter(out, "gnomon_mgmtd_bad_frames_total", "Telemetry frames that could not be read",
            own.bad_frames);
    counter(out, "gnomon_mgmtd_http_requests_total", "HTTP requests answered", own.requests);
    counter(out, "gnomon_mgmtd_http_refused_total", "HTTP requests and connections turned away",
            own.refused);
    gauge(out, "gnomon_mgmtd_http_connections", "HTTP connections open",
          static_cast<double>(own.connections));
    gauge(out, "gnomon_mgmtd_stream_clients", "Clients of the event stream",
          static_cast<double>(own.stream_clients));
    gauge(out, "gnomon_mgmtd_history_size_bytes", "Size of the history database",
          static_cast<double>(own.history_bytes));
    counter(out, "gnomon_mgmtd_history_errors_total", "Writes to the history that failed",
            own.history_errors);
    gauge(out, "process_resident_memory_bytes", "Resident memory of gnomon-mgmtd",
          own.resident_bytes);
    out.family("process_cpu_seconds_total", Type::Counter, "CPU time of gnomon-mgmtd");
    out.sample(own.cpu_s);
    gauge(out, "process_start_time_seconds", "When gnomon-mgmtd started (Unix)", own.start_time_s);
}

}  // namespace

std::string render_metrics(const Model& model, const OwnFigures& own, MonoClock::time_point now,
                           Exposition::Format format) {
    Exposition out(format);
    const bool fresh = model.is_fresh(now);
    gauge(out, "chrony_up", "Whether the daemon is up", fresh);
    // Old figures would look like a healthy clock.
    if (fresh) {
        const Snapshot& snapshot = *model.snapshot();
        chrony_tracking(out, snapshot);
        chrony_sources(out, snapshot);
        chrony_ntpdata(out, snapshot);
        chrony_sourcestats(out, snapshot);
        chrony_serverstats(out, snapshot);
        if (snapshot.clients) chrony_clients(out, *snapshot.clients);
        clock_state(out, snapshot);
        own_sources(out, snapshot);
        servos(out, snapshot);
        daemon_figures(out, snapshot);
    }
    own_figures(out, model, own, now);
    return out.finish();
}

}  // namespace gnomon::mgmtd
