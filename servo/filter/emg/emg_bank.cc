#include "servo/filter/emg/emg_bank.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr int kResidualShape = kEmgShapes - 1;
/// Means of queueing and lengths of tails start and stay within these multiples of the jitter.
constexpr double kMinQueue = 1e-3;
constexpr double kMaxQueue = 1e3;
/// Congestion below this probability need not be confirmed.
constexpr double kSuspicious = 0.1;
constexpr double kFirstTail = 10.0;
constexpr double kMinTail = 4.0;
constexpr double kMaxTail = 1e6;
/// The tail is seen rarely, so its length is learned from fewer, weighted measurements.
constexpr double kTailGain = 1.0 / 50.0;
/// Only members of some weight have a say in what is impossible.
constexpr double kVotingWeight = 1e-3;
/// A measurement that is early by less than so many sigmas is not called impossible.
constexpr double kWildSigmas = 4.0;

/// Nothing is known of the noise while the clock is unknown: a single innovation tells so much.
constexpr double kMaxResidualStep = 1.5;
constexpr double kMaxRelativeGain = 0.1;

}  // namespace

EmgBank::EmgBank(const EmgConfig& config) noexcept : config_(config) {
    const double decades = std::log10(config.max_wander / config.min_wander);
    for (int i = 0; i < kEmgWanders; ++i) {
        wanders_[i] = config.min_wander * std::pow(10.0, decades * i / (kEmgWanders - 1));
    }
}

void EmgBank::start(const EmgPrior& prior, const EmgScale& scale) noexcept {
    count_ = 0;
    log_evidence_ = 0.0;
    const EmgFilter::State mean(prior.offset_s, prior.frequency, prior.base_s);
    const EmgFilter::State sd(prior.offset_sd_s, prior.frequency_sd, prior.base_sd_s);
    const double jitter_s = std::max(scale.jitter_s, 1e-10);
    for (int i = 0; i < kModels; ++i) {
        Model& m = models_[i];
        const int shape = i / kEmgWanders;
        m = Model{};
        m.filter.start(mean, sd);
        m.residual_s2 = scale.residual_s * scale.residual_s;
        const double gauss = shape == kResidualShape ? 1.0 : config_.gauss_shares[shape];
        m.forward.mean_s = gauss < 1.0 ? jitter_s * std::sqrt(1.0 - gauss * gauss) : 0.0;
        m.forward.tail_s = kFirstTail * jitter_s;
        m.forward.tail_rate = config_.tail_share;
        m.backward = m.forward;
        m.log_weight = wander_prior(i % kEmgWanders);
    }
    weigh();
    mix();
}

double EmgBank::wander_prior(int wander) const noexcept {
    const double decades = std::log10(wanders_[wander] / config_.ordinary_wander);
    return config_.wander_prior * std::max(decades, 0.0);
}

double EmgBank::gauss_variance(int shape, double least_s2, const EmgScale& scale) const noexcept {
    // One way's share of what the residuals of the offset are taken for.
    const double sd_s = shape == kResidualShape ? std::sqrt(2.0) * scale.residual_s
                                                : config_.gauss_shares[shape] * scale.jitter_s;
    return std::max(sd_s * sd_s, least_s2);
}

/// Offset and half the round trip with independent noise; the evidence is that of the two ways,
/// whose Jacobian is 2.
double EmgBank::observe_offset(Model& m, const EmgObservation& observation,
                               const EmgScale& scale) noexcept {
    EmgNoise noise;
    // Beside much wander the noise is hardly seen. What the round trips vary by is in the offset, too:
    // half of their jitter's variance is that of the offset, and half of that is certain enough.
    m.residual_s2 = std::max(
        {m.residual_s2, 0.25 * scale.jitter_s * scale.jitter_s, observation.rounding_variance_s2});
    noise.gauss_s2 = m.residual_s2;
    noise.wild_share = config_.tail_share;
    noise.wild_s2 = kFirstTail * kFirstTail * noise.gauss_s2;
    const double innovation_s = m.filter.innovation(Way::Offset, observation.offset_s());
    const double predicted_s2 = m.filter.innovation_variance(Way::Offset);
    const EmgPosterior posterior = m.filter.update(Way::Offset, observation.offset_s(), noise);
    double evidence = posterior.log_evidence;
    learn_residual(m, innovation_s * innovation_s, predicted_s2 + noise.gauss_s2,
                   1.0 - posterior.wild_share);
    const double least_s2 =
        0.25 * (observation.forward_variance_s2 + observation.backward_variance_s2);
    noise.gauss_s2 = std::max(0.5 * scale.jitter_s * scale.jitter_s, least_s2);
    noise.wild_s2 = kFirstTail * kFirstTail * noise.gauss_s2;
    evidence +=
        m.filter.update(Way::HalfRoundTrip, 0.5 * observation.round_trip_s(), noise).log_evidence;
    return evidence - std::log(2.0);
}

