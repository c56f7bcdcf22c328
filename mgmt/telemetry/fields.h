#pragma once

/// The fields of every record, in the order in which they travel. Append only: see codec.h.

#include "mgmt/telemetry/archive.h"
#include "mgmt/telemetry/telemetry.h"

namespace gnomon::telemetry {

template <typename A>
void fields(A& a, typename A::template Ref<Hello> r) {
    a.text(r.program);
    a.text(r.version);
    a.number(r.pid);
    a.number(r.instance);
    a.time(r.started);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::TrackingReport> r) {
    a.ref_id(r.ref_id);
    a.address(r.address);
    a.number(r.stratum);
    a.code(r.leap);
    a.time(r.reference_time);
    a.real(r.system_offset_s);
    a.real(r.last_offset_s);
    a.real(r.rms_offset_s);
    a.real(r.frequency_ppm);
    a.real(r.residual_frequency_ppm);
    a.real(r.skew_ppm);
    a.real(r.root_delay_s);
    a.real(r.root_dispersion_s);
    a.real(r.update_interval_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::StateReport> r) {
    a.code(r.kind);
    a.code(r.reason);
    a.flag(r.in_spec);
    a.time(r.since);
    a.number(r.since_ago_s);
    a.flag(r.bound_known);
    a.real(r.bound_s);
    a.real(r.bound_growth_ppm);
    a.real(r.limit_s);
    a.real(r.breach_in_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::ActivityReport> r) {
    a.number(r.online);
    a.number(r.offline);
    a.number(r.burst_online);
    a.number(r.burst_offline);
    a.number(r.unresolved);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::ServerStatsReport> r) {
    a.number(r.ntp_hits);
    a.number(r.nke_hits);
    a.number(r.cmd_hits);
    a.number(r.ntp_drops);
    a.number(r.nke_drops);
    a.number(r.cmd_drops);
    a.number(r.log_drops);
    a.number(r.ntp_auth_hits);
    a.number(r.ntp_interleaved_hits);
    a.number(r.ntp_timestamps);
    a.number(r.ntp_span_s);
    a.number(r.ntp_daemon_rx_timestamps);
    a.number(r.ntp_daemon_tx_timestamps);
    a.number(r.ntp_kernel_rx_timestamps);
    a.number(r.ntp_kernel_tx_timestamps);
    a.number(r.ntp_hardware_rx_timestamps);
    a.number(r.ntp_hardware_tx_timestamps);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::RtcReport> r) {
    a.time(r.reference_time);
    a.number(r.samples);
    a.number(r.runs);
    a.number(r.span_s);
    a.real(r.rtc_fast_s);
    a.real(r.rtc_gain_rate_ppm);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::SmoothingReport> r) {
    a.flag(r.active);
    a.flag(r.leap_only);
    a.real(r.offset_s);
    a.real(r.frequency_ppm);
    a.real(r.wander_ppm_per_s);
    a.real(r.last_update_ago_s);
    a.real(r.remaining_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::SourceReport> r) {
    a.address(r.address);
    a.number(r.poll);
    a.number(r.stratum);
    a.code(r.state);
    a.code(r.mode);
    a.number(r.reach);
    a.number(r.last_sample_ago_s);
    a.real(r.measured_offset_s);
    a.real(r.adjusted_offset_s);
    a.real(r.error_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::SourceStatsReport> r) {
    a.ref_id(r.ref_id);
    a.address(r.address);
    a.number(r.samples);
    a.number(r.runs);
    a.number(r.span_s);
    a.real(r.standard_deviation_s);
    a.real(r.residual_frequency_ppm);
    a.real(r.skew_ppm);
    a.real(r.offset_s);
    a.real(r.offset_error_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::SelectOptions> r) {
    a.flag(r.noselect);
    a.flag(r.prefer);
    a.flag(r.trust);
    a.flag(r.require);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::SelectReport> r) {
    a.ref_id(r.ref_id);
    a.address(r.address);
    a.character(r.state);
    a.flag(r.authenticated);
    a.code(r.leap);
    fields(a, r.configured);
    fields(a, r.effective);
    a.number(r.last_sample_ago_s);
    a.real(r.score);
    a.real(r.offset_low_s);
    a.real(r.offset_high_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::NtpReport> r) {
    a.address(r.remote_address);
    a.address(r.local_address);
    a.number(r.remote_port);
    a.code(r.leap);
    a.number(r.version);
    a.number(r.mode);
    a.number(r.stratum);
    a.number(r.poll);
    a.number(r.precision);
    a.real(r.root_delay_s);
    a.real(r.root_dispersion_s);
    a.ref_id(r.ref_id);
    a.time(r.reference_time);
    a.real(r.offset_s);
    a.real(r.peer_delay_s);
    a.real(r.peer_dispersion_s);
    a.real(r.response_time_s);
    a.real(r.jitter_asymmetry);
    a.number(r.tests);
    a.flag(r.interleaved);
    a.flag(r.authenticated);
    a.character(r.tx_timestamp_source);
    a.character(r.rx_timestamp_source);
    a.number(r.total_tx);
    a.number(r.total_rx);
    a.number(r.total_valid_rx);
    a.number(r.total_good_rx);
    a.number(r.total_kernel_tx_timestamps);
    a.number(r.total_kernel_rx_timestamps);
    a.number(r.total_hardware_tx_timestamps);
    a.number(r.total_hardware_rx_timestamps);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::AuthReport> r) {
    a.code(r.mode);
    a.number(r.key_type);
    a.number(r.key_id);
    a.number(r.key_length_bits);
    a.number(r.ke_attempts);
    a.number(r.last_ke_ago_s);
    a.number(r.cookies);
    a.number(r.cookie_length);
    a.number(r.nak);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::ServoReport> r) {
    a.text(r.name);
    a.flag(r.known);
    a.real(r.offset_s);
    a.real(r.offset_sd_s);
    a.real(r.frequency_ppm);
    a.real(r.frequency_sd_ppm);
    a.number(r.predictions);
    a.real(r.prediction_error_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<LatencyHistogram> r) {
    for (auto& count : r.counts) a.number(count);
    a.number(r.total_ns);
    a.number(r.count);
}

template <typename A>
void fields(A& a, typename A::template Ref<LoopReport> r) {
    fields(a, r.busy);
    fields(a, r.late);
    a.number(r.longest_busy_ns);
    a.number(r.longest_late_ns);
}

template <typename A, typename Histogram>
void bounded(A& a, Histogram& r) {
    for (auto& count : r.counts) a.number(count);
    a.real(r.sum);
}

template <typename A>
void fields(A& a, typename A::template Ref<ClientsReport> r) {
    a.number(r.ntp_clients);
    a.number(r.nts_clients);
    a.number(r.command_clients);
    bounded(a, r.last_hit_s);
    bounded(a, r.interval_s);
    bounded(a, r.drops);
    a.time(r.at);
}

template <typename A>
void fields(A& a, typename A::template Ref<command::ClientAccess> r) {
    a.address(r.address);
    a.number(r.ntp_hits);
    a.number(r.nke_hits);
    a.number(r.cmd_hits);
    a.number(r.ntp_drops);
    a.number(r.nke_drops);
    a.number(r.cmd_drops);
    a.number(r.ntp_interval);
    a.number(r.nke_interval);
    a.number(r.cmd_interval);
    a.number(r.ntp_limited_interval);
    a.number(r.last_ntp_hit_ago_s);
    a.number(r.last_nke_hit_ago_s);
    a.number(r.last_cmd_hit_ago_s);
}

template <typename A>
void fields(A& a, typename A::template Ref<StreamReport> r) {
    a.number(r.readers);
    a.number(r.frames_sent);
    a.number(r.frames_dropped);
    a.number(r.readers_dropped);
    a.number(r.readers_refused);
}

template <typename A>
void fields(A& a, typename A::template Ref<Event> r) {
    a.number(r.number);
    a.time(r.at);
    a.number(r.severity);
    a.text(r.kind);
    a.text(r.source);
    a.text(r.text);
    a.real(r.value);
}

template <typename A>
void fields(A& a, typename A::template Ref<Measurement> r) {
    a.time(r.at);
    a.text(r.source);
    a.real(r.offset_s);
    a.real(r.delay_s);
    a.real(r.dispersion_s);
    a.flag(r.valid);
}

/// What a snapshot begins with.
template <typename A>
void head_fields(A& a, typename A::template Ref<Snapshot> r) {
    a.number(r.number);
    a.time(r.at);
    a.time(r.mono);
    a.flag(r.steers);
}

}  // namespace gnomon::telemetry
