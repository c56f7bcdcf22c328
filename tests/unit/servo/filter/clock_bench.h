#pragma once

/// A simulated clock in a closed loop: an oscillator with random-walk FM, a network with jitter, an
/// estimator, and a servo that applies every estimate at once. Deterministic by its seed.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>

#include "servo/filter/source_filter.h"

namespace gnomon::bench {

enum class Jitter { Exponential, Gaussian, ForwardOnly };

struct Scenario {
    Jitter jitter = Jitter::Exponential;
    double jitter_s = 1e-5;  ///< mean or standard deviation of one direction
    double wander = 1e-9;    ///< s/s per √s
    double poll_s = 16.0;
    int polls = 400;
    int skipped = 100;           ///< polls before errors count
    double base_delay_s = 5e-4;  ///< one way
    double offset_s = 1e-3;      ///< initial error: our clock is behind
    double frequency = 2e-5;
    double precision_s = 1e-9;
    std::uint64_t seed = 1;
};

struct Outcome {
    double rms_offset_s = 0.0;
    double rms_frequency = 0.0;
    double error_after_third_s = 0.0;  ///< offset left by the first correction
    double frequency_after_third = 0.0;
    int samples = 0;  ///< NP at the end
};

class ClockBench {
public:
    ClockBench(const Scenario& setup, const char* estimator)
        : setup_(setup), random_(setup.seed), filter_(history(setup), make_estimator(estimator)) {
        offset_s_ = setup.offset_s;
        frequency_ = setup.frequency;
    }

    Outcome run() {
        Outcome outcome;
        double sum_offset = 0.0;
        double sum_frequency = 0.0;
        int counted = 0;
        for (int i = 0; i < setup_.polls; ++i) {
            // The error just before a correction and in the middle of the interval both count.
            for (int part = 0; part < 2; ++part) {
                advance(setup_.poll_s / 2.0);
                if (i < setup_.skipped) continue;
                sum_offset += offset_s_ * offset_s_;
                sum_frequency += frequency_ * frequency_;
                ++counted;
            }
            filter_.update(measure());
            if (filter_.sample_count() >= 3 || i >= 3) correct();
            if (i == 2) {
                outcome.error_after_third_s = offset_s_;
                outcome.frequency_after_third = frequency_;
            }
        }
        outcome.rms_offset_s = std::sqrt(sum_offset / counted);
        outcome.rms_frequency = std::sqrt(sum_frequency / counted);
        outcome.samples = filter_.sample_count();
        return outcome;
    }

    const SourceFilter& filter() const { return filter_; }

private:
    static HistoryConfig history(const Scenario& setup) {
        HistoryConfig config;
        config.precision_s = setup.precision_s;
        return config;
    }

    void advance(double d_s) {
        const double n1 = normal_(random_);
        const double n2 = normal_(random_);
        // Exact: the walk's end and its integral are jointly normal.
        const double step = setup_.wander * std::sqrt(d_s) * n1;
        const double integral =
            setup_.wander * d_s * std::sqrt(d_s) * (n1 / 2.0 + n2 / std::sqrt(12.0));
        const double gone_s = d_s * frequency_ + integral;
        offset_s_ += gone_s;
        frequency_ += step;
        // Our clock shows less than true time when it runs slow.
        now_ += Duration::from_seconds(d_s - gone_s);
    }

    double jitter() {
        return setup_.jitter == Jitter::Gaussian ? setup_.jitter_s * normal_(random_)
                                                 : setup_.jitter_s * exponential_(random_);
    }

    Measurement measure() {
        const double forward_s = jitter();
        const double backward_s = setup_.jitter == Jitter::ForwardOnly ? 0.0 : jitter();
        Measurement m;
        m.at = now_;
        m.forward = Duration::from_seconds(setup_.base_delay_s + forward_s + offset_s_);
        m.backward = Duration::from_seconds(setup_.base_delay_s + backward_s - offset_s_);
        m.peer_dispersion_s = setup_.precision_s;
        m.stratum = 1;
        return m;
    }

    void correct() {
        const auto data = filter_.selection_data(now_);
        ClockAdjustment a;
        a.at = now_;
        a.frequency_change = std::clamp(data->estimate.frequency, -kMaxFrequency, kMaxFrequency);
        a.offset_change_s = data->estimate.offset_s;
        filter_.adjust(a);
        offset_s_ -= a.shift(now_).to_seconds();
        // The clock's rate against true time, 1 − frequency, is multiplied.
        frequency_ = 1.0 - (1.0 - frequency_) * (1.0 + a.frequency_change);
        now_ += a.shift(now_);
    }

    static constexpr double kMaxFrequency = 0.1;

    Scenario setup_;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::exponential_distribution<double> exponential_;
    SourceFilter filter_;
    UtcTime now_ = UtcTime::from_ns(1'700'000'000'000'000'000);
    double offset_s_ = 0.0;
    double frequency_ = 0.0;
};

/// Of the clock's error, over seeds 1 … `seeds`, s².
inline double mean_square_s2(Scenario setup, const char* estimator, int seeds) {
    double sum_s2 = 0.0;
    for (int seed = 1; seed <= seeds; ++seed) {
        setup.seed = static_cast<std::uint64_t>(seed);
        sum_s2 += std::pow(ClockBench(setup, estimator).run().rms_offset_s, 2);
    }
    return sum_s2 / seeds;
}

/// Of what the first update of the clock, after the third sample, leaves, over 50 seeds, s².
inline double mean_square_after_third_s2(double frequency, double jitter_s, const char* estimator) {
    constexpr int kSeeds = 50;
    Scenario setup;
    setup.jitter_s = jitter_s;
    setup.frequency = frequency;
    setup.poll_s = 64;
    setup.polls = 4;
    setup.skipped = 0;
    double sum_s2 = 0.0;
    for (setup.seed = 1; setup.seed <= kSeeds; ++setup.seed) {
        sum_s2 += std::pow(ClockBench(setup, estimator).run().error_after_third_s, 2);
    }
    return sum_s2 / kSeeds;
}

}  // namespace gnomon::bench