/// By how much innovations exceed what is claimed for them (Mehra 1970). Expectation-maximisation would
/// hardly move where the noise is small beside the wander; where it is, little depends on it, so it
/// moves by the root of its share only.
void EmgBank::learn_residual(Model& m, double square_s2, double claimed_s2,
                             double ordinary) const noexcept {
    const double gain = std::max(1.0 / (count_ + 2.0), config_.learning_floor);
    const double before_s2 = m.residual_s2;
    const double part = std::min(before_s2 / claimed_s2, 1.0);
    // Most squares are below their mean: steps as long as the limit below would lead to zero.
    const double share = std::min(std::sqrt(part), kMaxRelativeGain * part / gain);
    m.residual_s2 += gain * ordinary * share * (square_s2 - claimed_s2);
    m.residual_s2 =
        std::clamp(m.residual_s2, before_s2 / kMaxResidualStep, before_s2 * kMaxResidualStep);
}

double EmgBank::observe(Model& m, int shape, Way way, const EmgObservation& observation,
                        const EmgScale& scale) noexcept {
    const bool forward = way == Way::Forward;
    const double least_s2 =
        forward ? observation.forward_variance_s2 : observation.backward_variance_s2;
    Queueing& queueing = forward ? m.forward : m.backward;
    EmgNoise noise;
    noise.gauss_s2 = gauss_variance(shape, least_s2, scale);
    noise.queue_s = queueing.mean_s;
    noise.tail_share =
        queueing.tail_rate +
        queueing.congested * std::max(config_.tail_persistence - queueing.tail_rate, 0.0);
    // How late both ways are together does not depend on the clock, so the sample itself may say how
    // long its tail is.
    const double excess_s = observation.round_trip_s() - 2.0 * m.base_before_s;
    noise.tail_s =
        std::max({queueing.tail_s, kMinTail * std::sqrt(noise.gauss_s2), 0.5 * excess_s});
    // Being a little early is for the filter to learn from: its edge was in the wrong place.
    const double observed_s = forward ? observation.forward_s : observation.backward_s;
    const double jitter_s = std::max(scale.jitter_s, std::sqrt(noise.gauss_s2));
    const double sigma_s = std::sqrt(m.filter.innovation_variance(way) + noise.gauss_s2);
    if (m.filter.innovation(way, observed_s) < -kWildSigmas * (jitter_s + sigma_s)) {
        noise.wild_share = config_.wild_share;
        noise.wild_s2 = std::pow(config_.wild_spread * jitter_s, 2);
    }
    const EmgPosterior posterior = m.filter.update(way, observed_s, noise);
    learn(queueing, posterior, scale);
    return posterior.log_evidence;
}

/// The clock's own movement can look like congestion of one way, but not of the round trip.
void EmgBank::confirm_congestion(Model& m, int shape, const EmgObservation& observation,
                                 const EmgScale& scale) const noexcept {
    if (std::max(m.forward.congested, m.backward.congested) < kSuspicious) return;
    EmgNoise noise;
    noise.gauss_s2 = gauss_variance(shape, observation.forward_variance_s2, scale) +
                     gauss_variance(shape, observation.backward_variance_s2, scale);
    noise.queue_s = m.forward.mean_s + m.backward.mean_s;
    noise.tail_share = 0.5;
    noise.tail_s = m.forward.tail_s + m.backward.tail_s;
    const double excess_s = observation.round_trip_s() - 2.0 * m.filter.mean()(2);
    const double base_s2 = 4.0 * m.filter.covariance()(2, 2);
    const double confirmed = emg_update(excess_s, base_s2, noise).tail_share;
    m.forward.congested *= confirmed;
    m.backward.congested *= confirmed;
}

