#include "servo/filter/emg/emg_filter.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr double kMaxTimeVariance_s2 = 1e20;
constexpr double kMinTimeVariance_s2 = 1e-30;
constexpr double kMaxFrequencyVariance = 1.0;
constexpr double kMinFrequencyVariance = 1e-34;
/// Rounding of one double, one sigma.
constexpr double kRounding = 1.2e-16;

}  // namespace

void EmgFilter::start(const State& mean, const State& sd) noexcept {
    x_ = mean;
    p_.setZero();
    p_.diagonal() = sd.cwiseProduct(sd);
    repair();
}

void EmgFilter::predict(double d_s, double wander, double white_fm,
                        double base_variance_s2) noexcept {
    const double q2 = wander * wander;
    x_(0) += d_s * x_(1);
    // F P Fᵀ with F = [1 d 0; 0 1 0; 0 0 1], entry by entry.
    p_(0, 0) += d_s * (2.0 * p_(0, 1) + d_s * p_(1, 1)) + q2 * d_s * d_s * d_s / 3.0 +
                white_fm * white_fm * d_s;
    p_(0, 1) += d_s * p_(1, 1) + q2 * d_s * d_s / 2.0;
    p_(0, 2) += d_s * p_(1, 2);
    p_(1, 1) += q2 * d_s;
    p_(2, 2) += base_variance_s2;
    p_(1, 0) = p_(0, 1);
    p_(2, 0) = p_(0, 2);
    repair();
}

double EmgFilter::innovation(Way way, double observed_s) const noexcept {
    return way == Way::Forward ? observed_s - x_(2) - x_(0) : observed_s - x_(2) + x_(0);
}

double EmgFilter::innovation_variance(Way way) const noexcept {
    const double cross = way == Way::Forward ? p_(0, 2) : -p_(0, 2);
    return std::max(p_(0, 0) + 2.0 * cross + p_(2, 2), kMinTimeVariance_s2);
}

EmgPosterior EmgFilter::update(Way way, double observed_s, const EmgNoise& noise) noexcept {
    const double sign = way == Way::Forward ? 1.0 : -1.0;
    const State g = p_.col(2) + sign * p_.col(0);
    const double s = innovation_variance(way);
    const EmgPosterior posterior = emg_update(innovation(way, observed_s), s, noise);
    const State k = g / s;
    x_ += k * posterior.mean;
    if (posterior.variance < s) {
        // The equivalent Kalman gain is θ k with θ = 1 − V/S, its noise R = V/θ, so that θ² R = θ V.
        const double theta = 1.0 - posterior.variance / s;
        const State gain = theta * k;
        Covariance rest = Covariance::Identity();
        rest.col(0) -= sign * gain;
        rest.col(2) -= gain;
        const Covariance half = rest * p_;
        p_.noalias() = half * rest.transpose();
        p_ += (theta * posterior.variance) * (k * k.transpose());
    } else {
        p_ += (posterior.variance - s) * (k * k.transpose());
    }
    repair();
    return posterior;
}

void EmgFilter::adjust(double shift_s, double frequency_change) noexcept {
    const double stretch = 1.0 / (1.0 + frequency_change);
    const double rounding_s = kRounding * (std::fabs(shift_s) + std::fabs(x_(0)));
    x_(0) -= shift_s;
    x_(1) = (x_(1) - frequency_change) * stretch;
    p_.row(1) *= stretch;
    p_.col(1) *= stretch;
    p_(0, 0) += rounding_s * rounding_s;
}

void EmgFilter::open_base(double sd_s) noexcept {
    p_(2, 2) += sd_s * sd_s;
    repair();
}

void EmgFilter::open_clock(double offset_sd_s, double frequency_sd) noexcept {
    p_(0, 0) += offset_sd_s * offset_sd_s;
    p_(1, 1) += frequency_sd * frequency_sd;
    repair();
}

/// Symmetric, finite, bounded, and no correlation beyond one by rounding.
void EmgFilter::repair() noexcept {
    if (!p_.allFinite() || !x_.allFinite()) {
        if (!x_.allFinite()) x_.setZero();
        p_.setZero();
        p_.diagonal() << kMaxTimeVariance_s2, kMaxFrequencyVariance, kMaxTimeVariance_s2;
        return;
    }
    p_(0, 0) = std::clamp(p_(0, 0), kMinTimeVariance_s2, kMaxTimeVariance_s2);
    p_(1, 1) = std::clamp(p_(1, 1), kMinFrequencyVariance, kMaxFrequencyVariance);
    p_(2, 2) = std::clamp(p_(2, 2), kMinTimeVariance_s2, kMaxTimeVariance_s2);
    for (int i = 0; i < 2; ++i) {
        for (int j = i + 1; j < 3; ++j) {
            const double bound = 0.999999999999 * std::sqrt(p_(i, i) * p_(j, j));
            p_(i, j) = p_(j, i) = std::clamp(0.5 * (p_(i, j) + p_(j, i)), -bound, bound);
        }
    }
}

}  // namespace gnomon
