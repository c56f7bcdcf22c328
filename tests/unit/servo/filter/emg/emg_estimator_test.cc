#include "servo/filter/emg/emg_estimator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <tuple>

#include "servo/filter/source_filter.h"
#include "tests/unit/servo/filter/clock_bench.h"
#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using bench::Jitter;
using bench::mean_square_after_third_s2;
using bench::mean_square_s2;
using bench::Scenario;
using testing::at;
using testing::measured;

/// A history and an estimator, and exchanges with exponential jitter between a perfect clock and a
/// source that is off by `offset_s`.
class Path {
public:
    explicit Path(std::uint64_t seed) : random_(seed), history_(HistoryConfig{}) {}

    void poll(int count) {
        for (int i = 0; i < count; ++i) {
            t_s_ += 16.0;
            Measurement m = measured(t_s_, 0.0);
            m.forward = Duration::from_seconds(forward_base_s + jitter_s * exponential_(random_) +
                                               offset_s);
            m.backward = Duration::from_seconds(backward_base_s + jitter_s * exponential_(random_) -
                                                offset_s);
            history_.add(m);
            estimator.update(history_);
        }
    }
    double error_s() const { return estimator.estimate(at(t_s_))->offset_s - offset_s; }
    double base_s() const { return estimator.bank().mean()(2); }

    double forward_base_s = 1e-3;
    double backward_base_s = 1e-3;
    double jitter_s = 1e-4;
    double offset_s = 0.0;
    EmgEstimator estimator;

private:
    std::mt19937_64 random_;
    std::exponential_distribution<double> exponential_;
    SampleHistory history_;
    double t_s_ = 0.0;
};

class EmgLoop : public ::testing::TestWithParam<std::tuple<double, double>> {};

TEST_P(EmgLoop, BeatsTheRegressionInExponentialJitter) {
    Scenario setup;
    setup.jitter_s = std::get<0>(GetParam());
    setup.poll_s = std::get<1>(GetParam());
    setup.base_delay_s = setup.jitter_s > 1e-4 ? 5e-3 : 5e-4;
    EXPECT_LT(mean_square_s2(setup, "emg", 3), 0.7 * mean_square_s2(setup, "regression", 3));
}

INSTANTIATE_TEST_SUITE_P(Grid, EmgLoop,
                         ::testing::Combine(::testing::Values(1e-5, 1e-4, 1e-3),
                                            ::testing::Values(1.0, 16.0, 64.0, 1024.0)));

TEST(EmgEstimator, IsNoWorseThanTheRegressionInGaussianJitter) {
    for (const double poll_s : {1.0, 16.0, 64.0, 1024.0}) {
        Scenario setup;
        setup.jitter = Jitter::Gaussian;
        setup.jitter_s = 50e-9;
        setup.poll_s = poll_s;
        EXPECT_LT(mean_square_s2(setup, "emg", 3), mean_square_s2(setup, "regression", 3))
            << poll_s;
    }
}

TEST(EmgEstimator, StartsAtAnyOffsetAndFrequencyAsWellAsTheRegression) {
    for (const double frequency : {2e-5, -5e-2, 5e-2}) {
        for (const double jitter_s : {1e-6, 1e-1}) {
            EXPECT_LT(mean_square_after_third_s2(frequency, jitter_s, "emg"),
                      1.05 * mean_square_after_third_s2(frequency, jitter_s, "regression"))
                << frequency << " " << jitter_s;
        }
    }
}

TEST(EmgEstimator, ConvergesFromExtremes) {
    for (const double poll_s : {1.0 / 128, 1.0, 16384.0}) {
        for (const double offset_s : {1e4, -1e8}) {
            Scenario setup;
            setup.poll_s = poll_s;
            setup.frequency = -5e-2;
            setup.offset_s = offset_s;
            setup.wander = 1e-8;
            setup.jitter_s = 1e-4;
            setup.polls = 120;
            setup.skipped = 60;
            const double wander_s = setup.wander * std::pow(poll_s, 1.5);
            EXPECT_LT(std::sqrt(mean_square_s2(setup, "emg", 1)), 2e-4 + 3 * wander_s)
                << poll_s << " " << offset_s;
        }
    }
}

