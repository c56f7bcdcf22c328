#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/servo/filter/clock_bench.h"

/// The estimators compared in closed loop: the reason why the Kalman bank is the default. The grid
/// is small enough for every run; figures of a larger one are in docs and bench reports.

namespace gnomon {
namespace {

using bench::Jitter;
using bench::mean_square_after_third_s2;
using bench::mean_square_s2;
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
    const double kalman_s = std::sqrt(mean_square_s2(setup, "kalman", 3));
    const double regression_s = std::sqrt(mean_square_s2(setup, "regression", 3));
    RecordProperty("ratio", std::to_string(regression_s / kalman_s));
    EXPECT_LT(kalman_s, regression_s);
}

INSTANTIATE_TEST_SUITE_P(Grid, ClockLoop,
                         ::testing::Combine(::testing::Values(Noise{Jitter::Gaussian, 50e-9},
                                                              Noise{Jitter::Exponential, 1e-6},
                                                              Noise{Jitter::Exponential, 1e-5},
                                                              Noise{Jitter::Exponential, 1e-4},
                                                              Noise{Jitter::Exponential, 1e-3}),
                                            ::testing::Values(1.0, 16.0, 64.0, 1024.0)));

TEST(ClockLoopStart, ThirdSampleCorrectsAsWellAsTheRegression) {
    for (const double frequency : {2e-5, -5e-2, 5e-2}) {
        for (const double jitter_s : {1e-6, 1e-1}) {
            EXPECT_LT(mean_square_after_third_s2(frequency, jitter_s, "kalman"),
                      1.05 * mean_square_after_third_s2(frequency, jitter_s, "regression"))
                << frequency << " " << jitter_s;
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
            const double wander_s = setup.wander * std::pow(poll_s, 1.5);
            EXPECT_LT(std::sqrt(mean_square_s2(setup, "kalman", 1)), 2e-4 + 3 * wander_s)
                << poll_s << " " << frequency;
        }
    }
}

}  // namespace
}  // namespace gnomon
