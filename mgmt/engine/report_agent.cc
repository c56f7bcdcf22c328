#include "mgmt/engine/report_agent.h"

#include <algorithm>
#include <cmath>

#include "mgmt/engine/analytics_report.h"
#include "mgmt/engine/dataplane_report.h"

namespace gnomon {
namespace {

using command::Status;

command::SourceState state_of(const CandidateResult* result) {
    if (result == nullptr) return command::SourceState::NonSelectable;
    switch (result->status) {
        case SourceStatus::Falseticker: return command::SourceState::Falseticker;
        case SourceStatus::Jittery: return command::SourceState::Jittery;
        case SourceStatus::WaitsSources:
        case SourceStatus::NonPreferred:
        case SourceStatus::WaitsUpdate:
        case SourceStatus::Distant: return command::SourceState::Selectable;
        case SourceStatus::Unselected: return command::SourceState::Combined;
        case SourceStatus::Selected: return command::SourceState::Selected;
        default: return command::SourceState::NonSelectable;
    }
}

command::SelectOptions options_of(const SelectOptions& options) {
    command::SelectOptions result;
    result.noselect = options.noselect;
    result.prefer = options.prefer;
    result.trust = options.trust;
    result.require = options.require;
    return result;
}

std::uint32_t whole_seconds(double seconds) {
    return static_cast<std::uint32_t>(std::clamp(seconds, 0.0, 4e9));
}

/// To the whole second: the fraction would tell when exactly the reply came in.
UtcTime without_fraction(UtcTime t) { return UtcTime::from_ns(t.ns() - t.ns() % 1'000'000'000); }

command::AuthMode mode_of(AuthMode mode) {
    switch (mode) {
        case AuthMode::None: return command::AuthMode::None;
        case AuthMode::Symmetric: return command::AuthMode::Symmetric;
        case AuthMode::Nts: return command::AuthMode::Nts;
    }
    return command::AuthMode::None;
}

void fill_reply(command::NtpReport& report, const ReplyRecord& reply) {
    report.leap = reply.header.leap;
    report.version = reply.header.version;
    report.mode = static_cast<std::uint8_t>(reply.header.mode);
    report.stratum = reply.header.stratum;
    report.poll = reply.header.poll;
    report.precision = reply.header.precision;
    report.root_delay_s = reply.root_delay_s;
    report.root_dispersion_s = reply.root_dispersion_s;
    report.ref_id = RefId{reply.header.ref_id};
    report.offset_s = reply.offset_s;
    report.peer_delay_s = reply.peer_delay_s;
    report.peer_dispersion_s = reply.peer_dispersion_s;
    report.response_time_s = reply.response_time_s;
    report.tests = reply.tests.bits();
    report.interleaved = reply.interleaved;
    report.authenticated = reply.authenticated;
    report.tx_timestamp_source = to_char(reply.tx_source);
    report.rx_timestamp_source = to_char(reply.rx_source);
}

}  // namespace

ReportAgent::ReportAgent(const Now& now, ClockAgent& clock, SelectionAgent& selection,
                         SourceManager& sources, ServerAgent& server, const ManualInput& manual,
                         const StateAgent& state, PolledPortReports* polled_ports)
    : now_(now),
      clock_(clock),
      selection_(selection),
      sources_(sources),
      server_(server),
      manual_(manual),
      state_(state),
      polled_ports_(polled_ports) {}

const SelectableSource* ReportAgent::at(std::uint32_t index) const {
    return index < selection_.sources().size() ? selection_.sources()[index] : nullptr;
}

command::ReportResult<command::TrackingReport> ReportAgent::tracking(UtcTime) {
    const DisciplineReport state = clock_.report(now_);
    command::TrackingReport report;
    report.ref_id = state.ref_id;
    if (state.source) {
        if (const SelectableSource* source = selection_.find(*state.source)) {
            report.address = source->label.address;
        }
    }
    report.stratum = state.stratum;
    report.leap = state.leap;
    report.reference_time = state.reference_time;
    report.system_offset_s = state.remaining_s;
    report.last_offset_s = state.last_offset_s;
    report.rms_offset_s = state.rms_offset_s;
    report.frequency_ppm = state.frequency_ppm;
    report.residual_frequency_ppm = state.residual_frequency_ppm;
    report.skew_ppm = state.skew_ppm;
    report.root_delay_s = state.root_delay_s;
    report.root_dispersion_s = state.root_dispersion_s;
    report.update_interval_s = state.last_update_interval_s;
    return report;
}

command::ReportResult<command::StateReport> ReportAgent::state() { return state_.report(now_); }

std::uint32_t ReportAgent::source_count() {
    return static_cast<std::uint32_t>(selection_.sources().size());
}

command::ReportResult<command::SourceReport> ReportAgent::source(std::uint32_t index, UtcTime now) {
    const SelectableSource* source = at(index);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    command::SourceReport report;
    report.address = source->label.address;
    report.state = state_of(selection_.result_of(source->id));
    report.reach = source->reach.bits;
    if (source->type == SourceType::Refclock) {
        report.address = IpAddress::v4(source->ref_id.value);
        report.mode = command::SourceMode::ReferenceClock;
        report.poll = static_cast<std::int16_t>(source->poll);
    } else if (const NtpSource* ntp = sources_.find(source->id)) {
        report.mode = ntp->is_peer() ? command::SourceMode::Peer : command::SourceMode::Client;
        report.poll = static_cast<std::int16_t>(ntp->association().poll());
    }
    if (const auto last = source->filter.last_sample()) {
        report.stratum = source->stratum;
        const UtcTime at = source->type == SourceType::Ntp ? without_fraction(last->at) : last->at;
        report.last_sample_ago_s = whole_seconds((now - at).to_seconds());
        report.measured_offset_s = last->measured_offset_s;
        report.adjusted_offset_s = last->offset_s;
        report.error_s = last->error_s;
    }
    return report;
}

command::ReportResult<command::SourceStatsReport> ReportAgent::source_stats(std::uint32_t index,
                                                                            UtcTime now) {
    const SelectableSource* source = at(index);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    const SourceStatistics statistics = source->filter.statistics(now);
    command::SourceStatsReport report;
    report.ref_id = source->ref_id;
    report.address = source->label.address;
    report.samples = static_cast<std::uint32_t>(statistics.samples);
    report.runs = static_cast<std::uint32_t>(statistics.runs);
    report.span_s = whole_seconds(std::nearbyint(statistics.span.to_seconds()));
    report.standard_deviation_s = statistics.stddev_s;
    report.residual_frequency_ppm = -statistics.estimate.frequency * 1e6;
    report.skew_ppm = statistics.skew * 1e6;
    report.offset_s = statistics.offset_s;
    report.offset_error_s = statistics.offset_error_s;
    return report;
}

command::ReportResult<command::SelectReport> ReportAgent::select(std::uint32_t index, UtcTime) {
    const SelectableSource* source = at(index);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    command::SelectReport report;
    report.ref_id = source->ref_id;
    report.address = source->label.address;
    report.state = letter_of(SourceStatus::MissingSamples);
    report.authenticated = source->authenticated;
    report.leap = source->leap;
    report.configured = options_of(source->configured);
    report.effective = options_of(source->effective);
    report.last_sample_ago_s = 0;
    if (const CandidateResult* result = selection_.result_of(source->id)) {
        report.state = letter_of(result->status);
        report.last_sample_ago_s = whole_seconds(result->last_sample_ago_s);
        report.score = result->score;
        report.offset_low_s = result->low_s;
        report.offset_high_s = result->high_s;
    }
    return report;
}

command::ReportResult<command::ServosReport> ReportAgent::servos(std::uint32_t index, UtcTime now) {
    const SelectableSource* source = at(index);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    command::ServosReport report;
    report.ref_id = source->ref_id;
    report.address = source->label.address;
    for (const EstimatorTrial& trial : source->filter.trials()) {
        command::ServoReport servo;
        servo.name = trial.estimator().name();
        if (const std::optional<Estimate> estimate = trial.estimate(now)) {
            servo.known = true;
            servo.offset_s = estimate->offset_s;
            servo.offset_sd_s = estimate->offset_sd_s;
            servo.frequency_ppm = -estimate->frequency * 1e6;
            servo.frequency_sd_ppm = estimate->frequency_sd * 1e6;
        }
        const PredictionScore score = trial.score();
        servo.predictions = static_cast<std::uint32_t>(score.predictions);
        servo.prediction_error_s = score.error_s;
        report.servos.push_back(std::move(servo));
    }
    return report;
}

command::ReportResult<command::NtpReport> ReportAgent::ntp(const IpAddress& address) {
    const NtpSource* source = sources_.find(address);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    const NtpReport& last = source->association().report();
    command::NtpReport report;
    report.remote_address = source->remote().ip;
    report.remote_port = source->remote().port;
    report.local_address = last.local;
    report.reference_time = last.reference_time;
    if (!last.reply.at.is_zero()) fill_reply(report, last.reply);
    report.jitter_asymmetry =
        source->selectable().filter.statistics(clock_.to_utc(now_.system)).asymmetry;
    report.total_tx = last.tx_count;
    report.total_rx = last.rx_count;
    report.total_valid_rx = last.valid_count;
    report.total_good_rx = last.good_count;
    report.total_kernel_tx_timestamps = last.kernel_tx_stamps;
    report.total_kernel_rx_timestamps = last.kernel_rx_stamps;
    report.total_hardware_tx_timestamps = last.hw_tx_stamps;
    report.total_hardware_rx_timestamps = last.hw_rx_stamps;
    return report;
}

command::ReportResult<command::AuthReport> ReportAgent::auth(const IpAddress& address, UtcTime) {
    const NtpSource* source = sources_.find(address);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    const AuthReport state = source->association().auth_report(now_.mono);
    command::AuthReport report;
    report.mode = mode_of(state.mode);
    report.key_type = static_cast<std::uint16_t>(state.key_type);
    report.key_id = state.key_id;
    report.key_length_bits = static_cast<std::uint16_t>(state.key_length);
    report.ke_attempts = static_cast<std::uint16_t>(std::min(state.ke_attempts, 0xffff));
    report.last_ke_ago_s = state.last_ke_ago_s;
    report.cookies = static_cast<std::uint16_t>(state.cookies);
    report.cookie_length = static_cast<std::uint16_t>(state.cookie_length);
    report.nak = state.nak ? 1 : 0;
    return report;
}

command::ReportResult<std::string> ReportAgent::source_name(const IpAddress& address) {
    const NtpSource* source = sources_.find(address);
    if (source == nullptr) return Unexpected(Status::NoSuchSource);
    return source->name();
}

command::ReportResult<command::ActivityReport> ReportAgent::activity() {
    command::ActivityReport report;
    for (const auto& source : sources_.sources()) {
        if (!source->has_address()) {
            ++report.unresolved;
            continue;
        }
        switch (source->association().activity()) {
            case Association::Activity::Online: ++report.online; break;
            case Association::Activity::Offline: ++report.offline; break;
            case Association::Activity::BurstWasOnline: ++report.burst_online; break;
            case Association::Activity::BurstWasOffline: ++report.burst_offline; break;
        }
    }
    return report;
}

command::ReportResult<command::ServerStatsReport> ReportAgent::server_stats() {
    return server_.stats();
}

command::ReportResult<command::RtcReport> ReportAgent::rtc() { return Unexpected(Status::NoRtc); }

command::ReportResult<command::SmoothingReport> ReportAgent::smoothing(UtcTime now) {
    const TimeSmoothing& smoothing = clock_.discipline().smoothing();
    if (!smoothing.enabled()) return Unexpected(Status::NotEnabled);
    const TimeSmoothing::Report state = smoothing.report(now);
    command::SmoothingReport report;
    report.active = state.active;
    report.leap_only = state.leap_only;
    report.offset_s = state.offset_s;
    report.frequency_ppm = state.frequency_ppm;
    report.wander_ppm_per_s = state.wander_ppm_per_s;
    report.last_update_ago_s = state.last_update_ago_s;
    report.remaining_s = state.remaining_s;
    return report;
}

command::ReportResult<command::DataplaneReport> ReportAgent::dataplane(
    const command::DataplaneQuery& query) {
    if (polled_ports_ == nullptr) return Unexpected(Status::NotEnabled);
    return dataplane_report(polled_ports_->polled_ports(), query);
}

command::ReportResult<command::ManualReport> ReportAgent::manual_samples() {
    command::ManualReport report;
    for (const ManualInput::Sample& sample : manual_.samples()) {
        report.samples.push_back(command::ManualSample{
            sample.at, sample.offset_s, sample.original_offset_s, sample.residual_s});
    }
    return report;
}

command::ReportResult<command::ClientAccessReport> ReportAgent::clients(
    const command::ClientRange& range, UtcTime) {
    return server_.clients(range, now_.system);
}

command::ReportResult<command::TopReport> ReportAgent::top_clients(std::uint32_t first) {
    if (first == 0) top_ = server_.analytics(now_.system);
    return to_top_report(top_, first);
}

command::ReportResult<command::AnalyticsReport> ReportAgent::analytics() {
    command::AnalyticsReport report = to_report(server_.analytics(now_.system));
    report.measured = server_.measured_intervals(now_.system);
    return report;
}

}  // namespace gnomon