TEST(EmgEstimator, LearnsWanderAndShape) {
    for (const bool gaussian : {true, false}) {
        EmgEstimator estimator;
        SampleHistory history{HistoryConfig{}};
        std::mt19937_64 random(3);
        std::normal_distribution<double> normal;
        std::exponential_distribution<double> exponential;
        const auto jitter = [&] {
            return 1e-5 * (gaussian ? normal(random) : exponential(random));
        };
        double offset_s = 0.0;
        double frequency = 0.0;
        for (int i = 0; i < 1000; ++i) {
            frequency += 1e-9 * 4.0 * normal(random);
            offset_s += 16.0 * frequency;
            Measurement m = measured(16.0 * i, 0.0);
            m.forward = Duration::from_seconds(1e-3 + jitter() + offset_s);
            m.backward = Duration::from_seconds(1e-3 + jitter() - offset_s);
            history.add(m);
            estimator.update(history);
        }
        EXPECT_GT(estimator.bank().wander(), 3e-10);
        EXPECT_LT(estimator.bank().wander(), 3e-9);
        double gauss = 0.0;
        double sharp = 0.0;
        for (int q = 0; q < kEmgWanders; ++q) {
            gauss += estimator.bank().weight(q, 0) + estimator.bank().weight(q, kEmgShapes - 1);
            sharp += estimator.bank().weight(q, 2) + estimator.bank().weight(q, 3);
        }
        EXPECT_GT(gaussian ? gauss : sharp, 0.9) << gaussian;
    }
}

TEST(EmgEstimator, LongerPathIsRecognisedAndCostsNoOffset) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Path path(seed);
        path.poll(300);
        path.forward_base_s = path.backward_base_s = 1.3e-3;
        path.poll(50);
        EXPECT_EQ(path.estimator.path_changes(), 1) << seed;
        EXPECT_NEAR(path.base_s(), 1.3e-3, 4e-5) << seed;
        EXPECT_NEAR(path.error_s(), 0.0, 4e-5) << seed;
    }
}

TEST(EmgEstimator, PathLongerBothWaysMovesNoOffsetWhileItIsNotRecognised) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Path path(seed);
        path.poll(300);
        path.forward_base_s = path.backward_base_s = 1.3e-3;
        for (int i = 0; i < 60; ++i) {
            path.poll(1);
            EXPECT_NEAR(path.error_s(), 0.0, 4e-5) << seed << " " << i;
        }
        EXPECT_EQ(path.estimator.path_changes(), 1) << seed;
        path.forward_base_s = path.backward_base_s = 1e-3;
        path.poll(12);
        EXPECT_NEAR(path.base_s(), 1e-3, 4e-5) << seed;
    }
}

TEST(EmgEstimator, OneWayThatIsLateForAWhileIsNoLongerPath) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Path path(seed);
        path.poll(300);
        path.forward_base_s = 1.3e-3;
        path.poll(20);
        EXPECT_EQ(path.estimator.path_changes(), 0) << seed;
        path.forward_base_s = 1e-3;
        path.poll(12);
        EXPECT_EQ(path.estimator.path_changes(), 0) << seed;
        EXPECT_NEAR(path.error_s(), 0.0, 4e-5) << seed;
    }
}

TEST(EmgEstimator, ShorterPathIsRecognisedAtOnce) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Path path(seed);
        path.poll(300);
        path.forward_base_s = path.backward_base_s = 0.5e-3;
        path.poll(12);
        EXPECT_GE(path.estimator.path_changes(), 1) << seed;
        EXPECT_NEAR(path.base_s(), 0.5e-3, 1e-4) << seed;
        EXPECT_NEAR(path.error_s(), 0.0, 1e-4) << seed;
    }
}

TEST(EmgEstimator, UnchangedPathIsLeftAlone) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        Path path(seed);
        path.poll(2000);
        EXPECT_EQ(path.estimator.path_changes(), 0) << seed;
    }
}

TEST(EmgEstimator, BurstsOfCongestionDoNotPullTheEdgeUp) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        Path path(seed);
        path.jitter_s = 4e-5;
        path.poll(300);
        for (int burst = 0; burst < 5; ++burst) {
            path.jitter_s = 2e-3;
            path.poll(10);
            EXPECT_NEAR(path.base_s(), 1e-3, 5e-5) << seed;
            EXPECT_NEAR(path.error_s(), 0.0, 1e-4) << seed;
            path.jitter_s = 4e-5;
            path.poll(30);
        }
    }
}

TEST(EmgEstimator, OneImpossibleMeasurementIsIgnoredAndAJumpIsFollowed) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Path path(seed);
        path.poll(200);
        path.offset_s = 1.0;
        path.poll(1);
        EXPECT_NEAR(path.error_s(), -1.0, 1e-3) << seed;
        path.offset_s = 0.0;
        path.poll(5);
        EXPECT_NEAR(path.error_s(), 0.0, 1e-4) << seed;
        // The outlier is still in the window; the residuals it leaves must not excuse the jump.
        path.offset_s = -1.0;
        path.poll(3);
        EXPECT_NEAR(path.error_s(), 0.0, 5e-3) << seed;
        path.poll(17);
        EXPECT_NEAR(path.error_s(), 0.0, 1e-4) << seed;
    }
}

