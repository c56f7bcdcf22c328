#include "servo/filter/wander_belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "servo/filter/emg/emg_estimator.h"
#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

TEST(WanderBelief, IsToldByHalfAndRulesNothingOut) {
    WanderBelief belief;
    belief.log_likelihood = {-1.0, 0.0, -2.0, -4.0, -8.0, -16.0, -30.0, -30.0, -30.0};
    const WanderBelief told = belief.tempered();
    EXPECT_EQ(told.log_likelihood[1], 0.0);
    EXPECT_EQ(told.log_likelihood[2], -1.0);
    EXPECT_EQ(told.log_likelihood[8], -WanderBelief::kMost);
}

TEST(WanderBelief, OfSeveralIsTheProductOfTheirLikelihoods) {
    WanderBelief low;
    low.log_likelihood = {0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0};
    WanderBelief high;
    high.log_likelihood = {-16.0, -14.0, -12.0, -10.0, -8.0, -6.0, -4.0, -2.0, 0.0};
    low.add(high);
    EXPECT_EQ(low.log_likelihood[8], 0.0);
    EXPECT_EQ(low.log_likelihood[0], -8.0);
}

/// An oscillator that wanders, seen by a source with 100 ns of jitter and one with 1 ms.
class TwoSources {
public:
    explicit TwoSources(std::uint64_t seed, bool talk) : random_(seed), talk_(talk) {}

    void run(int polls) {
        for (int i = 0; i < polls; ++i) {
            advance(16.0);
            take(quiet_history_, quiet, 1e-7);
            take(noisy_history_, noisy, 1e-3);
            if (talk_) {
                if (const auto belief = quiet.wander_belief()) noisy.hear(belief->tempered());
            }
            if (i < polls / 4) continue;
            const double error_s = noisy.estimate(at(t_s_))->offset_s - offset_s_;
            squares_s2 += error_s * error_s;
        }
    }

    EmgEstimator quiet;
    EmgEstimator noisy;
    double squares_s2 = 0.0;

private:
    void advance(double d_s) {
        constexpr double kWander = 1e-8;
        t_s_ += d_s;
        const double n1 = normal_(random_);
        const double n2 = normal_(random_);
        offset_s_ +=
            d_s * frequency_ + kWander * std::pow(d_s, 1.5) * (n1 / 2.0 + n2 / std::sqrt(12.0));
        frequency_ += kWander * std::sqrt(d_s) * n1;
    }
    void take(SampleHistory& history, EmgEstimator& estimator, double jitter_s) {
        Measurement m = measured(t_s_, 0.0);
        m.forward = Duration::from_seconds(1e-3 + jitter_s * exponential_(random_) + offset_s_);
        m.backward = Duration::from_seconds(1e-3 + jitter_s * exponential_(random_) - offset_s_);
        history.add(m);
        estimator.update(history);
    }

    std::mt19937_64 random_;
    bool talk_;
    std::normal_distribution<double> normal_;
    std::exponential_distribution<double> exponential_;
    SampleHistory quiet_history_{HistoryConfig{}};
    SampleHistory noisy_history_{HistoryConfig{}};
    double t_s_ = 0.0;
    double offset_s_ = 0.0;
    double frequency_ = 0.0;
};

TEST(WanderBelief, OfAQuietSourceMakesANoisyOneFollowTheOscillatorBetter) {
    double alone_s2 = 0.0;
    double together_s2 = 0.0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TwoSources alone(seed, false);
        alone.run(150);
        alone_s2 += alone.squares_s2;
        TwoSources together(seed, true);
        together.run(150);
        together_s2 += together.squares_s2;
        // The true wander is 1e-8: who hears of it is nearer to it.
        EXPECT_LE(std::fabs(std::log(together.noisy.bank().wander() / 1e-8)),
                  std::fabs(std::log(alone.noisy.bank().wander() / 1e-8)))
            << seed;
    }
    EXPECT_LT(together_s2, 0.97 * alone_s2);
}

TEST(WanderBelief, HeardIsNotToldOn) {
    TwoSources sources(3, false);
    sources.run(60);
    const WanderBelief before = *sources.noisy.wander_belief();
    WanderBelief others;
    others.log_likelihood = {0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0};
    sources.noisy.hear(others);
    EXPECT_EQ(sources.noisy.wander_belief()->log_likelihood, before.log_likelihood);
}

}  // namespace
}  // namespace gnomon
