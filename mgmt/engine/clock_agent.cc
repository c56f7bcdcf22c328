#include "mgmt/engine/clock_agent.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "dataplane/proto/association.h"
#include "servo/actuator/clock_executor.h"
#include "servo/discipline/served_line.h"

namespace gnomon {
namespace {

constexpr std::uint32_t kDriftFileMode = 0644;

Instant instant_of(const Now& now) { return Instant{now.system, now.mono}; }

LeapMode leap_mode_of(ClockConfig::LeapMode mode) {
    switch (mode) {
        case ClockConfig::LeapMode::System: return LeapMode::System;
        case ClockConfig::LeapMode::Step: return LeapMode::Step;
        case ClockConfig::LeapMode::Slew: return LeapMode::Slew;
        case ClockConfig::LeapMode::Ignore: return LeapMode::Ignore;
    }
    return LeapMode::System;
}

std::optional<LocalReference> local_of(const LocalConfig& config) {
    if (!config.enabled) return std::nullopt;
    LocalReference local;
    local.stratum = static_cast<Stratum>(config.stratum);
    local.distance_s = config.distance_s;
    local.orphan = config.orphan;
    local.activate_s = config.activate_s;
    local.wait_synced_s = config.wait_synced_s;
    local.wait_unsynced_s = config.wait_unsynced_s;
    return local;
}

DisciplineConfig discipline_config(const Config& config, const EngineOptions& options,
                                   double precision_s, Log2Seconds precision_log2) {
    const ClockConfig& clock = config.clock;
    DisciplineConfig result;
    result.max_update_skew = std::fabs(clock.max_update_skew_ppm) * 1e-6;
    result.correction_time_ratio = clock.correction_time_ratio;
    result.max_drift = Frequency::from_ppm(clock.max_drift_ppm);
    result.max_slew_rate = Frequency::from_ppm(clock.max_slew_rate_ppm);
    result.max_clock_error = clock.max_clock_error_ppm * 1e-6;
    result.precision_log2 = precision_log2;
    result.precision_s = precision_s;
    result.make_step = MakeStep{clock.make_step.threshold_s, clock.make_step.limit};
    if (options.restarted && result.make_step.limit > 0) result.make_step.limit = 0;
    if (clock.max_change.start_update >= 0) {
        result.max_change = MaxChange{clock.max_change.max_offset_s, clock.max_change.start_update,
                                      clock.max_change.ignore_count};
    }
    result.log_change_s = config.log.change_threshold_s;
    result.leap_mode = leap_mode_of(clock.leap_mode);
    result.local = local_of(config.server.local);
    result.fallback_drift_min_log2 = clock.fallback_drift_min_log2_s;
    result.fallback_drift_max_log2 = clock.fallback_drift_max_log2_s;
    if (!clock.drift_file.empty()) {
        result.drift_file_interval = Duration::from_s(clock.drift_file_interval_s);
    }
    const SmoothTimeConfig& smooth = config.server.smooth_time;
    result.smoothing = SmoothingConfig{smooth.max_frequency_ppm * 1e-6,
                                       smooth.max_wander_ppm_per_s * 1e-6, smooth.leap_only};
    // What associations can read off the wire is what the clock may be set to.
    const UtcTime pivot = AssociationConfig().era_pivot;
    const Duration half_era = Duration::from_s(1LL << 31);
    result.earliest_time = std::max(pivot - half_era, UtcTime::from_ns(0));
    result.latest_time = pivot + half_era;
    return result;
}

/// TrackingLogRecord with the name of its source.
TrackingRecord row_of(const TrackingLogRecord& record, const ClockListener& listener) {
    TrackingRecord row;
    row.at = record.at;
    if (record.source) {
        row.source = listener.label_of(*record.source);
    } else if (record.ref_id) {
        row.source.ref_id = *record.ref_id;
    } else {
        row.source.address = IpAddress::v4(0);
    }
    row.stratum = record.stratum;
    row.frequency_ppm = record.frequency_ppm;
    row.skew_ppm = record.skew_ppm;
    row.offset_s = record.offset_s;
    row.leap = record.leap;
    row.combined = record.combined;
    row.offset_sd_s = record.offset_sd_s;
    row.uncorrected_offset_s = record.remaining_s;
    row.root_delay_s = record.root_delay_s;
    row.root_dispersion_s = record.root_dispersion_s;
    row.max_error_s = record.max_error_s;
    return row;
}

}  // namespace

ClockAgent::ClockAgent(const Config& config, const Services& services, const EngineOptions& options,
                       ClockListener& listener)
    : config_(config),
      services_(services),
      options_(options),
      listener_(listener),
      temperature_(config.clock.temp_comp, services) {
    precision_s_ =
        config.clock.precision_s > 0.0 ? config.clock.precision_s : options.measured_precision_s;
    precision_log2_ = static_cast<Log2Seconds>(std::lround(std::log2(precision_s_)));
}

void ClockAgent::start(const Now& now) {
    Discipline::ClockProperties properties;
    properties.frequency = services_.clock.frequency().value_or(Frequency());
    properties.max_frequency = services_.clock.max_frequency();
    properties.can_leap = services_.clock.can_leap();
    discipline_.emplace(discipline_config(config_, options_, precision_s_, precision_log2_),
                        properties, instant_of(now));
    mono_epoch_ = random() | 1U;
    load_leap_table();
    discipline_->start(instant_of(now), load_drift_file());
    // Not before: the start declares the clock unsynchronised, which would end a special mode.
    switch (options_.mode) {
        case EngineOptions::Mode::Normal: break;
        case EngineOptions::Mode::SetOnce: discipline_->set_mode(DisciplineMode::UpdateOnce); break;
        case EngineOptions::Mode::PrintOnce:
            discipline_->set_mode(DisciplineMode::PrintOnce);
            break;
    }
    temperature_.start(now.mono);
    read_temperature(now);
    settle(now);
}

void ClockAgent::read_temperature(const Now& now) {
    if (!temperature_.is_due(now.mono)) return;
    // All that the frequency takes, while somebody measures it.
    std::optional<double> correction;
    if (discipline_->is_measured(now.mono)) {
        correction = discipline_->frequency().ratio() + temperature_.compensation();
    }
    if (const auto compensation = temperature_.read(now.mono, to_utc(now.system), correction)) {
        discipline_->set_temperature_compensation(instant_of(now), *compensation);
    }
}

std::optional<DriftRecord> ClockAgent::load_drift_file() {
    const std::string& path = config_.clock.drift_file;
    if (!path.empty()) {
        if (const auto text = services_.storage.read(path)) {
            if (const auto record = parse_drift_file(*text)) {
                services_.events.on_event(
                    FrequencyRead{-record->correction.ppm(), record->skew * 1e6, path});
                return *record;
            }
            services_.events.on_event(DriftFileUnreadable{path});
        }
    }
    const double frequency_ppm = -discipline_->frequency().ppm();
    if (frequency_ppm != 0.0) services_.events.on_event(InitialFrequency{frequency_ppm});
    return std::nullopt;
}

void ClockAgent::load_leap_table() {
    const auto status = [this](LeapTableStatus::Kind kind, const std::string& name) {
        services_.events.on_event(LeapTableStatus{kind, name});
    };
    const ClockConfig& clock = config_.clock;
    if (!clock.leap_list.empty()) {
        const auto text = services_.storage.read(clock.leap_list);
        auto table = text ? LeapTable::parse_list(*text)
                          : Result<LeapTable, LeapTableError>(Unexpected(LeapTableError::BadEntry));
        if (table && table->is_plausible()) {
            discipline_->set_leap_table(std::move(table).value());
            status(LeapTableStatus::Kind::ListUsed, clock.leap_list);
            return;
        }
        status(LeapTableStatus::Kind::ListUnreadable, clock.leap_list);
    }
    if (!clock.leap_tz.empty()) {
        const auto bytes = services_.storage.read_time_zone(clock.leap_tz);
        auto table = bytes ? LeapTable::parse_tzif(*bytes)
                           : Result<LeapTable, LeapTableError>(Unexpected(LeapTableError::NotTzif));
        if (table && table->is_plausible()) {
            discipline_->set_leap_table(std::move(table).value());
            status(LeapTableStatus::Kind::ZoneUsed, clock.leap_tz);
            return;
        }
        status(LeapTableStatus::Kind::ZoneInvalid, clock.leap_tz);
    }
}

void ClockAgent::begin_turn(const Now& now) {
    if (!discipline_) return;
    discipline_->begin_wakeup(instant_of(now));
    settle(now);
}

void ClockAgent::handle_timeout(const Now& now) {
    discipline_->handle_timeout(instant_of(now));
    read_temperature(now);
    settle(now);
}

MonoTime ClockAgent::next_timeout(const Now& now) const {
    if (!discipline_) return MonoTime::max();
    return std::min(now.mono + discipline_->next_timeout(instant_of(now)),
                    temperature_.next_timeout());
}

void ClockAgent::shutdown(const Now& now) {
    if (!discipline_) return;
    const DriftRecord record = discipline_->drift_record();
    discipline_->prepare_exit(instant_of(now));
    settle(now);
    if (!config_.clock.drift_file.empty()) write_drift_file(record);
}

void ClockAgent::update(const ClockUpdate& update, const Now& now) {
    discipline_->update(instant_of(now), update, random());
    settle(now);
}

void ClockAgent::update_leap(Leap leap, const Now& now) {
    discipline_->update_leap(instant_of(now), leap);
    settle(now);
}

void ClockAgent::set_unsynchronised(const Now& now) {
    discipline_->set_unsynchronised(instant_of(now));
    settle(now);
}

void ClockAgent::forget_sources(const Now& now) {
    discipline_->forget_sources(instant_of(now));
    settle(now);
}

bool ClockAgent::make_step(const Now& now) {
    const bool ok = discipline_->make_step(instant_of(now));
    settle(now);
    return ok;
}

void ClockAgent::give_up_slew(const Now& now) {
    discipline_->add_offset(instant_of(now), -discipline_->clock().remaining_s(now.system));
    settle(now);
}

bool ClockAgent::add_offset(double offset_s, const Now& now) {
    const bool ok = discipline_->add_offset(instant_of(now), offset_s);
    settle(now);
    return ok;
}

bool ClockAgent::adjust_reference(double offset_s, double frequency, const Now& now) {
    const bool ok = discipline_->adjust_reference(instant_of(now), offset_s, frequency);
    settle(now);
    return ok;
}

void ClockAgent::add_frequency(double error_ppm, const Now& now) {
    discipline_->add_frequency(instant_of(now), -error_ppm * 1e-6);
    settle(now);
}

void ClockAgent::set_manual_reference(UtcTime at, double offset_s, double frequency, double skew,
                                      const Now& now) {
    discipline_->set_manual_reference(instant_of(now), at, offset_s, frequency, skew, random());
    settle(now);
}

bool ClockAgent::reset_smoothing(const Now& now) {
    const bool done = discipline_->smoothing().reset(to_utc(now.system));
    if (done)
        services_.events.on_event(SmoothingChanged{false, config_.server.smooth_time.leap_only});
    return done;
}

bool ClockAgent::activate_smoothing(const Now& now) {
    if (!discipline_->smoothing().enabled()) return false;
    if (discipline_->smoothing().activate(to_utc(now.system))) {
        services_.events.on_event(SmoothingChanged{true, config_.server.smooth_time.leap_only});
    }
    return true;
}

const ServerState& ClockAgent::publish(const Now& now) {
    if (discipline_) {
        const bool was_synchronised = state_.synchronised;
        const ClockLine served = state_.clock;
        state_ = discipline_->server_state(instant_of(now), random());
        settle(now);
        state_.mono_offset_s = mono_offset_s_;
        state_.mono_epoch = mono_epoch_;
        if (was_synchronised && state_.synchronised) {
            state_.clock = keep_monotone(served, state_.clock, now.system);
            state_.root_dispersion_s += state_.clock.lead.to_seconds();
        }
    }
    return state_;
}

ServerState ClockAgent::peer_state(const Now& now) {
    ServerState state = discipline_->server_state(instant_of(now), random(), false);
    state.mono_offset_s = mono_offset_s_;
    state.mono_epoch = mono_epoch_;
    return state;
}

DisciplineReport ClockAgent::report(const Now& now) {
    return discipline_->report(instant_of(now), random());
}

void ClockAgent::settle(const Now& now) {
    execute(*discipline_, services_.clock, now.mono, [this](const SysError& error) {
        services_.events.on_event(ClockControlFailed{error.message()});
    });
    for (const ClockAdjustment& adjustment : discipline_->take_adjustments()) {
        note_correction(adjustment);
        listener_.on_adjustment(adjustment, now);
    }
    for (const DisciplineEvent& event : discipline_->take_events()) deliver(event);
}

void ClockAgent::note_correction(const ClockAdjustment& adjustment) {
    if (adjustment.kind == ClockAdjustment::Kind::Slew) {
        mono_offset_s_ -= adjustment.offset_change_s;
        return;
    }
    mono_offset_s_ = 0.0;
    mono_epoch_ = random() | 1U;
}

void ClockAgent::write_drift_file(const DriftRecord& record) {
    const auto written = services_.storage.write(config_.clock.drift_file,
                                                 format_drift_file(record), kDriftFileMode);
    if (!written) services_.events.on_event(FileWriteFailed{written.error().message()});
}

void ClockAgent::deliver(const DisciplineEvent& event) {
    struct Translator {
        ClockAgent& agent;
        // Most events are told as they are.
        Event operator()(const ClockWrong& e) const { return e; }
        Event operator()(const ClockChangeMail& e) const { return e; }
        Event operator()(const InitialOffset& e) const { return e; }
        Event operator()(const NoSuitableSource& e) const { return e; }
        Event operator()(const ClockStepped& e) const { return e; }
        Event operator()(const AdjustmentInvalid& e) const { return e; }
        Event operator()(const FallbackDriftUsed& e) const { return e; }
        Event operator()(const LeapEvent& e) const { return e; }
        Event operator()(const TaiOffsetSet& e) const { return e; }
        Event operator()(const SmoothingChanged& e) const { return e; }

        Event operator()(const StepFailed&) const { return ClockStepFailed{}; }
        Event operator()(const ChangeTooLarge& e) const {
            return MaxChangeExceeded{e.offset_s, e.limit_s, e.fatal};
        }
        Event operator()(const FrequencyClamped& e) const {
            return FrequencyLimited{e.frequency_ppm};
        }
        Event operator()(const TimeJump& e) const { return TimeJumpDetected{e.by}; }
        Event operator()(const LeapTableExpired&) const {
            return LeapTableStatus{LeapTableStatus::Kind::ListExpired,
                                   agent.config_.clock.leap_list};
        }
        Event operator()(const TrackingLogRecord& e) const { return row_of(e, agent.listener_); }

        std::optional<Event> operator()(const LocalReferenceChanged&) const { return std::nullopt; }
        std::optional<Event> operator()(const ModeEnded& e) const {
            agent.exit_status_ = e.success ? 0 : 1;
            return std::nullopt;
        }
        std::optional<Event> operator()(const WriteDriftFile& e) const {
            if (!agent.config_.clock.drift_file.empty()) agent.write_drift_file(e.record);
            return std::nullopt;
        }
    };
    const auto told = std::visit(
        [this](const auto& e) -> std::optional<Event> { return Translator{*this}(e); }, event);
    if (told) services_.events.on_event(*told);
}

}  // namespace gnomon
