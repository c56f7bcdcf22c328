#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mgmt/cli/format.h"
#include "mgmt/cli/text_units.h"

namespace gnomon::cli {

namespace {

constexpr Decimals kSeconds9{9};
constexpr Decimals kSigned9{9, true};
constexpr Decimals kSeconds6{6};
constexpr Decimals kSigned6{6, true};
constexpr Decimals kTenths{1};

const char* ntp_mode_text(std::uint8_t mode) {
    switch (mode) {
        case 1: return "Symmetric active";
        case 2: return "Symmetric passive";
        case 4: return "Server";
        default: return "Invalid";
    }
}

const char* timestamp_source_text(char source) {
    switch (source) {
        case 'D': return "Daemon";
        case 'K': return "Kernel";
        case 'H': return "Hardware";
        default: return "Invalid";
    }
}

double log2_to_seconds(int exponent) { return std::ldexp(1.0, std::clamp(exponent, -31, 31)); }

}  // namespace

Record tracking_record(const command::TrackingReport& r, std::string_view name) {
    Record record;
    record.literal("Reference ID    : ")
        .ref_id("reference_id", r.ref_id)
        .literal(" (")
        .string("name", name)
        .literal(")\nStratum         : ")
        .whole("stratum", r.stratum)
        .literal("\nRef time (UTC)  : ")
        .date("reference_time_s", r.reference_time)
        .literal("\nSystem time     : ")
        .offset_words("system_time_slow_s", r.system_offset_s, 9)
        .literal(" of NTP time\nLast offset     : ")
        .real("last_offset_s", ahead(r.last_offset_s), kSigned9)
        .literal(" seconds\nRMS offset      : ")
        .real("rms_offset_s", r.rms_offset_s, kSeconds9)
        .literal(" seconds\nFrequency       : ")
        .frequency_words("frequency_ppm", r.frequency_ppm, 3)
        .literal("\nResidual freq   : ")
        .real("residual_frequency_ppm", r.residual_frequency_ppm, {3, true})
        .literal(" ppm\nSkew            : ")
        .real("skew_ppm", r.skew_ppm, {3})
        .literal(" ppm\nRoot delay      : ")
        .real("root_delay_s", r.root_delay_s, kSeconds9)
        .literal(" seconds\nRoot dispersion : ")
        .real("root_dispersion_s", r.root_dispersion_s, kSeconds9)
        .literal(" seconds\nUpdate interval : ")
        .real("update_interval_s", r.update_interval_s, kTenths)
        .literal(" seconds\nLeap status     : ")
        .leap("leap", r.leap)
        .literal("\n");
    return record;
}

namespace {

std::string breach_text(const command::StateReport& r) {
    if (!r.bound_known) return "unknown";
    if (r.breach_in_s == 0.0) return "now";
    if (r.breach_in_s < 0.0) return "not within a year";
    return fmt::format("{:.0f} seconds", r.breach_in_s);
}

}  // namespace

Record state_record(const command::StateReport& r) {
    Record record;
    record.literal("State           : ")
        .string("state", to_string(r.kind))
        .literal(r.kind != ClockStateKind::Holdover ? ""
                 : r.in_spec                        ? " (in spec)"
                                                    : " (out of spec)")
        .json_only("in_spec", r.in_spec)
        .literal("\nReason          : ")
        .string("reason", to_string(r.reason))
        .literal(" (")
        .literal(explain(r.reason))
        .literal(")\nSince (UTC)     : ")
        .date("since_s", r.since)
        .literal("\nFor             : ")
        .whole("since_ago_s", r.since_ago_s)
        .literal(" seconds\nError bound     : ");
    if (r.bound_known) {
        record.real("bound_s", r.bound_s, kSeconds9)
            .literal(" seconds\nBound growth    : ")
            .real("bound_growth_ppm", r.bound_growth_ppm, {3})
            .literal(" ppm");
    } else {
        record.string("bound_s", "unknown")
            .literal("\nBound growth    : ")
            .string("bound_growth_ppm", "unknown");
    }
    record.literal("\nLimit           : ")
        .real("limit_s", r.limit_s, kSeconds9)
        .literal(" seconds\nBreached in     : ")
        .string("breach_in", breach_text(r))
        .literal("\n");
    return record;
}

Record waitsync_record(const command::TrackingReport& r, int attempt) {
    Record record;
    record.literal("try: ")
        .integer("try", attempt)
        .literal(", refid: ")
        .ref_id("reference_id", r.ref_id)
        .literal(", correction: ")
        .real("correction_s", std::abs(r.system_offset_s), kSeconds9)
        .literal(", skew: ")
        .real("skew_ppm", r.skew_ppm, {3})
        .literal("\n");
    return record;
}

namespace {

void add_ntp_ends(Record& record, const command::NtpReport& r) {
    record.literal("Remote address  : ")
        .string("remote_address", r.remote_address.to_string())
        .literal(" (")
        .ref_id("remote_reference_id", RefId{r.remote_address.ref_id()})
        .literal(")\nRemote port     : ")
        .whole("remote_port", r.remote_port)
        .literal("\nLocal address   : ")
        .string("local_address", r.local_address.to_string())
        .literal(" (")
        .ref_id("local_reference_id", RefId{r.local_address.ref_id()})
        .literal(")\n");
}

void add_ntp_header(Record& record, const command::NtpReport& r) {
    record.literal("Leap status     : ")
        .leap("leap", r.leap)
        .literal("\nVersion         : ")
        .whole("version", r.version)
        .literal("\nMode            : ")
        .string("mode", ntp_mode_text(r.mode))
        .literal("\nStratum         : ")
        .whole("stratum", r.stratum)
        .literal("\nPoll interval   : ")
        .integer("poll_log2_s", r.poll)
        .literal(" (")
        .real("poll_s", log2_to_seconds(r.poll), {0})
        .literal(" seconds)\nPrecision       : ")
        .integer("precision_log2_s", r.precision)
        .literal(" (")
        .real("precision_s", log2_to_seconds(r.precision), kSeconds9)
        .literal(" seconds)\nRoot delay      : ")
        .real("root_delay_s", r.root_delay_s, kSeconds6)
        .literal(" seconds\nRoot dispersion : ")
        .real("root_dispersion_s", r.root_dispersion_s, kSeconds6)
        .literal(" seconds\nReference ID    : ")
        .ref_id("reference_id", r.ref_id)
        .literal(" (")
        .string("reference_name", r.stratum <= 1 ? ref_id_text(r.ref_id) : std::string())
        .literal(")\nReference time  : ")
        .date("reference_time_s", r.reference_time)
        .literal("\n");
}

void add_ntp_measurement(Record& record, const command::NtpReport& r) {
    record.literal("Offset          : ")
        .real("offset_s", r.offset_s, kSigned9)
        .literal(" seconds\nPeer delay      : ")
        .real("peer_delay_s", r.peer_delay_s, kSeconds9)
        .literal(" seconds\nPeer dispersion : ")
        .real("peer_dispersion_s", r.peer_dispersion_s, kSeconds9)
        .literal(" seconds\nResponse time   : ")
        .real("response_time_s", r.response_time_s, kSeconds9)
        .literal(" seconds\nJitter asymmetry: ")
        .real("jitter_asymmetry", r.jitter_asymmetry, {2, true})
        .literal("\nNTP tests       : ")
        .bits("tests_packet", r.tests >> 7U, 3)
        .literal(" ")
        .bits("tests_header", r.tests >> 4U, 3)
        .literal(" ")
        .bits("tests_sample", r.tests, 4)
        .literal("\nInterleaved     : ")
        .yes_no("interleaved", r.interleaved)
        .literal("\nAuthenticated   : ")
        .yes_no("authenticated", r.authenticated)
        .literal("\nTX timestamping : ")
        .string("tx_timestamping", timestamp_source_text(r.tx_timestamp_source))
        .literal("\nRX timestamping : ")
        .string("rx_timestamping", timestamp_source_text(r.rx_timestamp_source))
        .literal("\n");
}

void add_ntp_totals(Record& record, const command::NtpReport& r) {
    record.literal("Total TX        : ")
        .whole("total_tx", r.total_tx)
        .literal("\nTotal RX        : ")
        .whole("total_rx", r.total_rx)
        .literal("\nTotal valid RX  : ")
        .whole("total_valid_rx", r.total_valid_rx)
        .literal("\nTotal good RX   : ")
        .whole("total_good_rx", r.total_good_rx)
        .literal("\nTotal kernel TX : ")
        .whole("total_kernel_tx", r.total_kernel_tx_timestamps)
        .literal("\nTotal kernel RX : ")
        .whole("total_kernel_rx", r.total_kernel_rx_timestamps)
        .literal("\nTotal HW TX     : ")
        .whole("total_hardware_tx", r.total_hardware_tx_timestamps)
        .literal("\nTotal HW RX     : ")
        .whole("total_hardware_rx", r.total_hardware_rx_timestamps)
        .literal("\n");
}

}  // namespace

Record ntp_record(const command::NtpReport& r) {
    Record record;
    add_ntp_ends(record, r);
    add_ntp_header(record, r);
    add_ntp_measurement(record, r);
    add_ntp_totals(record, r);
    return record;
}

Record activity_record(const command::ActivityReport& r) {
    Record record;
    record.whole("online", r.online)
        .literal(" sources online\n")
        .whole("offline", r.offline)
        .literal(" sources offline\n")
        .whole("burst_online", r.burst_online)
        .literal(" sources doing burst (return to online)\n")
        .whole("burst_offline", r.burst_offline)
        .literal(" sources doing burst (return to offline)\n")
        .whole("unresolved", r.unresolved)
        .literal(" sources with unknown address\n");
    return record;
}

Record server_stats_record(const command::ServerStatsReport& r) {
    struct Line {
        const char* label;
        const char* key;
        std::uint64_t value;
    };
    const Line lines[] = {
        {"NTP packets received       : ", "ntp_packets", r.ntp_hits},
        {"NTP packets dropped        : ", "ntp_drops", r.ntp_drops},
        {"Command packets received   : ", "command_packets", r.cmd_hits},
        {"Command packets dropped    : ", "command_drops", r.cmd_drops},
        {"Client log records dropped : ", "client_log_drops", r.log_drops},
        {"NTS-KE connections accepted: ", "nts_ke_connections", r.nke_hits},
        {"NTS-KE connections dropped : ", "nts_ke_drops", r.nke_drops},
        {"Authenticated NTP packets  : ", "authenticated_ntp_packets", r.ntp_auth_hits},
        {"Interleaved NTP packets    : ", "interleaved_ntp_packets", r.ntp_interleaved_hits},
        {"NTP timestamps held        : ", "ntp_timestamps", r.ntp_timestamps},
        {"NTP timestamp span         : ", "ntp_timestamp_span_s", r.ntp_span_s},
        {"NTP daemon RX timestamps   : ", "ntp_daemon_rx", r.ntp_daemon_rx_timestamps},
        {"NTP daemon TX timestamps   : ", "ntp_daemon_tx", r.ntp_daemon_tx_timestamps},
        {"NTP kernel RX timestamps   : ", "ntp_kernel_rx", r.ntp_kernel_rx_timestamps},
        {"NTP kernel TX timestamps   : ", "ntp_kernel_tx", r.ntp_kernel_tx_timestamps},
        {"NTP hardware RX timestamps : ", "ntp_hardware_rx", r.ntp_hardware_rx_timestamps},
        {"NTP hardware TX timestamps : ", "ntp_hardware_tx", r.ntp_hardware_tx_timestamps},
    };
    Record record;
    for (const Line& line : lines) {
        record.literal(line.label).whole(line.key, line.value).literal("\n");
    }
    return record;
}

Record rtc_record(const command::RtcReport& r) {
    Record record;
    record.literal("RTC ref time (UTC) : ")
        .date("reference_time_s", r.reference_time)
        .literal("\nNumber of samples  : ")
        .whole("samples", r.samples)
        .literal("\nNumber of runs     : ")
        .whole("runs", r.runs)
        .literal("\nSample span period : ")
        .ago("span_s", r.span_s)
        .literal("\nRTC is fast by     : ")
        .real("rtc_fast_s", r.rtc_fast_s, {6, false, 12})
        .literal(" seconds\nRTC gains time at  : ")
        .real("rtc_gain_rate_ppm", r.rtc_gain_rate_ppm, {3, false, 9})
        .literal(" ppm\n");
    return record;
}

Record smoothing_record(const command::SmoothingReport& r) {
    Record record;
    record.literal("Active         : ")
        .yes_no("active", r.active)
        .literal(" ")
        .string("mode", r.leap_only ? "(leap second only)" : "")
        .literal("\nOffset         : ")
        .real("offset_s", r.offset_s, kSigned9)
        .literal(" seconds\nFrequency      : ")
        .real("frequency_ppm", r.frequency_ppm, kSigned6)
        .literal(" ppm\nWander         : ")
        .real("wander_ppm_per_s", r.wander_ppm_per_s, kSigned6)
        .literal(" ppm per second\nLast update    : ")
        .real("last_update_ago_s", r.last_update_ago_s, kTenths)
        .literal(" seconds ago\nRemaining time : ")
        .real("remaining_s", r.remaining_s, kTenths)
        .literal(" seconds\n");
    return record;
}

Record settime_record(const command::SettimeReport& r) {
    Record record;
    record.literal("Clock was ")
        .real("clock_fast_s", ahead(r.offset_s), {2})
        .literal(" seconds fast.  Frequency change = ")
        .real("frequency_change_ppm", r.frequency_change_ppm, {2})
        .literal("ppm, new frequency = ")
        .real("frequency_ppm", r.frequency_ppm, {2})
        .literal("ppm\n");
    return record;
}

}  // namespace gnomon::cli
