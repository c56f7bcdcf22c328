#pragma once

/// `EmgBank`: EMG-Kalman filters for every pair of oscillator wander and shape of jitter, weighted
/// by how well they predict (Magill 1965), so that nothing needs tuning.
///
/// Each member (wander q, shape γ) runs an `EmgFilter`. With σ the robust one-way jitter
/// (`EmgScale`), its noise has a Gaussian part of (γσ)² and, unless γ = 1, an exponential part whose
/// means λ₁ (forward) and λ₂ (backward) it learns by online expectation–maximisation: after every
/// observation λ moves by a gain max(1/(n+2), 1/200) towards the posterior mean of the queueing,
/// weighted by the probability that it was ordinary queueing (Titterington 1984; Cappé & Moulines
/// 2009).
///
/// A heavy tail of learned share and length stands for congestion. Congestion comes in bursts: the
/// probability of the tail is predicted by a Markov chain of two states from that of the previous
/// measurement, as far as the round trip confirms it (a way alone can be late because the clock
/// moved). A small share of impossible measurements completes the robustness.
///
/// Weights are exp of the log-evidence of all measurements, forgotten by 0.99 per measurement, times
/// what other sources tell of our oscillator (wander_belief.h). The
/// answer is mean and covariance of the mixture, the spread between the members included.
///
/// One more shape is for sources whose delay tells nothing (reference clocks): it observes offset and
/// round trip instead of the two ways, with Gaussian noise that starts as large as the residuals of
/// the offset and is learned by every member: much of the residuals of a line is wander.
///
/// Since the posteriors are approximate, the order of the two ways matters slightly; it alternates.
///
/// Trivially copyable (about 10 KB): a snapshot is an assignment. No allocation.

#include <array>

#include "servo/filter/emg/emg_config.h"
#include "servo/filter/emg/emg_filter.h"
#include "servo/filter/wander_belief.h"

namespace gnomon {

/// One exchange as the bank sees it.
struct EmgObservation {
    double forward_s = 0.0;   ///< a
    double backward_s = 0.0;  ///< b
    /// Least variance of the timestamps of either, s², > 0.
    double forward_variance_s2 = 1e-19;
    double backward_variance_s2 = 1e-19;
    /// Likewise of the offset if it is known by experience how noisy it is: only what no experience
    /// can undercut, because merged readings are finer than one.
    double rounding_variance_s2 = 1e-19;

    double offset_s() const noexcept { return 0.5 * (forward_s - backward_s); }
    double round_trip_s() const noexcept { return forward_s + backward_s; }
};

/// Sizes of noise known from outside the bank, standard deviations of one way, s.
struct EmgScale {
    double jitter_s = 0.0;    ///< as the round trips tell
    double residual_s = 0.0;  ///< of the offset, as its residuals tell
};

struct EmgPrior {
    double offset_s = 0.0;
    double offset_sd_s = 0.0;
    double frequency = 0.0;
    double frequency_sd = 0.0;
    double base_s = 0.0;
    double base_sd_s = 0.0;
};

class EmgBank {
public:
    static constexpr int kModels = kEmgWanders * kEmgShapes;

    explicit EmgBank(const EmgConfig& config = {}) noexcept;

    /// Forgets everything learned.
    void start(const EmgPrior& prior, const EmgScale& scale) noexcept;

    /// A measurement `d_s` after the previous one (0 for the first).
    void step(const EmgObservation& observation, double d_s, const EmgScale& scale) noexcept;

    /// See EmgFilter; all members alike.
    void adjust(double shift_s, double frequency_change) noexcept;
    void shift_offset(double offset_s) noexcept;
    void open_base(double sd_s) noexcept;
    void open_clock(double offset_sd_s, double frequency_sd) noexcept;

    /// Mean and covariance of [e, f, D].
    const EmgFilter::State& mean() const noexcept { return mean_; }
    const EmgFilter::Covariance& covariance() const noexcept { return covariance_; }
    /// Geometric mean of the members' wander by weight, s/s per √s.
    double wander() const noexcept;
    /// What the measurements since start() say of it; what was heard is not in it.
    WanderBelief wander_belief() const noexcept;
    /// What other sources say of it: weighs the members besides their evidence, until told anew.
    void hear(const WanderBelief& others) noexcept;
    /// Log-evidence of all measurements since start().
    double log_evidence() const noexcept { return log_evidence_; }

    /// λ₁ − λ₂, the mean queueing forward less that backward, by weight, s.
    double queue_difference_s() const noexcept;

    /// Mean queueing of one way, and what else there is of noise in an offset, by weight.
    struct MeanNoise {
        double queueing_s = 0.0;
        double gauss_s = 0.0;  ///< standard deviation
    };
    MeanNoise mean_noise(const EmgScale& scale) const noexcept;

    /// By how much the round trip is below the shortest possible one, in sigmas of the most tolerant
    /// member that matters; ≤ 0: not at all.
    double round_trip_deficit_sigmas(const EmgObservation& observation,
                                     const EmgScale& scale) const noexcept;
    /// One way arrived before it can have been sent: the innovation of that way (negative) and by
    /// how many sigmas, for the most tolerant member that matters, `d_s` after the last step.
    struct Impossible {
        Way way = Way::Forward;
        double by_s = 0.0;
        double sigmas = 0.0;
    };
    Impossible impossible(const EmgObservation& observation, double d_s,
                          const EmgScale& scale) const noexcept;

    double weight(int wander, int shape) const noexcept {
        return models_[shape * kEmgWanders + wander].weight;
    }
    const EmgConfig& config() const noexcept { return config_; }

private:
    /// What a member believes of the queueing on one way.
    struct Queueing {
        double mean_s = 0.0;  ///< λ; 0: this shape has none
        double tail_s = 0.0;
        double tail_count = 0.0;  ///< measurements that went into tail_s
        double tail_rate = 0.0;   ///< share of measurements in the tail
        double congested = 0.0;   ///< probability that the last measurement was
    };
    struct Model {
        EmgFilter filter;
        Queueing forward;
        Queueing backward;
        double residual_s2 = 0.0;    ///< variance of the offset's noise; only the last shape
        double base_before_s = 0.0;  ///< D before the measurement that is being taken in
        double log_weight = 0.0;
        double weight = 1.0 / kModels;
    };

    double gauss_variance(int shape, double least_s2, const EmgScale& scale) const noexcept;
    double observe(Model& model, int shape, Way way, const EmgObservation& observation,
                   const EmgScale& scale) noexcept;
    void confirm_congestion(Model& model, int shape, const EmgObservation& observation,
                            const EmgScale& scale) const noexcept;
    double observe_offset(Model& model, const EmgObservation& observation,
                          const EmgScale& scale) noexcept;
    void learn_residual(Model& model, double square_s2, double claimed_s2,
                        double ordinary) const noexcept;
    void learn(Queueing& queueing, const EmgPosterior& posterior,
               const EmgScale& scale) const noexcept;
    double wander_prior(int wander) const noexcept;
    void weigh() noexcept;
    void revive() noexcept;
    void mix() noexcept;

    EmgConfig config_;
    std::array<double, kEmgWanders> wanders_{};
    std::array<Model, kModels> models_{};
    WanderBelief heard_;
    int count_ = 0;
    double log_evidence_ = 0.0;
    EmgFilter::State mean_ = EmgFilter::State::Zero();
    EmgFilter::Covariance covariance_ = EmgFilter::Covariance::Zero();
};

}  // namespace gnomon
