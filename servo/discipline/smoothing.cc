#include "servo/discipline/smoothing.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

// The clock has settled when its skew is small against the wander allowed.
constexpr double kMaxSkewPerWanderS = 10'000.0;

}  // namespace

TimeSmoothing::TimeSmoothing(const SmoothingConfig& config)
    : config_(config), enabled_(config.max_frequency > 0.0 && config.max_wander > 0.0) {}

double TimeSmoothing::offset_s(UtcTime now) const noexcept {
    return enabled_ ? state_at(now).offset_s : 0.0;
}

bool TimeSmoothing::adjust(const ClockAdjustment& adjustment, double skew) {
    if (!enabled_) return false;
    bool activated = false;
    if (adjustment.kind == ClockAdjustment::Kind::Slew) {
        activated = config_.leap_only ? update(adjustment.at, 0.0, 0.0, skew)
                                      : update(adjustment.at, adjustment.offset_change_s,
                                               adjustment.frequency_change, skew);
    }
    if (!last_update_.is_zero()) last_update_ += adjustment.shift(last_update_);
    return activated;
}

bool TimeSmoothing::leap(UtcTime now, int leap, double skew) {
    if (!enabled_ || !config_.leap_only) return false;
    return update(now, -static_cast<double>(leap), 0.0, skew);
}

bool TimeSmoothing::activate(UtcTime now) {
    if (!enabled_ || active_) return false;
    active_ = true;
    last_update_ = now;
    return true;
}

bool TimeSmoothing::reset(UtcTime now) {
    if (!enabled_) return false;
    offset_s_ = 0.0;
    frequency_ = 0.0;
    last_update_ = now;
    stages_ = {};
    return true;
}

TimeSmoothing::Report TimeSmoothing::report(UtcTime now) const noexcept {
    Report report;
    if (!enabled_) return report;
    const State state = state_at(now);
    report.active = active_;
    report.leap_only = config_.leap_only;
    report.offset_s = state.offset_s;
    report.frequency_ppm = -1e6 * state.frequency;
    report.wander_ppm_per_s = -1e6 * state.wander;
    const double elapsed_s = (now - last_update_).to_seconds();
    if (active_ && elapsed_s >= 0.0) {
        double length_s = 0.0;
        for (const Stage& stage : stages_) length_s += stage.length_s;
        report.last_update_ago_s = elapsed_s;
        report.remaining_s = std::max(0.0, length_s - elapsed_s);
    }
    return report;
}

TimeSmoothing::State TimeSmoothing::state_at(UtcTime now) const noexcept {
    State state{offset_s_, frequency_, 0.0};
    double elapsed_s = (now - last_update_).to_seconds();
    for (const Stage& stage : stages_) {
        if (elapsed_s <= 0.0) return state;
        const double length_s = std::min(stage.length_s, elapsed_s);
        state.wander = stage.wander;
        state.offset_s -= length_s * (state.frequency + 0.5 * stage.wander * length_s);
        state.frequency += stage.wander * length_s;
        elapsed_s -= length_s;
    }
    if (elapsed_s > 0.0) {
        state.wander = 0.0;
        state.offset_s -= elapsed_s * state.frequency;
    }
    return state;
}

bool TimeSmoothing::update(UtcTime now, double offset_s, double frequency, double skew) {
    if (!active_) {
        const bool settled = skew / config_.max_wander < kMaxSkewPerWanderS;
        return (settled || config_.leap_only) && activate(now);
    }
    const State state = state_at(now);
    // What moves the clock is taken back from the served time, to be given to it slowly.
    offset_s_ = state.offset_s - offset_s;
    frequency_ = (state.frequency + frequency) / (1.0 + frequency);
    last_update_ = now;
    plan();
    return false;
}

void TimeSmoothing::plan() {
    const double wander = config_.max_wander;
    const double ramp_area_s = frequency_ * frequency_ / (2.0 * wander);

    // In direction d the frequency rises to a peak p and falls to zero:
    //   d·offset = (p² − f²)/(2w) + p²/(2w)   ⇒   p² = w·d·offset + f²/2
    // Of the two directions one has both ramps of non-negative length; for tiny offsets rounding can
    // spoil either, then the smaller defect wins.
    double direction = 1.0;
    double peak = 0.0;
    double best_defect = 0.0;
    for (const double d : {1.0, -1.0}) {
        const double square = wander * (d * offset_s_ + ramp_area_s);
        const double p = square > 0.0 ? std::sqrt(square) : 0.0;
        const double rise_s = (p - d * frequency_) / wander;
        double defect = square < 0.0 ? -square / (wander * wander) : 0.0;
        if (rise_s < 0.0) defect += rise_s * rise_s;
        if (d > 0.0 || defect < best_defect) {
            direction = d;
            peak = p;
            best_defect = defect;
        }
    }

    const double along = direction * frequency_;
    double rise_s = std::max(0.0, (peak - along) / wander);
    double coast_s = 0.0;
    if (peak > config_.max_frequency) {
        // Above the limit already: no rise at all, never more.
        peak = std::max(config_.max_frequency, along);
        rise_s = (peak - along) / wander;
        const double ramps_s =
            (peak * peak - along * along) / (2.0 * wander) + peak * peak / (2.0 * wander);
        coast_s = std::max(0.0, (direction * offset_s_ - ramps_s) / peak);
    }
    stages_[0] = Stage{direction * wander, rise_s};
    stages_[1] = Stage{0.0, coast_s};
    stages_[2] = Stage{-direction * wander, peak / wander};
}

}  // namespace gnomon
