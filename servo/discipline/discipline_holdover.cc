#include <algorithm>
#include <cmath>

#include "servo/discipline/discipline.h"

// When updates stay away: how the frequency goes on, and how wrong the clock may become.

namespace gnomon {
namespace {

// Silence is holdover when so many updates are missing.
constexpr double kMissingUpdates = 4.0;
constexpr double kMinSilenceS = 256.0;
// The drift is followed in steps: a drift of 1e-7 per day makes 0.04 µs of one.
constexpr double kStepS = 256.0;
/// 99.9 % of a normal distribution, as for the skew.
constexpr double kWanderBoundSigmas = 3.29;

double usual_silence_s(double interval_s) noexcept {
    return std::max(kMissingUpdates * interval_s, kMinSilenceS);
}

}  // namespace

void Discipline::use_fallback(Instant now, Frequency correction) {
    set_frequency(now, correction);
    events_.emplace_back(FallbackDriftUsed{0.0 - frequency_.ppm(), fallback_.used_log2()});
}

void Discipline::start_holdover_timer(Instant now) {
    holdover_at_.reset();
    holdover_change_ = 0.0;
    if (!synchronised_) return;
    trend_.add(now.mono, frequency_.ratio());
    // `fallbackdrift` is a wish.
    if (fallback_.enabled()) return;
    holdover_at_ = now.mono + Duration::from_seconds(usual_silence_s(usual_interval_s_));
}

bool Discipline::is_measured(MonoTime now) const noexcept {
    if (!synchronised_ || !last_update_) return false;
    return (now - *last_update_).to_seconds() < usual_silence_s(usual_interval_s_);
}

void Discipline::continue_holdover(Instant now) {
    holdover_at_.reset();
    const auto guess = trend_.guess();
    if (!guess || !last_update_) return;
    const double silent_s = (now.mono - *last_update_).to_seconds();
    // The frequency of the middle of the step that begins now.
    const double middle_s = silent_s + 0.5 * kStepS;
    const double before = holdover_change_;
    holdover_change_ =
        guess->jump + guess->slope_per_s * std::min(middle_s, FrequencyTrend::kHorizonS);
    // The difference alone, because others may have changed the frequency since the last step.
    set_frequency(
        now, Frequency::from_ratio(
                 (1.0 + frequency_.ratio()) * (1.0 + holdover_change_) / (1.0 + before) - 1.0));
    if (guess->slope_per_s != 0.0 && middle_s < FrequencyTrend::kHorizonS) {
        holdover_at_ = now.mono + Duration::from_seconds(kStepS);
    }
}

/// Beyond what grows linearly: the wander of the frequency, of which `maxclockerror` stands for the
/// part that it is larger than, and the whole of what a guess changed, should it be wrong.
double Discipline::holdover_dispersion_s(double age_s) const noexcept {
    const double wander_s = kWanderBoundSigmas * wander_ * std::sqrt(age_s * age_s * age_s / 3.0);
    return std::max(wander_s - config_.max_clock_error * age_s, 0.0) +
           std::fabs(holdover_change_) * age_s;
}

}  // namespace gnomon
