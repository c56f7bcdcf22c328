#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/servo/filter/clock_bench.h"

/// The estimators compared in closed loop: the reason why the Kalman bank is the default. The grid
/// is small enough for every run; figures of a larger one are in docs and bench reports.

namespace gnomon {
namespace {

using bench::ClockBench;
using bench::Jitter;
using bench::Outcome;
using bench::Scenario;

struct Noise {
    Jitter jitter;
    double jitter_s;
};

class ClockLoop : public ::testing::TestWithParam<std::tuple<Noise, double>> {};

TEST_P(ClockLoop, KalmanIsNoWorseThanRegression) {
    Scenario setup;
    setup.jitter = std::get<0>(GetParam()).jitter;
    setup.jitter_s = std::get<0>(GetParam()).jitter_s;
    setup.poll_s = std::get<1>(GetParam());
    setup.base_delay_s = setup.jitter_s > 1e-4 ? 5e-3 : 5e-4;
    double kalman = 0;
    double regression = 0;
    for (setup.seed = 1; setup.seed <= 3; ++setup.seed) {
        kalman += std::pow(ClockBench(setup, "kalman").run().rms_offset_s, 2);
        regression += std::pow(ClockBench(setup, "regression").run().rms_offset_s, 2);
    }
    const double ratio = std::sqrt(regression / kalman);
    RecordProperty("ratio", std::to_string(ratio));
    EXPECT_GT(ratio, 1.0) << "regression " << std::sqrt(regression / 3) << " s, kalman "
                          << std::sqrt(kalman / 3) << " s";
}

INSTANTIATE_TEST_SUITE_P(Grid, ClockLoop,
                         ::testing::Combine(::testing::Values(Noise{Jitter::Gaussian, 50e-9},
                                                              Noise{Jitter::Exponential, 1e-6},
                                                              Noise{Jitter::Exponential, 1e-5},
                                                              Noise{Jitter::Exponential, 1e-4},
                                                              Noise{Jitter::Exponential, 1e-3}),
                                            ::testing::Values(1.0, 16.0, 64.0, 1024.0)));

/// What the first update of the clock, after the third sample, leaves.
TEST(ClockLoopStart, ThirdSampleCorrectsAsWellAsTheRegression) {
    for (const double frequency : {2e-5, -5e-2, 5e-2}) {
        for (const double jitter_s : {1e-6, 1e-1}) {
            double kalman = 0;
            double regression = 0;
            for (std::uint64_t seed = 1; seed <= 50; ++seed) {
                Scenario setup;
                setup.jitter_s = jitter_s;
                setup.frequency = frequency;
                setup.poll_s = 64;
                setup.polls = 4;
                setup.skipped = 0;
                setup.seed = seed;
                kalman += std::pow(ClockBench(setup, "kalman").run().error_after_third_s, 2);
                regression +=
                    std::pow(ClockBench(setup, "regression").run().error_after_third_s, 2);
            }
            EXPECT_LT(kalman, 1.05 * regression) << frequency << " " << jitter_s;
        }
    }
}

/// The extremes of polling, wander and initial error that have to be survived.
TEST(ClockLoopStart, ExtremesConverge) {
    for (const double poll_s : {1.0 / 128, 1.0, 16384.0}) {
        for (const double frequency : {-5e-2, 5e-2}) {
            Scenario setup;
            setup.poll_s = poll_s;
            setup.frequency = frequency;
            setup.offset_s = 1e4;
            setup.wander = 1e-7;
            setup.jitter_s = 1e-4;
            setup.polls = 120;
            setup.skipped = 60;
            const Outcome o = ClockBench(setup, "kalman").run();
            const double wander_s = setup.wander * std::pow(poll_s, 1.5);
            EXPECT_LT(o.rms_offset_s, 2e-4 + 3 * wander_s) << poll_s << " " << frequency;
        }
    }
}

}  // namespace
}  // namespace gnomon
