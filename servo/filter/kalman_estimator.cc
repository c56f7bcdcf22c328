#include "servo/filter/kalman_estimator.h"

#include <algorithm>
#include <cmath>

#include "servo/filter/regression.h"

namespace gnomon {

namespace {

enum Shape { kGauss = 0, kQueue = 1, kResidual = 2 };

/// So many of the newest delays make the statistics.
constexpr int kDelayWindow = 64;
/// The bank is re-run over the history at every sample up to here, and at a few counts later.
constexpr int kRerunAlways = 16;
constexpr bool is_rerun_count(int n) { return n == 24 || n == 32 || n == 48 || n == 64; }

/// Normalised innovation squared from which a measurement counts as an outlier and its influence is
/// bounded (three sigma, as Huber's estimator).
constexpr double kOutlierNis = 9.0;
/// One sample moves the evidence between two models by no more than this (natural logarithm), and
/// the least likely model stays within reach: nobody is excluded for good by an accident.
constexpr double kMaxEvidencePerSample = 4.0;
constexpr double kMaxEvidenceGap = 12.0;

/// So many surprises of one sign in a row are a change of the clock, not outliers.
constexpr double kSurpriseNis = 16.0;
constexpr int kSurprisesToOpen = 3;
/// Only models of some weight have a say in what is a surprise.
constexpr double kVotingWeight = 1e-3;

/// Belief before any evidence: so many nepers per decade less above the ordinary wander.
constexpr double kOrdinaryWander = 1e-9;
constexpr double kWanderPrior = 3.0;

/// Up to the first count the line of the history is the estimate; from the second one the bank.
constexpr int kLineOnly = 4;
constexpr int kBankOnly = 12;

/// Few delays can be alike by chance: noise is taken to be larger by so many deviations per degree
/// of freedom.
constexpr double kDoubt = 5.0;

constexpr double kMaxOffsetVariance_s2 = 1e20;
constexpr double kMaxFrequencyVariance = 1.0;
/// Nobody's stamps are better than a third of a nanosecond.
constexpr double kMinVariance_s2 = 1e-19;

/// Medians and quartiles of Gamma(2): the sum of two exponentials of scale 1.
constexpr double kQueueMedian = 1.678;
/// Smallest of n such sums is typically sqrt(π/2n) above zero.
constexpr double kQueueMinimum = 1.2533;
/// Interquartile range of the normal distribution, in standard deviations.
constexpr double kQuartiles = 1.349;

/// Symmetric, finite, not negative definite by rounding.
void repair(Eigen::Matrix2d& p) noexcept {
    if (!p.allFinite()) {
        p << kMaxOffsetVariance_s2, 0.0, 0.0, kMaxFrequencyVariance;
        return;
    }
    p(0, 0) = std::clamp(p(0, 0), 1e-30, kMaxOffsetVariance_s2);
    p(1, 1) = std::clamp(p(1, 1), 1e-34, kMaxFrequencyVariance);
    const double bound = 0.999999999 * std::sqrt(p(0, 0) * p(1, 1));
    p(0, 1) = p(1, 0) = std::clamp(0.5 * (p(0, 1) + p(1, 0)), -bound, bound);
}

void propagate(Eigen::Vector2d& x, Eigen::Matrix2d& p, double d_s, double wander,
               double white_fm) noexcept {
    const double q2 = wander * wander;
    Eigen::Matrix2d f;
    f << 1.0, d_s, 0.0, 1.0;
    Eigen::Matrix2d q;
    q(0, 0) = q2 * d_s * d_s * d_s / 3.0 + white_fm * white_fm * d_s;
    q(0, 1) = q(1, 0) = q2 * d_s * d_s / 2.0;
    q(1, 1) = q2 * d_s;
    x = f * x;
    p = f * p * f.transpose() + q;
    repair(p);
}

}  // namespace

KalmanEstimator::KalmanEstimator(const KalmanConfig& config)
    : config_(config), prior_frequency_sd_(config.initial_frequency_sd) {
    const double ratio = std::pow(config.max_wander / config.min_wander, 1.0 / (kWanders - 1));
    double wander = config.min_wander;
    for (double& w : wanders_) {
        w = wander;
        wander *= ratio;
    }
    reset();
}

void KalmanEstimator::reset() noexcept {
    samples_ = 0;
    surprises_ = 0;
    prior_frequency_ = 0.0;
    prior_frequency_sd_ = config_.initial_frequency_sd;
    at_ = UtcTime();
    mixture_ = Estimate{};
    weights_.fill(1.0 / kModels);
}

double KalmanEstimator::Noise::variance(int shape, const Sample& sample) const noexcept {
    const double floor_s2 = std::max({sample.noise_variance_s2, precision_s2, kMinVariance_s2});
    switch (shape) {
        case kGauss: return std::max(gauss_s2, floor_s2);
        case kQueue: {
            const double queue_s = std::max(sample.peer_delay_s - base_s, 0.0) + base_error_s;
            return queue_scale * queue_s * queue_s / 12.0 + floor_s2;
        }
        default: return std::max(residual_s2, floor_s2);
    }
}

KalmanEstimator::Noise KalmanEstimator::noise_of(const SampleHistory& history) const noexcept {
    Noise noise;
    const double precision_s = history.config().precision_s;
    noise.precision_s2 = precision_s * precision_s / 24.0;
    noise.asymmetry = history.asymmetry();

    const int n = std::min(history.stored(), kDelayWindow);
    std::array<double, kDelayWindow> delays_s{};
    for (int k = 0; k < n; ++k) delays_s[k] = history.recent(k).peer_delay_s;
    std::sort(delays_s.begin(), delays_s.begin() + n);
    const double middle_s = 0.5 * (delays_s[(n - 1) / 2] + delays_s[n / 2]);
    const bool fixed = history.config().min_delay_s > 0.0;
    noise.base_s = fixed ? history.config().min_delay_s : delays_s[0];
    if (!fixed) {
        const double gap = kQueueMinimum / std::sqrt(static_cast<double>(n));
        const double scale_s = (middle_s - delays_s[0]) / (kQueueMedian - gap);
        noise.base_error_s = n > 1 ? std::max(scale_s, 0.0) * gap : 0.0;
    }
    if (n < kMinRegressionSamples) {
        // Nothing to compare with: half of the distance is as good as any.
        const Sample& s = history.newest();
        const double guess_s = 0.25 * std::fabs(s.peer_delay_s) + s.peer_dispersion_s;
        noise.gauss_s2 = noise.residual_s2 = guess_s * guess_s;
        noise.base_error_s = guess_s;
        return noise;
    }
    const double spread_s = (delays_s[(3 * n) / 4] - delays_s[n / 4]) / kQuartiles;
    noise.gauss_s2 = 0.25 * spread_s * spread_s;
    noise.residual_s2 = noise.gauss_s2;
    if (history.has_line()) {
        // Residuals of a short window are few: the delays count like three of them.
        const int free = history.count() - 2;
        const double variance_s2 = history.line().stddev_s * history.line().stddev_s;
        noise.residual_s2 = (free * variance_s2 + 3.0 * noise.gauss_s2) / (free + 3.0);
    }
    const double doubt = 1.0 + kDoubt / (n - 2.0);
    noise.gauss_s2 *= doubt * doubt;
    noise.residual_s2 *= doubt * doubt;
    noise.queue_scale = doubt * doubt;
    return noise;
}

void KalmanEstimator::update(const SampleHistory& history) noexcept {
    if (history.empty()) return;
    const Sample& newest = history.newest();
    if (samples_ > 0 && newest.at <= at_) return;
    const Noise noise = noise_of(history);
    // A history that was there before us (dump file) is taken in as a whole.
    const bool restart = samples_ == 0;
    samples_ = restart ? history.stored() : std::min(samples_ + 1, 1 << 20);
    if (restart || samples_ <= kRerunAlways || is_rerun_count(samples_)) {
        const int count = std::min(samples_, history.stored());
        start(history.recent(count - 1), noise);
        for (int k = count - 2; k >= 0; --k) step(history.recent(k), noise);
    } else {
        step(newest, noise);
    }
    mix();
    lean_on_line(history);
}

void KalmanEstimator::start(const Sample& sample, const Noise& noise) noexcept {
    at_ = sample.at;
    surprises_ = 0;
    for (int i = 0; i < kModels; ++i) {
        Model& m = models_[i];
        m.x << noise.corrected_offset(sample), prior_frequency_;
        m.p << noise.variance(i / kWanders, sample), 0.0, 0.0,
            prior_frequency_sd_ * prior_frequency_sd_;
        // Before there is evidence, an oscillator is ordinary.
        m.log_weight =
            -kWanderPrior * std::max(std::log10(wanders_[i % kWanders] / kOrdinaryWander), 0.0);
    }
    weights_.fill(1.0 / kModels);
}

/// Whether the clock has moved under all models that matter, judged before the update.
bool KalmanEstimator::surprised(double offset_s, double d_s,
                                const std::array<double, kShapes>& r) noexcept {
    double least_nis = INFINITY;
    double innovation_s = 0.0;
    for (int i = 0; i < kModels; ++i) {
        if (weights_[i] < kVotingWeight) continue;
        const Model& m = models_[i];
        const double v = offset_s - m.x(0);
        const double nis = v * v / (m.p(0, 0) + r[i / kWanders]);
        if (nis < least_nis) {
            least_nis = nis;
            innovation_s = v;
        }
    }
    if (!(least_nis > kSurpriseNis)) {
        surprises_ = 0;
        return false;
    }
    const int sign = innovation_s > 0.0 ? 1 : -1;
    surprises_ = surprises_ * sign > 0 ? surprises_ + sign : sign;
    if (std::abs(surprises_) < kSurprisesToOpen) return false;
    surprises_ = 0;
    const double v2 = innovation_s * innovation_s;
    for (Model& m : models_) {
        m.p(0, 0) += v2;
        m.p(1, 1) += v2 / (d_s * d_s);
        repair(m.p);
    }
    return true;
}

/// Returns the log-likelihood of the measurement (up to a constant).
double KalmanEstimator::update_model(Model& m, double offset_s, double r) noexcept {
    const double v = offset_s - m.x(0);
    const double s = m.p(0, 0) + r;
    const double nis = v * v / s;
    double log_likelihood = -0.5 * (nis + std::log(s));
    if (nis > kOutlierNis) {
        r += v * v / kOutlierNis - s;
        log_likelihood = -0.5 * (2.0 * std::sqrt(kOutlierNis * nis) - kOutlierNis + std::log(s));
    }
    const Eigen::Vector2d k = m.p.col(0) / (m.p(0, 0) + r);
    Eigen::Matrix2d rest;
    rest << 1.0 - k(0), 0.0, -k(1), 1.0;
    m.x += k * v;
    m.p = rest * m.p * rest.transpose() + r * k * k.transpose();
    repair(m.p);
    return log_likelihood;
}

void KalmanEstimator::step(const Sample& sample, const Noise& noise) noexcept {
    const double d_s = (sample.at - at_).to_seconds();
    if (!(d_s > 0.0)) return;
    at_ = sample.at;
    const double offset_s = noise.corrected_offset(sample);
    std::array<double, kShapes> r{};
    for (int shape = 0; shape < kShapes; ++shape) r[shape] = noise.variance(shape, sample);

    for (int i = 0; i < kModels; ++i) {
        propagate(models_[i].x, models_[i].p, d_s, wanders_[i % kWanders], config_.white_fm);
    }
    surprised(offset_s, d_s, r);

    std::array<double, kModels> log_likelihood{};
    double best = -INFINITY;
    for (int i = 0; i < kModels; ++i) {
        log_likelihood[i] = update_model(models_[i], offset_s, r[i / kWanders]);
        best = std::max(best, log_likelihood[i]);
    }
    double most = -INFINITY;
    for (int i = 0; i < kModels; ++i) {
        models_[i].log_weight = config_.forgetting * models_[i].log_weight +
                                std::max(log_likelihood[i] - best, -kMaxEvidencePerSample);
        most = std::max(most, models_[i].log_weight);
    }
    double sum = 0.0;
    for (int i = 0; i < kModels; ++i) {
        double& w = models_[i].log_weight;
        w = std::max(w - most, -kMaxEvidenceGap);
        weights_[i] = std::exp(w);
        sum += weights_[i];
    }
    for (double& w : weights_) w /= sum;
}

/// Mean and covariance of the mixture, the spread of its members included.
void KalmanEstimator::mix() noexcept {
    Eigen::Vector2d mean = Eigen::Vector2d::Zero();
    for (int i = 0; i < kModels; ++i) mean += weights_[i] * models_[i].x;
    Eigen::Matrix2d p = Eigen::Matrix2d::Zero();
    for (int i = 0; i < kModels; ++i) {
        const Eigen::Vector2d away = models_[i].x - mean;
        p += weights_[i] * (models_[i].p + away * away.transpose());
    }
    if (!mean.allFinite() || !p.allFinite()) {
        reset();
        return;
    }
    repair(p);
    mixture_ = Estimate{at_, mean(0), std::sqrt(p(0, 0)), mean(1), std::sqrt(p(1, 1)), p(0, 1)};
}

/// With a handful of samples neither noise nor wander can be known, and the line, which assumes least,
/// is hard to beat. The bank takes over gradually.
void KalmanEstimator::lean_on_line(const SampleHistory& history) noexcept {
    if (samples_ >= kBankOnly || !history.has_line() || samples_ == 0) return;
    const HistoryLine& line = history.line();
    const double share =
        std::min(1.0, static_cast<double>(kBankOnly - samples_) / (kBankOnly - kLineOnly));
    const double offset_s = line.offset_s - mixture_.offset_s;
    const double frequency = line.frequency - mixture_.frequency;
    mixture_.offset_s += share * offset_s;
    mixture_.frequency += share * frequency;
    mixture_.offset_sd_s = std::hypot(mixture_.offset_sd_s, share * offset_s);
    mixture_.frequency_sd = std::hypot(mixture_.frequency_sd, share * frequency);
    mixture_.offset_frequency_covariance += share * share * offset_s * frequency;
}

void KalmanEstimator::adjust(const ClockAdjustment& adjustment) noexcept {
    const double stretch = 1.0 / (1.0 + adjustment.frequency_change);
    prior_frequency_ = (prior_frequency_ - adjustment.frequency_change) * stretch;
    if (samples_ == 0) return;
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        const double frequency = mixture_.frequency;
        const double frequency_sd = mixture_.frequency_sd;
        reset();
        prior_frequency_ = frequency;
        prior_frequency_sd_ = std::clamp(3.0 * frequency_sd, 1e-7, config_.initial_frequency_sd);
        return;
    }
    const Duration shift = adjustment.shift(at_);
    const double shift_s = shift.to_seconds();
    at_ += shift;
    for (Model& m : models_) {
        m.x(0) -= shift_s;
        m.x(1) = (m.x(1) - adjustment.frequency_change) * stretch;
        m.p(1, 1) *= stretch * stretch;
        m.p(0, 1) *= stretch;
        m.p(1, 0) *= stretch;
    }
    mixture_.at = at_;
    mixture_.offset_s -= shift_s;
    mixture_.frequency = (mixture_.frequency - adjustment.frequency_change) * stretch;
    mixture_.frequency_sd *= stretch;
    mixture_.offset_frequency_covariance *= stretch;
}

void KalmanEstimator::shift_offsets(double offset_s) noexcept {
    if (samples_ == 0) return;
    for (Model& m : models_) m.x(0) += offset_s;
    mixture_.offset_s += offset_s;
}

double KalmanEstimator::wander() const noexcept {
    double log_wander = 0.0;
    for (int i = 0; i < kModels; ++i) log_wander += weights_[i] * std::log(wanders_[i % kWanders]);
    return std::exp(log_wander);
}

std::optional<Estimate> KalmanEstimator::estimate(UtcTime at) const noexcept {
    if (samples_ == 0) return std::nullopt;
    return mixture_.at_time(at, wander());
}

}  // namespace gnomon