void EmgBank::learn(Queueing& queueing, const EmgPosterior& posterior,
                    const EmgScale& scale) const noexcept {
    const double jitter_s = std::max(scale.jitter_s, 1e-10);
    const double slow = std::max(1.0 / (count_ + 20.0), config_.learning_floor);
    queueing.congested = posterior.tail_share;
    queueing.tail_rate += slow * (posterior.tail_share - queueing.tail_rate);
    queueing.tail_rate =
        std::clamp(queueing.tail_rate, 0.25 * config_.tail_share, config_.max_tail_share);
    if (queueing.mean_s > 0.0) {
        const double gain = std::max(1.0 / (count_ + 2.0), config_.learning_floor);
        queueing.mean_s +=
            gain * posterior.queue_share * (posterior.queue_mean_s - queueing.mean_s);
        queueing.mean_s = std::clamp(queueing.mean_s, kMinQueue * jitter_s, kMaxQueue * jitter_s);
    }
    queueing.tail_count += posterior.tail_share;
    const double gain = std::max(1.0 / (queueing.tail_count + 2.0), kTailGain);
    queueing.tail_s += gain * posterior.tail_share * (posterior.tail_mean_s - queueing.tail_s);
    const double least_s = std::max(kMinTail * queueing.mean_s, jitter_s);
    queueing.tail_s = std::clamp(queueing.tail_s, least_s, std::max(least_s, kMaxTail * jitter_s));
}

void EmgBank::step(const EmgObservation& observation, double d_s, const EmgScale& scale) noexcept {
    const double base_sd_s = config_.base_wander * scale.jitter_s;
    const double base_s2 = count_ > 0 ? base_sd_s * base_sd_s : 0.0;
    const Way first = count_ % 2 == 0 ? Way::Forward : Way::Backward;
    const Way second = count_ % 2 == 0 ? Way::Backward : Way::Forward;
    std::array<double, kModels> evidence{};
    double best = -INFINITY;
    for (int i = 0; i < kModels; ++i) {
        Model& m = models_[i];
        const int shape = i / kEmgWanders;
        if (d_s > 0.0) m.filter.predict(d_s, wanders_[i % kEmgWanders], config_.white_fm, base_s2);
        m.base_before_s = m.filter.mean()(2);
        if (shape == kResidualShape) {
            evidence[i] = observe_offset(m, observation, scale);
        } else {
            evidence[i] = observe(m, shape, first, observation, scale);
            evidence[i] += observe(m, shape, second, observation, scale);
            confirm_congestion(m, shape, observation, scale);
        }
        best = std::max(best, evidence[i]);
    }
    ++count_;

    double likelihood = 0.0;
    for (int i = 0; i < kModels; ++i) {
        likelihood += models_[i].weight * std::exp(evidence[i] - best);
        models_[i].log_weight = config_.forgetting * models_[i].log_weight +
                                std::max(evidence[i] - best, -config_.max_evidence_gap);
    }
    log_evidence_ += best + std::log(std::max(likelihood, 1e-300));
    weigh();
    mix();
    revive();
}

/// Whoever is out of the question follows the others, and need not find back by itself when the
/// oscillator or the noise becomes what it stands for.
void EmgBank::revive() noexcept {
    for (Model& m : models_) {
        if (m.log_weight <= -config_.max_evidence_gap) m.filter.assume(mean_, covariance_);
    }
}

void EmgBank::weigh() noexcept {
    double most = -INFINITY;
    for (const Model& m : models_) most = std::max(most, m.log_weight);
    double sum = 0.0;
    for (int i = 0; i < kModels; ++i) {
        Model& m = models_[i];
        m.log_weight = std::max(m.log_weight - most, -config_.max_evidence_gap);
        m.weight = std::exp(m.log_weight + heard_.log_likelihood[i % kEmgWanders]);
        sum += m.weight;
    }
    for (Model& m : models_) m.weight /= sum;
}

void EmgBank::mix() noexcept {
    mean_.setZero();
    covariance_.setZero();
    for (const Model& m : models_) mean_ += m.weight * m.filter.mean();
    for (const Model& m : models_) {
        const EmgFilter::State away = m.filter.mean() - mean_;
        covariance_ += m.weight * (m.filter.covariance() + away * away.transpose());
    }
}

void EmgBank::adjust(double shift_s, double frequency_change) noexcept {
    for (Model& m : models_) m.filter.adjust(shift_s, frequency_change);
    mix();
}

void EmgBank::shift_offset(double offset_s) noexcept {
    for (Model& m : models_) m.filter.shift_offset(offset_s);
    mean_(0) += offset_s;
}

