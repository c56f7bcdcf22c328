#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "servo/filter/emg/emg_estimator.h"
#include "tests/unit/servo/filter/samples.h"

/// The first samples: few, perhaps bad, and steered by at once.

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

/// Exchanges with a clock that is off by `offset_s` + `frequency` t.
class Start {
public:
    explicit Start(const HistoryConfig& config = {}, std::uint64_t seed = 1)
        : history_(config), random_(seed) {}

    /// The queueing of either way in multiples of 1 s.
    void exchange(double d_s, double forward_queue_s, double backward_queue_s) {
        t_s_ += d_s;
        offset_s += frequency * d_s;
        Measurement m = measured(t_s_, 0.0);
        m.forward = Duration::from_seconds(base_s + forward_queue_s + offset_s);
        m.backward = Duration::from_seconds(base_s + backward_queue_s - offset_s);
        history_.add(m);
        estimator.update(history_);
    }
    void poll(int count, double d_s, double jitter_s) {
        for (int i = 0; i < count; ++i) {
            const double forward_s = jitter_s * exponential_(random_);
            exchange(d_s, forward_s, jitter_s * exponential_(random_));
        }
    }
    double offset_error_s() const { return estimator.estimate(at(t_s_))->offset_s - offset_s; }
    double frequency_error() const { return estimator.estimate(at(t_s_))->frequency - frequency; }

    double base_s = 1e-3;
    double offset_s = 0.1;
    double frequency = 2e-5;
    EmgEstimator estimator;

private:
    SampleHistory history_;
    std::mt19937_64 random_;
    std::exponential_distribution<double> exponential_;
    double t_s_ = 0.0;
};

TEST(EmgStart, FirstExchangeThatWasHeldUpMovesNeitherOffsetNorFrequency) {
    for (const double forward_s : {0.0, 0.6, 2.4}) {
        Start start;
        start.exchange(8.0, forward_s, 2.4 - forward_s);
        for (int n = 2; n <= 12; ++n) {
            start.poll(1, 8.0, 2e-5);
            if (n < 4) continue;
            EXPECT_NEAR(start.offset_error_s(), 0.0, 1e-3) << forward_s << " " << n;
            EXPECT_NEAR(start.frequency_error(), 0.0, 2e-4) << forward_s << " " << n;
        }
    }
}

TEST(EmgStart, NoisyBurstLeavesAnOrdinaryFrequency) {
    // Three or four samples may lie on a line by chance.
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Start start({}, seed);
        start.poll(5, 2.0, 2e-2);
        for (int n = 6; n <= 16; ++n) {
            start.poll(1, 2.0, 2e-2);
            EXPECT_LT(std::fabs(start.frequency_error()), 5e-4) << seed << " " << n;
        }
    }
}

TEST(EmgStart, OddFrequencyIsFoundOnceTheSamplesShowIt) {
    for (const double frequency : {-5e-2, -1e-3, 1e-3, 5e-2}) {
        Start start;
        start.frequency = frequency;
        start.poll(5, 16.0, 1e-5);
        EXPECT_NEAR(start.frequency_error(), 0.0, 1e-5) << frequency;
        start.poll(15, 16.0, 1e-5);
        EXPECT_NEAR(start.frequency_error(), 0.0, 1e-6) << frequency;
    }
}

TEST(EmgStart, FrequencyThatJumpsFarIsTakenFromTheLine) {
    Start start;
    start.poll(100, 16.0, 1e-5);
    start.frequency = 1e-3;
    start.poll(12, 16.0, 1e-5);
    EXPECT_NEAR(start.frequency_error(), 0.0, 1e-5);
    EXPECT_NEAR(start.offset_error_s(), 0.0, 1e-4);
}

TEST(EmgStart, QuietPathNeverContradictsTheLine) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Start start({}, seed);
        start.poll(1000, 1.0, 1e-4);
        EXPECT_EQ(start.estimator.restarts(), 0) << seed;
    }
}

TEST(EmgStart, ConfiguredAsymmetryIsTakenOutOfTheOffset) {
    HistoryConfig config;
    config.asymmetry = 0.5;
    config.min_delay_s = 2e-3;
    Start start(config);
    start.frequency = 0.0;
    std::mt19937_64 random(3);
    std::exponential_distribution<double> queue(1e4);
    for (int i = 0; i < 40; ++i) start.exchange(16.0, 0.0, queue(random));
    EXPECT_NEAR(start.offset_error_s(), 0.0, 1e-7);
}

}  // namespace
}  // namespace gnomon
