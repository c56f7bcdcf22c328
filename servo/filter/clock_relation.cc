#include "servo/filter/clock_relation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnomon {

namespace {

/// Ends of the grid of q, s/s per √s: an oven-controlled pair, and one whose temperature runs away.
constexpr double kMinWander = 1e-11;
constexpr double kWanderStep = 10.0;
/// Multiples of R.
constexpr double kScaleStep = 10.0;
constexpr double kForgetting = 0.99;
/// Filters that have become improbable can come back within a few dozen readings.
constexpr double kMinLogWeight = -30.0;
/// Quantisation of what the kernel tells, uniform over a nanosecond.
constexpr double kMinVariance_s2 = 1e-18 / 12.0;
constexpr double kMaxVariance_s2 = 1.0;
constexpr double kInitialFrequencySd = 0.3;
/// Innovations of more standard deviations than this do not happen.
constexpr double kImpossible = 8.0;
constexpr int kFirstProbation = 4;
/// A reading that takes longer tells nothing of a jump.
constexpr double kMaxError_s = 1e-3;
/// Nothing that is worth following.
constexpr double kAbsurdFrequency = 1e3;

}  // namespace

ClockRelation::ClockRelation(const ClockRelationConfig& config) noexcept : config_(config) {
    config_.min_readings = std::max(config_.min_readings, 2);
}

double ClockRelation::wander_of(std::size_t index) noexcept {
    return kMinWander * std::pow(kWanderStep, static_cast<double>(index % kWanders));
}

double ClockRelation::scale_of(std::size_t index) noexcept {
    return std::pow(kScaleStep, static_cast<double>(index / kWanders));
}

void ClockRelation::reset() noexcept {
    readings_ = 0;
    good_ = 0;
    doubtful_ = false;
}

void ClockRelation::start(const ClockReading& reading) noexcept {
    for (Filter& filter : bank_) {
        filter.x.setZero();
        filter.p.setZero();
        filter.p(0, 0) = std::clamp(reading.variance_s2, kMinVariance_s2, kMaxVariance_s2);
        filter.p(1, 1) = kInitialFrequencySd * kInitialFrequencySd;
        filter.log_weight = 0.0;
    }
    at_ = reading.at;
    phc_ = reading.phc;
    error_s_ = reading.error_s;
    change_ = Change{};
    readings_ = 1;
    good_ = 0;
    doubtful_ = false;
    mix();
}

void ClockRelation::predict(Filter& filter, double d_s, double wander) noexcept {
    const double q2 = wander * wander;
    Eigen::Matrix2d transition;
    transition << 1.0, d_s, 0.0, 1.0;
    filter.x = transition * filter.x;
    filter.p = transition * filter.p * transition.transpose();
    filter.p(0, 0) += q2 * d_s * d_s * d_s / 3.0;
    filter.p(0, 1) += q2 * d_s * d_s / 2.0;
    filter.p(1, 0) = filter.p(0, 1);
    filter.p(1, 1) += q2 * d_s;
}

void ClockRelation::observe(Filter& filter, double observed_s, double variance_s2) noexcept {
    const double innovation_s = observed_s - filter.x(0);
    const double s = filter.p(0, 0) + variance_s2;
    const Eigen::Vector2d gain = filter.p.col(0) / s;
    filter.x += gain * innovation_s;
    // Joseph's form: positive semi-definite whatever the rounding.
    Eigen::Matrix2d keep = Eigen::Matrix2d::Identity();
    keep.col(0) -= gain;
    filter.p = (keep * filter.p * keep.transpose() + variance_s2 * gain * gain.transpose()).eval();
    filter.p(1, 0) = filter.p(0, 1);
    filter.log_weight =
        kForgetting * filter.log_weight - 0.5 * (innovation_s * (innovation_s / s) + std::log(s));
}

bool ClockRelation::is_possible(const Bank& predicted, const ClockReading& reading,
                                double observed_s) const noexcept {
    // Half the delay of a reading covers what its asymmetry can do from one burst to the next.
    const double slack_s = std::clamp(reading.error_s, 0.0, kMaxError_s);
    for (std::size_t i = 0; i < predicted.size(); ++i) {
        const Filter& filter = predicted[i];
        if (filter.log_weight < kMinLogWeight / 4) continue;
        const double sd_s = std::sqrt(filter.p(0, 0) +
                                      scale_of(i) * std::max(reading.variance_s2, kMinVariance_s2));
        if (std::fabs(observed_s - filter.x(0)) <= kImpossible * sd_s + slack_s) return true;
    }
    return false;
}

void ClockRelation::mix() noexcept {
    double most = -std::numeric_limits<double>::infinity();
    for (const Filter& filter : bank_) most = std::max(most, filter.log_weight);
    double sum = 0.0;
    mean_.setZero();
    std::array<double, std::tuple_size_v<Bank>> weights{};
    for (std::size_t i = 0; i < bank_.size(); ++i) {
        Filter& filter = bank_[i];
        filter.log_weight = std::max(filter.log_weight - most, kMinLogWeight);
        weights[i] = std::exp(filter.log_weight);
        sum += weights[i];
        mean_ += weights[i] * filter.x;
    }
    mean_ /= sum;
    covariance_.setZero();
    for (std::size_t i = 0; i < bank_.size(); ++i) {
        const Eigen::Vector2d apart = bank_[i].x - mean_;
        covariance_ += weights[i] / sum * (bank_[i].p + apart * apart.transpose());
    }
}