void EmgBank::open_base(double sd_s) noexcept {
    for (Model& m : models_) m.filter.open_base(sd_s);
    mix();
}

void EmgBank::open_clock(double offset_sd_s, double frequency_sd) noexcept {
    for (Model& m : models_) m.filter.open_clock(offset_sd_s, frequency_sd);
    mix();
}

double EmgBank::wander() const noexcept {
    double log_wander = 0.0;
    for (int i = 0; i < kModels; ++i) {
        log_wander += models_[i].weight * std::log(wanders_[i % kEmgWanders]);
    }
    return std::exp(log_wander);
}

WanderBelief EmgBank::wander_belief() const noexcept {
    WanderBelief belief;
    const double prior_left = std::pow(config_.forgetting, count_);
    for (int wander = 0; wander < kEmgWanders; ++wander) {
        double sum = 0.0;
        for (int shape = 0; shape < kEmgShapes; ++shape) {
            sum += std::exp(models_[shape * kEmgWanders + wander].log_weight);
        }
        belief.log_likelihood[wander] = std::log(sum) - prior_left * wander_prior(wander);
    }
    belief.level();
    return belief;
}

void EmgBank::hear(const WanderBelief& others) noexcept {
    heard_ = others;
    weigh();
    mix();
}

double EmgBank::queue_difference_s() const noexcept {
    double difference_s = 0.0;
    for (const Model& m : models_) {
        difference_s += m.weight * (m.forward.mean_s - m.backward.mean_s);
    }
    return difference_s;
}

EmgBank::MeanNoise EmgBank::mean_noise(const EmgScale& scale) const noexcept {
    MeanNoise noise;
    double gauss_s2 = 0.0;
    // What the round trips do not confirm may as well be wander.
    EmgScale confirmed = scale;
    confirmed.residual_s = std::min(scale.residual_s, std::sqrt(0.5) * scale.jitter_s);
    for (int i = 0; i < kModels; ++i) {
        const Model& m = models_[i];
        noise.queueing_s += m.weight * 0.5 * (m.forward.mean_s + m.backward.mean_s);
        gauss_s2 += m.weight * 0.5 * gauss_variance(i / kEmgWanders, 0.0, confirmed);
    }
    noise.gauss_s = std::sqrt(gauss_s2);
    return noise;
}

double EmgBank::round_trip_deficit_sigmas(const EmgObservation& observation,
                                          const EmgScale& scale) const noexcept {
    double least = INFINITY;
    for (int i = 0; i < kModels; ++i) {
        const Model& m = models_[i];
        if (m.weight < kVotingWeight) continue;
        const int shape = i / kEmgWanders;
        const double variance = 4.0 * m.filter.covariance()(2, 2) +
                                gauss_variance(shape, observation.forward_variance_s2, scale) +
                                gauss_variance(shape, observation.backward_variance_s2, scale);
        const double deficit_s = 2.0 * m.filter.mean()(2) - observation.round_trip_s();
        least = std::min(least, deficit_s / std::sqrt(variance));
    }
    return least;
}

EmgBank::Impossible EmgBank::impossible(const EmgObservation& observation, double d_s,
                                        const EmgScale& scale) const noexcept {
    Impossible mildest;
    mildest.sigmas = INFINITY;
    for (int i = 0; i < kModels; ++i) {
        const Model& m = models_[i];
        if (m.weight < kVotingWeight) continue;
        EmgFilter ahead = m.filter;
        ahead.predict(d_s, wanders_[i % kEmgWanders], config_.white_fm, 0.0);
        Impossible worst;
        for (const Way way : {Way::Forward, Way::Backward}) {
            const bool forward = way == Way::Forward;
            const double observed_s = forward ? observation.forward_s : observation.backward_s;
            const double least_s2 =
                forward ? observation.forward_variance_s2 : observation.backward_variance_s2;
            const double by_s = -ahead.innovation(way, observed_s);
            const double s2 =
                ahead.innovation_variance(way) + gauss_variance(i / kEmgWanders, least_s2, scale);
            const double sigmas = by_s / std::sqrt(s2);
            if (sigmas > worst.sigmas) worst = {way, by_s, sigmas};
        }
        if (worst.sigmas < mildest.sigmas) mildest = worst;
    }
    return mildest;
}

}  // namespace gnomon
