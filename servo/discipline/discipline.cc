#include "servo/discipline/discipline.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "servo/discipline/steering.h"

namespace gnomon {
namespace {

// "MANU": how tracking.log names the manual reference.
constexpr RefId kManualRefId{0x4D414E55};
// Weight of what we expected of the clock against what was measured.
constexpr double kExpectationWeight = 3.0;
constexpr double kMeanSquareGain = 0.1;
// The ratio at which `SteeringConfig` is used as it is.
constexpr double kUsualCorrectionTimeRatio = 3.0;
// So many updates are a start: the frequency is known from one or two long intervals at best.
constexpr int kStartUpdates = 8;
// No correction of more than an era makes sense, and NaN is none.
constexpr double kMaxOffsetS = 4294967296.0;

struct FrequencyEstimate {
    double change = 0.0;    ///< to be applied
    double residual = 0.0;  ///< measured, but not applied
    double skew = 0.0;
};

/// Merges the measured frequency error with the expectation that there is none. The bound of the
/// latter is wide once we follow an estimator, which then is followed almost fully: it knows what
/// was applied and needs no second filter behind it. `trusted` takes the measurement as it is; with
/// `usable` false the frequency stays.
FrequencyEstimate merge_frequency(double measured, double measured_sd, double measured_skew,
                                  double expected_skew, bool trusted, bool usable) {
    double gain = 0.0;
    if (trusted) {
        gain = 1.0;
    } else if (usable) {
        const double expected = kExpectationWeight * expected_skew * expected_skew;
        const double total = expected + measured_sd * measured_sd;
        gain = total > 0.0 ? std::clamp(expected / total, 0.0, 1.0) : 0.0;
    }
    FrequencyEstimate merged;
    merged.change = gain * measured;
    merged.residual = measured - merged.change;
    // The disagreement between both widens the bound.
    const double disagreement = std::sqrt(merged.change * merged.change * (1.0 - gain) +
                                          merged.residual * merged.residual * gain);
    merged.skew = expected_skew + gain * (measured_skew - expected_skew) + disagreement;
    return merged;
}

NtpClockConfig clock_config(const DisciplineConfig& config, Frequency max_frequency) {
    NtpClockConfig clock;
    clock.max_slew_rate = config.max_slew_rate;
    clock.max_frequency = max_frequency;
    clock.foreign_step_threshold = config.foreign_step_threshold;
    return clock;
}

}  // namespace

Discipline::Discipline(const DisciplineConfig& config, const ClockProperties& clock, Instant now)
    : config_(config),
      clock_(clock_config(config, clock.max_frequency), now.system, clock.frequency),
      fallback_(config.fallback_drift_min_log2, config.fallback_drift_max_log2),
      smoothing_(config.smoothing),
      can_leap_(clock.can_leap),
      frequency_(clock.frequency),
      unsynchronised_since_(now.mono) {
    if (config_.drift_file_interval) drift_schedule_.emplace(*config_.drift_file_interval);
    if (config_.leap_mode == LeapMode::System && !can_leap_) config_.leap_mode = LeapMode::Step;
}

void Discipline::start(Instant now, const std::optional<DriftRecord>& drift) {
    if (drift) {
        skew_ = drift->skew;
        set_frequency(now, drift->correction);
    }
    set_unsynchronised(now);
}

bool Discipline::begin_wakeup(Instant now) {
    const auto jump = clock_.check_foreign_step(now.system, now.mono);
    if (!jump) return false;
    events_.emplace_back(TimeJump{*jump});
    clock_.drop_remaining(now.system);
    ClockAdjustment adjustment;
    adjustment.kind = ClockAdjustment::Kind::UnknownStep;
    adjustment.at = to_utc(now.system) - *jump;
    adjustment.offset_change_s = jump->to_seconds();
    broadcast(adjustment, now);
    return true;
}

void Discipline::forget_sources(Instant now) {
    clock_.drop_remaining(now.system);
    ClockAdjustment adjustment;
    adjustment.kind = ClockAdjustment::Kind::UnknownStep;
    adjustment.at = to_utc(now.system);
    broadcast(adjustment, now);
}

void Discipline::handle_timeout(Instant now) {
    clock_.tick(now.system);
    if (leap_start_ && now.system >= *leap_start_) start_leap(now);
    if (leap_end_ && now.mono >= *leap_end_) end_leap(now);
    if (fallback_.deadline() && now.mono >= *fallback_.deadline()) {
        use_fallback(now, fallback_.expire());
        set_unsynchronised(now);
    }
    if (holdover_at_ && now.mono >= *holdover_at_) continue_holdover(now);
}

Duration Discipline::next_timeout(Instant now) const {
    Duration next = clock_.slew_end() - now.system;
    if (leap_start_) next = std::min(next, *leap_start_ - now.system);
    if (leap_end_) next = std::min(next, *leap_end_ - now.mono);
    if (fallback_.deadline()) next = std::min(next, *fallback_.deadline() - now.mono);
    if (holdover_at_) next = std::min(next, *holdover_at_ - now.mono);
    return std::max(next, Duration::zero());
}

void Discipline::update(Instant now, const ClockUpdate& update, std::uint32_t random) {
    if (mode_ != DisciplineMode::Normal) {
        update_once(now, true, update.estimate.offset_s);
        return;
    }
    follow(now, update, update.leap == Leap::Unsynchronised, random);
}

void Discipline::set_manual_reference(Instant now, UtcTime at, double offset_s, double frequency,
                                      double skew, std::uint32_t random) {
    ClockUpdate update;
    update.estimate.at = at;
    update.estimate.offset_s = offset_s;
    update.estimate.frequency = frequency;
    update.estimate.frequency_sd = skew;
    update.skew = skew;
    update.leap = Leap::Unsynchronised;
    update.stratum = 0;
    update.ref_id = kManualRefId;
    update.combined = 1;
    this->update(now, update, random);
}

void Discipline::follow(Instant now, const ClockUpdate& update, bool manual, std::uint32_t random) {
    const UtcTime now_utc = to_utc(now.system);
    const double remaining_s = clock_.remaining_s(now.system);
    const Estimate& estimate = update.estimate;
    const double offset_s =
        estimate.offset_s + (now_utc - estimate.at).to_seconds() * estimate.frequency;
    const double interval_s = last_update_ ? (now.mono - *last_update_).to_seconds() : 0.0;

    const FrequencyEstimate merged =
        merge_frequency(estimate.frequency, estimate.frequency_sd, update.skew, skew_, manual,
                        std::fabs(update.skew) <= config_.max_update_skew);
    if (!offset_allowed(offset_s)) return;

    const double root_distance_before_s = root_delay_s_ / 2.0 + root_dispersion_s(now_utc);
    synchronised_ = !manual;
    stratum_ = static_cast<Stratum>(update.stratum + 1);
    ref_id_ = update.ref_id;
    source_ = manual ? std::nullopt : std::optional<SourceId>(update.source);
    has_reference_ = true;
    reference_time_ = estimate.at;
    skew_ = merged.skew;
    residual_frequency_ = merged.residual;
    root_delay_s_ = update.root_delay_s;
    root_dispersion_s_ = update.root_dispersion_s;
    offset_sd_s_ = estimate.offset_sd_s;
    frequency_sd_ = estimate.frequency_sd;
    wander_ = update.wander;
    last_update_ = now.mono;
    // After a gap the next update will not be as long in coming.
    usual_interval_s_ =
        last_update_interval_s_ > 0.0 ? std::min(interval_s, last_update_interval_s_) : interval_s;
    last_update_interval_s_ = interval_s;
    last_offset_s_ = offset_s;
    start_updates_ = std::min(start_updates_ + 1, kStartUpdates + 1);

    // A step takes with it what was still to be slewed.
    const bool step = step_wanted(offset_s + remaining_s);
    const double area_s2 =
        manual ? 0.0 : steering_area_s2(estimate, offset_s + remaining_s, usual_interval_s_);
    accumulate(now, merged.change, step ? -remaining_s : offset_s, area_s2, true);
    if (std::fabs(offset_s) > config_.log_change_s) events_.emplace_back(ClockWrong{offset_s});
    if (config_.mail_change_s && std::fabs(offset_s) > *config_.mail_change_s) {
        events_.emplace_back(ClockChangeMail{offset_s});
    }
    if (step) request_step(now, offset_s + remaining_s, StepReason::Update);

    update_leap_status(now, update.leap, false);
    update_sync_status(now_utc);

    // Up to a second earlier, chosen at random: its exact value would help to forge replies.
    reference_time_ = reference_time_ - Duration::from_seconds(random / 4294967295.0);

    log_tracking(now_utc, update.combined, offset_s, remaining_s, root_distance_before_s);
    remember_update(now, offset_s, Duration::from_seconds(interval_s));
    reference_adjustments_ = 0;
}

void Discipline::remember_update(Instant now, double offset_s, Duration interval) {
    if (drift_schedule_ && drift_schedule_->update(interval)) {
        events_.emplace_back(WriteDriftFile{drift_record()});
    }
    if (fallback_.enabled() && synchronised_) {
        fallback_.update(frequency_, interval);
        if (const auto correction = fallback_.schedule(now.mono, Duration::zero())) {
            use_fallback(now, *correction);
        }
    }

    start_holdover_timer(now);

    // Follows the first decreasing offsets at once, and averages from the first increase on.
    const double square_s2 = offset_s * offset_s;
    if (mean_square_moving_) {
        mean_square_offset_s2_ += kMeanSquareGain * (square_s2 - mean_square_offset_s2_);
    } else {
        mean_square_moving_ = mean_square_offset_s2_ > 0.0 && mean_square_offset_s2_ < square_s2;
        mean_square_offset_s2_ = square_s2;
    }
}

bool Discipline::adjust_reference(Instant now, double offset_s, double frequency) {
    ++reference_adjustments_;
    const double interval_s =
        last_reference_adjustment_ ? (now.mono - *last_reference_adjustment_).to_seconds() : 0.0;
    last_reference_adjustment_ = now.mono;
    const double area_s2 = std::max(
        correction_area_s2(std::fabs(offset_s), interval_s),
        correction_area_s2(offset_sd_s_, last_update_interval_s_) / reference_adjustments_);
    return accumulate(now, frequency, offset_s, area_s2, false);
}

void Discipline::set_unsynchronised(Instant now) {
    if (mode_ != DisciplineMode::Normal) {
        update_once(now, false, 0.0);
        return;
    }
    if (fallback_.enabled()) {
        const Duration unsynchronised = last_update_ ? now.mono - *last_update_ : Duration::max();
        if (const auto correction = fallback_.schedule(now.mono, unsynchronised)) {
            use_fallback(now, *correction);
        }
    }
    clear_leap_status(now);
    source_.reset();
    has_reference_ = false;
    stratum_ = 0;
    if (synchronised_) unsynchronised_since_ = now.mono;
    synchronised_ = false;
    pending_sync_ = SetSyncStatus{};

    const UtcTime now_utc = to_utc(now.system);
    log_tracking(now_utc, 0, 0.0, clock_.remaining_s(now.system),
                 root_delay_s_ / 2.0 + root_dispersion_s(now_utc));
}

void Discipline::prepare_exit(Instant now) {
    clear_leap_status(now);
    clock_.stop_slewing(now.system);
}

void Discipline::update_once(Instant now, bool valid, double offset_s) {
    if (mode_ == DisciplineMode::Ignore) return;
    if (!valid) {
        events_.emplace_back(NoSuitableSource{mode_});
        end_mode(false);
        return;
    }
    const bool step = mode_ == DisciplineMode::UpdateOnce ||
                      (mode_ == DisciplineMode::InitStepSlew &&
                       std::fabs(offset_s) >= config_.init_step_threshold_s);
    events_.emplace_back(InitialOffset{offset_s, mode_, step});
    if (step) {
        request_step(now, offset_s, StepReason::Once);
    } else if (mode_ == DisciplineMode::InitStepSlew) {
        add_offset(now, offset_s);
    }
    end_mode(true);
}

void Discipline::end_mode(bool success) {
    events_.emplace_back(ModeEnded{mode_, success});
    mode_ = DisciplineMode::Ignore;
}

bool Discipline::make_step(Instant now) {
    const double remaining_s = clock_.remaining_s(now.system);
    if (!is_sane(UtcTime::from_ns(now.system.ns()), remaining_s)) return false;
    if (!accumulate(now, 0.0, -remaining_s, 0.0, true)) return false;
    return request_step(now, remaining_s, StepReason::Operator);
}

bool Discipline::add_offset(Instant now, double offset_s) {
    return accumulate(now, 0.0, offset_s, 0.0, true);
}

void Discipline::add_frequency(Instant now, double frequency) {
    set_frequency(now, Frequency::from_ratio((1.0 + frequency_.ratio()) * (1.0 + frequency) - 1.0));
}

double Discipline::set_temperature_compensation(Instant now, double compensation) {
    if (temperature_compensation_ != compensation) {
        temperature_compensation_ = compensation;
        clock_.set_base(now.system, compensated(frequency_));
    }
    return temperature_compensation_;
}

bool Discipline::offset_allowed(double offset_s) {
    if (!config_.max_change) return true;
    MaxChange& limit = *config_.max_change;
    if (limit.start < 0) return true;
    if (limit.start > 0) {
        --limit.start;
        return true;
    }
    if (std::fabs(offset_s) <= limit.offset_s) return true;
    const bool fatal = limit.ignore == 0;
    events_.emplace_back(ChangeTooLarge{offset_s, limit.offset_s, fatal});
    if (fatal) {
        end_mode(false);
    } else if (limit.ignore > 0) {
        --limit.ignore;
    }
    return false;
}

bool Discipline::step_wanted(double offset_s) {
    MakeStep& step = config_.make_step;
    if (step.limit == 0) return false;
    if (step.limit > 0) --step.limit;
    return std::fabs(offset_s) > step.threshold_s;
}

bool Discipline::is_sane(UtcTime t, double offset_s) {
    if (std::fabs(offset_s) < kMaxOffsetS) {  // false for NaN
        const UtcTime target = t + Duration::from_seconds(offset_s);
        if (target >= config_.earliest_time && target <= config_.latest_time) return true;
    }
    events_.emplace_back(AdjustmentInvalid{offset_s});
    return false;
}

Frequency Discipline::clamp_frequency(Frequency correction) {
    const double limit = config_.max_drift.ratio();
    if (std::fabs(correction.ratio()) <= limit) return correction;
    events_.emplace_back(FrequencyClamped{-correction.ppm()});
    // NaN, too, ends up at a limit: never in the clock.
    return Frequency::from_ratio(correction.ratio() > 0.0 ? limit : -limit);
}

Frequency Discipline::compensated(Frequency correction) const noexcept {
    return Frequency::from_ratio((1.0 + correction.ratio()) * (1.0 + temperature_compensation_) -
                                 1.0);
}

double Discipline::correction_area_s2(double offset_s, double interval_s) const noexcept {
    // An offset as large as the noise of the measurements is corrected over `corrtimeratio` update
    // intervals, larger ones proportionally faster: corrections then add little frequency error
    // to what the clock has anyway.
    return config_.correction_time_ratio * 0.5 * offset_s * interval_s;
}

double Discipline::steering_area_s2(const Estimate& estimate, double remaining_s,
                                    double interval_s) const noexcept {
    SteeringConfig config;
    const double slower = config_.correction_time_ratio / kUsualCorrectionTimeRatio;
    // Whoever configures slower corrections means those of `corrtimeratio`.
    if (slower > 1.0) return correction_area_s2(estimate.offset_sd_s, interval_s);
    config.frequency_weight *= slower;
    config.max_intervals *= slower;
    config.starting = start_updates_ <= kStartUpdates;
    return std::fabs(remaining_s) *
           correction_duration_s(estimate, remaining_s, interval_s, config);
}

bool Discipline::accumulate(Instant now, double frequency, double offset_s, double area_s2,
                            bool tell) {
    const UtcTime at = to_utc(now.system);
    if (!is_sane(at, offset_s)) return false;
    const double before = frequency_.ratio();
    frequency_ = clamp_frequency(Frequency::from_ratio((1.0 + before) * (1.0 + frequency) - 1.0));
    clock_.adjust(now.system, compensated(frequency_), offset_s, area_s2);
    if (tell) {
        ClockAdjustment adjustment;
        adjustment.at = at;
        adjustment.frequency_change = (frequency_.ratio() - before) / (1.0 + before);
        adjustment.offset_change_s = offset_s;
        broadcast(adjustment, now);
    }
    return true;
}

void Discipline::set_frequency(Instant now, Frequency correction) {
    const double before = frequency_.ratio();
    frequency_ = clamp_frequency(correction);
    ClockAdjustment adjustment;
    adjustment.at = to_utc(now.system);
    adjustment.frequency_change = (frequency_.ratio() - before) / (1.0 + before);
    clock_.set_base(now.system, compensated(frequency_));
    broadcast(adjustment, now);
}

bool Discipline::request_step(Instant now, double offset_s, StepReason reason) {
    if (!is_sane(UtcTime::from_ns(now.system.ns()), offset_s)) return false;
    pending_step_ = PendingStep{offset_s, reason};
    return true;
}

void Discipline::step_done(Instant now, Duration by, bool ok) {
    if (!pending_step_) return;
    const PendingStep step = *pending_step_;
    pending_step_.reset();
    if (!ok) {
        events_.emplace_back(StepFailed{step.offset_s});
        if (step.reason == StepReason::Update || step.reason == StepReason::Operator) {
            add_offset(now, step.offset_s);
        }
        return;
    }
    ClockAdjustment adjustment;
    adjustment.kind = ClockAdjustment::Kind::Step;
    adjustment.at = to_utc(now.system);
    adjustment.offset_change_s = by.to_seconds();
    clock_.step_applied(by);
    now.system += by;
    if (smoothing_.reset(adjustment.at)) {
        events_.emplace_back(SmoothingChanged{false, config_.smoothing.leap_only});
    }
    if (step.reason == StepReason::LeapSecond) {
        // UTC did the same: whoever holds times of before holds them right.
        events_.emplace_back(ClockStepped{step.offset_s, true});
        return;
    }
    broadcast(adjustment, now);
    if (step.reason != StepReason::Once) events_.emplace_back(ClockStepped{step.offset_s, false});
}

void Discipline::broadcast(const ClockAdjustment& adjustment, Instant now) {
    adjustments_.push_back(adjustment);
    if (smoothing_.adjust(adjustment, skew_)) {
        events_.emplace_back(SmoothingChanged{true, config_.smoothing.leap_only});
    }
    if (!reference_time_.is_zero()) reference_time_ += adjustment.shift(reference_time_);
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        last_update_.reset();
        start_updates_ = 0;
        holdover_at_.reset();
        set_unsynchronised(now);
    }
    // After a jump the next leap second may be on another day.
    if (adjustment.kind != ClockAdjustment::Kind::Slew && leap_step_s_ != 0 && !leap_in_progress_) {
        update_leap_status(now, leap_, true);
    }
}

std::optional<ClockCommand> Discipline::next_command(SystemTime now) {
    if (pending_step_) return StepClock{Duration::from_seconds(pending_step_->offset_s)};
    if (const auto frequency = clock_.pending_frequency()) return SetFrequency{*frequency};
    if (pending_leap_) return *std::exchange(pending_leap_, std::nullopt);
    if (pending_sync_) {
        SetSyncStatus status = *std::exchange(pending_sync_, std::nullopt);
        // The kernel speaks of the system clock, which is off by what is still to be slewed.
        const Duration remaining = abs(Duration::from_seconds(clock_.remaining_s(now)));
        status.estimated_error = std::max(status.estimated_error, remaining);
        status.maximum_error += remaining;
        return status;
    }
    return std::nullopt;
}

std::vector<ClockAdjustment> Discipline::take_adjustments() {
    return std::exchange(adjustments_, {});
}

std::vector<DisciplineEvent> Discipline::take_events() { return std::exchange(events_, {}); }

}  // namespace gnomon