ClockRelation::Fault ClockRelation::fail(Fault fault) noexcept {
    good_ = 0;
    if (failed_) return Fault::None;
    failed_ = true;
    ++faults_;
    probation_ = probation_ == 0 ? kFirstProbation : std::min(2 * probation_, kMaxProbation);
    return fault;
}

ClockRelation::Fault ClockRelation::update(const ClockReading& reading) noexcept {
    if (!std::isfinite(reading.variance_s2) || !std::isfinite(reading.error_s)) return Fault::None;
    if (readings_ == 0) {
        start(reading);
        return Fault::None;
    }
    const double d_s = (reading.at - at_).to_seconds();
    const double phc_d_s = (reading.phc - phc_).to_seconds();
    if (!(d_s > 0.0) || reading.at - at_ > kMaxReach) {
        start(reading);
        return Fault::None;
    }
    // What is observed: by how much the hardware clock has gained since the reading before.
    const double observed_s = phc_d_s - d_s;
    Bank predicted = bank_;
    for (std::size_t i = 0; i < predicted.size(); ++i) predict(predicted[i], d_s, wander_of(i));
    const bool stopped = phc_d_s <= 0.0 && -phc_d_s < 0.5 * d_s;
    if (!is_possible(predicted, reading, observed_s)) {
        if (!doubtful_) {
            doubtful_ = true;
            return stopped ? fail(Fault::Stopped) : Fault::None;
        }
        start(reading);
        return fail(stopped ? Fault::Stopped : Fault::Jumped);
    }
    doubtful_ = false;
    bank_ = predicted;
    const double variance_s2 = std::clamp(reading.variance_s2, kMinVariance_s2, kMaxVariance_s2);
    for (std::size_t i = 0; i < bank_.size(); ++i) {
        observe(bank_[i], observed_s, scale_of(i) * variance_s2);
        bank_[i].x(0) -= observed_s;  // from here on relative to this reading
    }
    at_ = reading.at;
    phc_ = reading.phc;
    error_s_ = reading.error_s;
    ++readings_;
    const double expected_s = mean_(0) + mean_(1) * d_s - observed_s;
    const double expected_frequency = mean_(1);
    mix();
    change_ = Change{mean_(0) - expected_s, mean_(1) - expected_frequency};
    if (stopped) return fail(Fault::Stopped);
    if (!(std::fabs(mean_(1)) <= kAbsurdFrequency) || !covariance_.allFinite()) {
        start(reading);
        return fail(Fault::WrongRate);
    }
    if (!(std::fabs(mean_(1)) <= config_.max_frequency)) return fail(Fault::WrongRate);
    if (readings_ >= config_.min_readings && ++good_ >= probation_) failed_ = false;
    return Fault::None;
}

void ClockRelation::adjust(const ClockAdjustment& adjustment) noexcept {
    if (readings_ == 0) return;
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        reset();
        return;
    }
    at_ += adjustment.shift(at_);
    const double rate = 1.0 + adjustment.frequency_change;
    if (!(rate > 0.1 && rate < 10.0)) {
        reset();
        return;
    }
    for (Filter& filter : bank_) {
        filter.x(1) = (1.0 + filter.x(1)) / rate - 1.0;
        filter.p(0, 1) /= rate;
        filter.p(1, 0) = filter.p(0, 1);
        filter.p(1, 1) /= rate * rate;
    }
    mix();
}

bool ClockRelation::is_trusted() const noexcept {
    return readings_ >= config_.min_readings && !failed_ && !doubtful_;
}

double ClockRelation::ahead_s(UtcTime t, Duration base) const noexcept {
    return (difference() - base).to_seconds() + mean_(0) + mean_(1) * (t - at_).to_seconds();
}

double ClockRelation::frequency_sd() const noexcept {
    return std::sqrt(std::max(covariance_(1, 1), 0.0));
}
double ClockRelation::offset_sd_s() const noexcept {
    return std::sqrt(std::max(covariance_(0, 0), 0.0));
}

std::optional<ClockRelation::Converted> ClockRelation::to_utc(PhcTime stamp) const noexcept {
    if (!is_trusted()) return std::nullopt;
    const Duration since = stamp - phc_;
    if (abs(since) > kMaxReach) return std::nullopt;
    // phc + e + (1 + f)·d = stamp
    const double phc_s = since.to_seconds() - mean_(0);
    const double rate = 1.0 + mean_(1);
    // Only the gain is a double: nanoseconds stay exact over long spans.
    const double gained_s = phc_s * mean_(1) / rate;
    Converted result;
    result.at = at_ + since - Duration::from_seconds(mean_(0) + gained_s);
    const double d_s = phc_s / rate;
    result.variance_s2 =
        std::max(covariance_(0, 0) + 2.0 * d_s * covariance_(0, 1) + d_s * d_s * covariance_(1, 1),
                 kMinVariance_s2);
    result.error_s = error_s_;
    return result;
}

}  // namespace gnomon