TEST(EmgEstimator, ConstantDelayIsWeighedByItsResiduals) {
    // A reference clock: delay says nothing of its noise of 1 µs.
    EmgEstimator estimator;
    SampleHistory history{HistoryConfig{}};
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal(0.0, 1e-6);
    double sum_s2 = 0.0;
    for (int i = 0; i < 1000; ++i) {
        history.add(measured(16.0 * i, normal(random), 1e-9));
        estimator.update(history);
        const double error_s = estimator.estimate(at(16.0 * i))->offset_s;
        if (i >= 200) sum_s2 += error_s * error_s / 800;
    }
    EXPECT_LT(std::sqrt(sum_s2), 4e-7);
}

TEST(EmgEstimator, LearnsTheNoiseOfAReferenceClockWhoseDelayTellsNothing) {
    // Root mean squares of the best filter that knows noise and wander: 6.0 ns at 1 s, 28 ns at 16 s.
    struct Case {
        double interval_s, noise_s, most_s;
    };
    for (const Case& c : {Case{1.0, 1e-8, 6.3e-9}, Case{16.0, 3e-8, 31e-9}}) {
        HistoryConfig config;
        config.precision_s = 1e-7;  // of one reading; the average of many is finer
        EmgEstimator estimator;
        SampleHistory history{config};
        std::mt19937_64 random(3);
        std::normal_distribution<double> normal;
        double offset_s = 1e-3;
        double frequency = 1e-5;
        double sum_s2 = 0.0;
        for (int i = 0; i < 3000; ++i) {
            const double step = 1e-9 * std::sqrt(c.interval_s) * normal(random);
            const double bend_s = 1e-9 * std::pow(c.interval_s, 1.5) * normal(random);
            offset_s += c.interval_s * (frequency + 0.5 * step) + bend_s / std::sqrt(12.0);
            frequency += step;
            const double t_s = c.interval_s * i;
            history.add(measured(t_s, offset_s + c.noise_s * normal(random), 1e-9));
            estimator.update(history);
            const double error_s = estimator.estimate(at(t_s))->offset_s - offset_s;
            if (i >= 500) sum_s2 += error_s * error_s / 2500;
        }
        EXPECT_LT(std::sqrt(sum_s2), c.most_s) << c.interval_s;
    }
}

TEST(EmgEstimator, UnknownStepForgetsTheOffsetAndKeepsTheFrequency) {
    Path path(2);
    path.poll(100);
    ClockAdjustment a;
    a.kind = ClockAdjustment::Kind::UnknownStep;
    path.estimator.adjust(a);
    EXPECT_FALSE(path.estimator.estimate(at(1600)).has_value());
    SourceFilter filter(HistoryConfig{}, make_estimator("emg"));
    for (int i = 0; i < 50; ++i) filter.update(measured(16.0 * i, 3e-5 * 16.0 * i));
    filter.adjust(a);
    filter.update(measured(16.0 * 50, 500.0));
    const Estimate e = *filter.estimate(at(16.0 * 50));
    EXPECT_NEAR(e.offset_s, 500.0, 1e-3);
    EXPECT_NEAR(e.frequency, 3e-5, 1e-6);
}

TEST(EmgEstimator, StampVariancesOfTheWaysReachTheBank) {
    // Forward stamps are a thousand times worse: the offset comes from the way back.
    EmgEstimator estimator;
    SampleHistory history{HistoryConfig{}};
    std::mt19937_64 random(8);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 300; ++i) {
        Measurement m = measured(16.0 * i, 0.0);
        m.forward += Duration::from_seconds(1e-4 * normal(random));
        m.backward += Duration::from_seconds(1e-7 * normal(random));
        m.forward_variance_s2 = 1e-8;
        m.backward_variance_s2 = 1e-14;
        history.add(m);
        EXPECT_EQ(history.newest().forward_variance_s2, 1e-8);
        EXPECT_EQ(history.newest().backward_variance_s2, 1e-14);
        estimator.update(history);
    }
    EXPECT_NEAR(estimator.estimate(at(16.0 * 299))->offset_s, 0.0, 5e-5);
}

}  // namespace
}  // namespace gnomon
