#include "servo/filter/pi_estimator.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr double kMaxFrequency = 0.5;
/// Weight of the newest innovation in the moving variance.
constexpr double kVarianceGain = 1.0 / 16.0;

}  // namespace

PiEstimator::PiEstimator(const PiConfig& config) : config_(config) {}

void PiEstimator::reset() noexcept {
    samples_ = 0;
    at_ = UtcTime();
    offset_s_ = frequency_ = innovation_variance_s2_ = interval_s_ = 0.0;
    alpha_ = beta_ = 1.0;
}

void PiEstimator::update(const SampleHistory& history) noexcept {
    if (history.empty()) return;
    // A history that was there before us (dump file) is taken in as a whole.
    for (int k = samples_ == 0 ? history.stored() - 1 : 0; k >= 0; --k) take(history.recent(k));
}

void PiEstimator::take(const Sample& sample) noexcept {
    const double d_s = samples_ > 0 ? (sample.at - at_).to_seconds() : 0.0;
    if (samples_ == 0 || !(d_s > 0.0)) {
        offset_s_ = sample.offset_s;
        at_ = sample.at;
        innovation_variance_s2_ =
            std::pow(0.5 * std::fabs(sample.peer_delay_s) + sample.peer_dispersion_s, 2);
        samples_ = 1;
        return;
    }
    interval_s_ = d_s;
    const double innovation_s = sample.offset_s - (offset_s_ + frequency_ * d_s);
    if (samples_ == 1) {
        alpha_ = beta_ = 1.0;
    } else {
        // Two samples fix a line through all their noise; full gains fade out over the next few.
        const double fade = 2.0 / samples_;
        alpha_ = std::max(
            std::min(config_.kp_scale * std::pow(d_s, config_.kp_exponent) * d_s, config_.kp_scale),
            std::min(fade, 1.0) * config_.kp_scale);
        beta_ =
            std::min(config_.ki_scale * std::pow(d_s, config_.ki_exponent) * d_s, config_.ki_scale);
        beta_ = std::max(beta_, std::min(fade, 1.0) * config_.ki_scale);
        innovation_variance_s2_ += std::max(kVarianceGain, 1.0 / samples_) *
                                   (innovation_s * innovation_s - innovation_variance_s2_);
    }
    offset_s_ += frequency_ * d_s + alpha_ * innovation_s;
    frequency_ = std::clamp(frequency_ + beta_ * innovation_s / d_s, -kMaxFrequency, kMaxFrequency);
    at_ = sample.at;
    samples_ = std::min(samples_ + 1, 1 << 20);
}

void PiEstimator::adjust(const ClockAdjustment& adjustment) noexcept {
    if (samples_ == 0) return;
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        samples_ = 0;
        return;
    }
    const Duration shift = adjustment.shift(at_);
    at_ += shift;
    offset_s_ -= shift.to_seconds();
    frequency_ = (frequency_ - adjustment.frequency_change) / (1.0 + adjustment.frequency_change);
}

void PiEstimator::shift_offsets(double offset_s) noexcept {
    if (samples_ > 0) offset_s_ += offset_s;
}

std::optional<Estimate> PiEstimator::estimate(UtcTime at) const noexcept {
    if (samples_ == 0) return std::nullopt;
    Estimate e;
    e.at = at_;
    e.offset_s = offset_s_;
    e.frequency = frequency_;
    e.frequency_sd = kUnknownSkew;
    if (samples_ > 1) {
        // Variance reduction of an alpha–beta filter in the steady state (Bar-Shalom, 6.5.3).
        const double denominator = alpha_ * (4.0 - 2.0 * alpha_ - beta_);
        const double noise_s2 = innovation_variance_s2_;
        const double share =
            (2.0 * alpha_ * alpha_ + beta_ * (2.0 - 3.0 * alpha_)) / std::max(denominator, 1e-3);
        e.offset_sd_s = std::sqrt(std::max(noise_s2 * share, 0.0));
        e.frequency_sd = std::max(
            std::sqrt(2.0 * beta_ * beta_ * noise_s2 / std::max(denominator, 1e-3)) / interval_s_,
            kMinSkew);
    } else {
        e.offset_sd_s = std::sqrt(innovation_variance_s2_);
    }
    return e.at_time(at, 0.0);
}

}  // namespace gnomon
