#pragma once

/// Everything about the EMG-Kalman bank that is not measured. The defaults serve from
/// nanoseconds to tens of milliseconds of jitter: whatever scale there is comes from the data.

#include <array>

namespace gnomon {

inline constexpr int kEmgWanders = 9;
inline constexpr int kEmgShapes = 5;

struct EmgConfig {
    /// Ends of the logarithmic grid of random-walk FM, s/s per √s.
    double min_wander = 1e-11;
    double max_wander = 1e-7;
    /// White FM of the oscillator, s per √s.
    double white_fm = 1e-10;
    /// Share of the Gaussian part in the one-way jitter; the rest is exponential. A shape of 1 is
    /// pure noise of timestamps, one of 0.005 has a sharp edge at the smallest delay. The last
    /// shape (`kEmgShapes` − 1) is not in here: pure noise of a size that the residuals of the
    /// history's line tell, because the delays of a reference clock tell nothing.
    std::array<double, kEmgShapes - 1> gauss_shares = {1.0, 0.3, 0.05, 0.005};
    /// Belief before any evidence, nepers per decade of wander above the ordinary one.
    double ordinary_wander = 1e-9;
    double wander_prior = -2.0;
    /// Evidence is forgotten by this factor per measurement, so that models can change.
    double forgetting = 0.99;
    /// No model falls farther than this behind the best, nepers: it must be able to come back.
    double max_evidence_gap = 30.0;

    /// Frequency before anything is known, one sigma, s/s: that of a crystal, whatever the daemon
    /// already corrects (drift file) taken off; and, rarely, anything (a badly calibrated counter).
    double ordinary_frequency_sd = 1e-4;
    double initial_frequency_sd = 0.1;
    double odd_frequency_share = 0.01;
    /// Random walk of the base delay, per measurement, as a part of the one-way jitter.
    double base_wander = 1e-4;

    double tail_share = 0.04;  ///< prior of congestion
    double max_tail_share = 0.5;
    double tail_persistence = 0.7;  ///< probability that congestion lasts to the next measurement
    double wild_share = 1e-3;       ///< prior of impossible measurements
    double wild_spread = 30.0;      ///< their sigma, as a multiple of the one-way jitter
    double learning_floor = 1.0 / 200.0;  ///< smallest gain of the means of queueing

    bool detect_path_changes = true;
    /// Evidence of a longer path over that of an unchanged one, nepers.
    double path_change_evidence = 15.0;
    /// A round trip that many sigmas below the smallest possible one is a shorter path.
    double shorter_path_sigmas = 6.0;
};

}  // namespace gnomon
