#include "servo/filter/emg/emg_filter.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr double kMaxTimeVariance_s2 = 1e20;
constexpr double kMinTimeVariance_s2 = 1e-30;
constexpr double kMaxFrequencyVariance = 1.0;
constexpr double kMinFrequencyVariance = 1e-34;
/// H is [offset 0 base].
struct Row {
    double offset;
    double base;
};
constexpr Row row(Way way) noexcept {
    switch (way) {
        case Way::Forward: return {1.0, 1.0};
        case Way::Backward: return {-1.0, 1.0};
        case Way::Offset: return {1.0, 0.0};
        case Way::HalfRoundTrip: return {0.0, 1.0};
    }
    return {0.0, 0.0};
}

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
    const Row h = row(way);
    return observed_s - h.base * x_(2) - h.offset * x_(0);
}

double EmgFilter::innovation_variance(Way way) const noexcept {
    const Row h = row(way);
    const double s = h.offset * h.offset * p_(0, 0) + 2.0 * h.offset * h.base * p_(0, 2) +
                     h.base * h.base * p_(2, 2);
    return std::max(s, kMinTimeVariance_s2);
}

EmgPosterior EmgFilter::update(Way way, double observed_s, const EmgNoise& noise) noexcept {
    const Row h = row(way);
    const State g = h.base * p_.col(2) + h.offset * p_.col(0);
    const double s = innovation_variance(way);
    const EmgPosterior posterior = emg_update(innovation(way, observed_s), s, noise);
    const State k = g / s;
    x_ += k * posterior.mean;
    if (posterior.variance < s) {
        // The equivalent Kalman gain is θ k with θ = 1 − V/S, its noise R = V/θ, so that θ² R = θ V.
        const double theta = 1.0 - posterior.variance / s;
        const State gain = theta * k;
        Covariance rest = Covariance::Identity();
        rest.col(0) -= h.offset * gain;
        rest.col(2) -= h.base * gain;
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
        for (int j = i + 1; j < 3; ++j) p_(i, j) = p_(j, i) = 0.5 * (p_(i, j) + p_(j, i));
    }
    // Rounding may leave a matrix that is no covariance; it becomes one when all correlations are
    // a little smaller.
    double shrink = 1e-13;
    while (!positive()) {
        for (int i = 0; i < 2; ++i) {
            for (int j = i + 1; j < 3; ++j) p_(i, j) = p_(j, i) = p_(j, i) * (1.0 - shrink);
        }
        shrink = std::min(8.0 * shrink, 0.5);
    }
}

/// By the principal minors, relative to the diagonal.
bool EmgFilter::positive() const noexcept {
    const double r01 = p_(0, 1) * p_(0, 1) / (p_(0, 0) * p_(1, 1));
    const double r02 = p_(0, 2) * p_(0, 2) / (p_(0, 0) * p_(2, 2));
    const double r12 = p_(1, 2) * p_(1, 2) / (p_(1, 1) * p_(2, 2));
    const double triple = p_(0, 1) / p_(0, 0) * (p_(0, 2) / p_(2, 2)) * (p_(1, 2) / p_(1, 1));
    return r01 <= 1.0 && r02 <= 1.0 && r12 <= 1.0 && 1.0 + 2.0 * triple - r01 - r02 - r12 >= -1e-14;
}

}  // namespace gnomon
