#include "servo/discipline/frequency_trend.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

// Averages do not reach across longer silence: the frequency was not measured.
constexpr double kMaxGapS = 3600.0;
// Three days.
constexpr double kForgetting = 1.0 - 1.0 / 432.0;
constexpr double kMinIndependentTests = 2.0;
constexpr double kMaxRemainingError = 0.6;

}  // namespace

void FrequencyTrend::Score::add(double guess, double outcome) noexcept {
    squares = kForgetting * squares + guess * guess;
    products = kForgetting * products + guess * outcome;
}

double FrequencyTrend::Score::scale() const noexcept {
    return squares > 0.0 ? std::clamp(products / squares, 0.0, 1.0) : 0.0;
}

bool FrequencyTrend::Score::is_good(double outcome_squares) const noexcept {
    return remaining(outcome_squares) < kMaxRemainingError * outcome_squares;
}

void FrequencyTrend::add(MonoTime now, double correction) noexcept {
    if (!std::isfinite(correction)) return;
    double elapsed_s = last_ ? (now - *last_).to_seconds() : 0.0;
    if (elapsed_s > kMaxGapS || elapsed_s < 0.0) {
        count_ = 0;
        sum_ = seconds_ = elapsed_s = 0.0;
    }
    while (seconds_ + elapsed_s >= kAverageS) {
        const double part_s = kAverageS - seconds_;
        finish_average((sum_ + correction_ * part_s) / kAverageS);
        elapsed_s -= part_s;
        sum_ = seconds_ = 0.0;
    }
    sum_ += correction_ * elapsed_s;
    seconds_ += elapsed_s;
    last_ = now;
    correction_ = correction;
}

void FrequencyTrend::finish_average(double value) noexcept {
    newest_ = (newest_ + 1) % kStored;
    averages_[static_cast<std::size_t>(newest_)] = value;
    count_ = std::min(count_ + 1, kStored);
    if (count_ == kStored) judge();
}

double FrequencyTrend::slope(int back) const noexcept {
    constexpr double kMiddle = 0.5 * (kWindow - 1);
    double products = 0.0;
    double squares = 0.0;
    for (int i = 0; i < kWindow; ++i) {
        const double x = kMiddle - i;  // i counts into the past
        products += x * average(back + i);
        squares += x * x;
    }
    return products / squares;
}

double FrequencyTrend::mean_change(int back) const noexcept {
    double sum = 0.0;
    for (int i = 0; i < kWindow; ++i) sum += average(back + i);
    return sum / kWindow - average(back);
}

void FrequencyTrend::judge() noexcept {
    double outcome = 0.0;
    for (int i = 0; i < kHorizon; ++i) outcome += average(i);
    outcome = outcome / kHorizon - average(kHorizon);
    tests_ = kForgetting * tests_ + 1.0;
    outcome_squares_ = kForgetting * outcome_squares_ + outcome * outcome;
    drift_.add(slope(kHorizon) * 0.5 * (kHorizon + 1), outcome);
    mean_.add(mean_change(kHorizon), outcome);
}

std::optional<FrequencyTrend::Guess> FrequencyTrend::guess() const noexcept {
    if (count_ < kWindow || tests_ < kMinIndependentTests * kHorizon) return std::nullopt;
    const bool is_drift = drift_.remaining(outcome_squares_) <= mean_.remaining(outcome_squares_);
    const Score& better = is_drift ? drift_ : mean_;
    if (!better.is_good(outcome_squares_)) return std::nullopt;
    if (is_drift) return Guess{0.0, drift_.scale() * slope(0) / kAverageS};
    return Guess{mean_.scale() * (mean_change(0) + average(0) - correction_), 0.0};
}

}  // namespace gnomon
