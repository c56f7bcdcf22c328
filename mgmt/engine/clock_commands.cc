#include "mgmt/engine/clock_commands.h"

#include <algorithm>

namespace gnomon {
namespace {

using command::Status;

/// Of a frequency that a person's watch gave: 10 %.
constexpr double kManualSkew = 0.099999999;

}  // namespace

ClockCommandAgent::ClockCommandAgent(const Now& now, const Services& services, ClockAgent& clock,
                                     SelectionAgent& selection, ManualInput& manual)
    : now_(now), services_(services), clock_(clock), selection_(selection), manual_(manual) {}

Status ClockCommandAgent::make_step() {
    return clock_.make_step(now_) ? Status::Success : Status::Failed;
}

Status ClockCommandAgent::modify_makestep(const command::MakestepLimits& limits) {
    clock_.discipline().set_make_step(MakeStep{limits.threshold_s, limits.limit});
    services_.events.on_event(
        ParameterChanged{ParameterChanged::Parameter::MakeStep, limits.threshold_s, limits.limit});
    return Status::Success;
}

Status ClockCommandAgent::modify_maxupdateskew(double skew_ppm) {
    clock_.discipline().set_max_update_skew(skew_ppm * 1e-6);
    services_.events.on_event(
        ParameterChanged{ParameterChanged::Parameter::MaxUpdateSkew, skew_ppm, 0});
    return Status::Success;
}

Status ClockCommandAgent::adjust_offset(double offset_s) {
    if (!clock_.add_offset(offset_s, now_)) return Status::Failed;
    services_.events.on_event(ManualAdjustment{ManualAdjustment::Kind::Offset, 0.0, -offset_s});
    return Status::Success;
}

Status ClockCommandAgent::adjust_frequency(double error_ppm) {
    clock_.add_frequency(error_ppm, now_);
    services_.events.on_event(ManualAdjustment{ManualAdjustment::Kind::Frequency, error_ppm, 0.0});
    return Status::Success;
}

Status ClockCommandAgent::set_local(const command::LocalRequest& request) {
    std::optional<LocalReference> local;
    if (request.enabled) {
        local.emplace();
        local->stratum =
            static_cast<Stratum>(std::clamp<int>(request.stratum, 1, kStratumUnsynchronised - 1));
        local->distance_s = request.distance_s;
        local->orphan = request.orphan;
        local->activate_s = request.activate_s;
        local->wait_synced_s = request.wait_synced_s;
        local->wait_unsynced_s = request.wait_unsynced_s;
    }
    clock_.discipline().set_local(local);
    selection_.set_orphan_stratum(clock_.discipline().orphan_stratum());
    services_.events.on_event(LocalModeChanged{request.enabled});
    return Status::Success;
}

Status ClockCommandAgent::smoothing_reset(UtcTime) {
    return clock_.reset_smoothing(now_) ? Status::Success : Status::NotEnabled;
}

Status ClockCommandAgent::smoothing_activate(UtcTime) {
    return clock_.activate_smoothing(now_) ? Status::Success : Status::NotEnabled;
}

Status ClockCommandAgent::manual_enable() {
    manual_.enable(true);
    return Status::Success;
}

Status ClockCommandAgent::manual_disable() {
    manual_.enable(false);
    return Status::Success;
}

Status ClockCommandAgent::manual_reset() {
    manual_.reset();
    return Status::Success;
}

Status ClockCommandAgent::manual_delete(std::int32_t index) {
    if (index < 0 || !manual_.remove(static_cast<std::size_t>(index))) return Status::BadSample;
    const ManualInput::Estimate estimate = manual_.estimate();
    follow_manual(estimate.offset_s, estimate.frequency);
    return Status::Success;
}

command::ReportResult<command::SettimeReport> ClockCommandAgent::set_time(UtcTime time,
                                                                          UtcTime now) {
    if (!manual_.enabled()) return Unexpected(Status::NotEnabled);
    if (time.ns() < 0) return Unexpected(Status::Failed);
    const auto estimate = manual_.add(time, now);
    if (!estimate) return Unexpected(Status::Failed);
    follow_manual((time - now).to_seconds(), estimate->frequency);
    command::SettimeReport report;
    report.offset_s = estimate->offset_s;
    report.frequency_change_ppm = -estimate->frequency.value_or(0.0) * 1e6;
    report.frequency_ppm = -clock_.discipline().frequency().ppm();
    return report;
}

void ClockCommandAgent::follow_manual(double offset_s, const std::optional<double>& frequency) {
    ManualAdjustment told;
    told.kind = frequency ? ManualAdjustment::Kind::SettimeFrequencyAndSlew
                          : ManualAdjustment::Kind::SettimeSlew;
    told.frequency_ppm = -frequency.value_or(0.0) * 1e6;
    told.offset_s = -offset_s;
    services_.events.on_event(told);
    clock_.set_manual_reference(clock_.to_utc(now_.system), offset_s, frequency.value_or(0.0),
                                kManualSkew, now_);
}

Status ClockCommandAgent::trim_rtc() { return Status::NoRtc; }

Status ClockCommandAgent::write_rtc() { return Status::NoRtc; }

}  // namespace gnomon
