#pragma once

/// The simulated world of the accuracy bench: an oscillator, a network path and a source, with the
/// models of the literature, so that results can be compared.
///
///  * Oscillator: random-walk FM (q √d per step of d seconds, with its exact integral), white FM
///    1e-10, and optionally a sine of temperature or a wander that switches.
///  * Path: each way is a base delay plus one-sided jitter, plus the noise of timestamps.
///
/// Everything random is drawn from the seed in an order that does not depend on what the clock is
/// made to do: every estimator sees the same oscillator and the same packets.

#include <cstdint>
#include <random>
#include <string>

#include "servo/units/measurement.h"

namespace gnomon::bench {

enum class Jitter { None, Gaussian, Exponential, Gamma, Lognormal, Idle, Bursty };

/// One cell of the comparison.
struct Cell {
    std::string group;
    std::string name;
    Jitter jitter = Jitter::Exponential;
    /// Mean of the jitter of one way (standard deviation for Gaussian; median for Lognormal), s.
    double jitter_s = 1e-5;
    double shape = 1.0;           ///< Gamma: k. Lognormal: σ of the logarithm. Idle: share of 0.
    double forward_factor = 1.0;  ///< jitter of the ways relative to `jitter_s`
    double backward_factor = 1.0;
    double stamp_noise_s = 0.0;  ///< Gaussian, of each way
    double quantum_s = 0.0;      ///< resolution of the timestamps
    double outlier_share = 0.0;  ///< exponential excess with this mean
    double outlier_s = 0.0;
    bool outliers_both_ways = true;
    double loss = 0.0;
    double wander = 1e-9;       ///< q, s/s per √s
    double other_wander = 0.0;  ///< > 0: alternates with `wander` every 10 000 s
    double sine = 0.0;          ///< amplitude of a frequency wave
    double sine_period_s = 3600.0;
    double path_step_s = 0.0;  ///< both ways become longer by this half-way through
    double poll_s = 16.0;
    double base_delay_s = 5e-4;  ///< one way
};

/// Mean jitter and everything random of one seed of one cell.
class World {
public:
    World(const Cell& cell, std::uint64_t seed, int polls);

    /// Moves true time on by `d_s`; `clock` offset and frequency of our clock are kept in here.
    void advance(double d_s);
    /// An exchange now; false if it was lost.
    bool measure(int poll, Measurement& out);
    /// Applies a correction of our clock; returns it as the adjustment to tell.
    ClockAdjustment correct(double offset_s, double frequency);

    double offset_s() const { return offset_s_; }
    double frequency() const { return frequency_ + wave(); }
    UtcTime now() const { return now_; }

private:
    double wave() const;
    double wander() const;
    double jitter(double factor);
    double one_way(double factor, bool outliers);

    Cell cell_;
    int polls_;
    std::mt19937_64 oscillator_;
    std::mt19937_64 network_;
    std::normal_distribution<double> normal_;
    std::exponential_distribution<double> exponential_;
    std::uniform_real_distribution<double> uniform_;
    bool burst_ = false;
    double true_time_s_ = 0.0;
    UtcTime now_ = UtcTime::from_ns(1'700'000'000'000'000'000);
    double offset_s_ = 1e-3;
    double frequency_ = 2e-5;
};

}  // namespace gnomon::bench
