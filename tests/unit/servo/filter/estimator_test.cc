#include "servo/filter/estimator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "servo/filter/kalman_estimator.h"
#include "servo/filter/source_filter.h"
#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

void expect_sound(const Estimate& e) {
    ASSERT_TRUE(std::isfinite(e.offset_s));
    ASSERT_TRUE(std::isfinite(e.frequency));
    ASSERT_TRUE(std::isfinite(e.offset_sd_s));
    ASSERT_TRUE(std::isfinite(e.frequency_sd));
    ASSERT_GE(e.offset_sd_s, 0.0);
    ASSERT_GE(e.frequency_sd, 0.0);
    const double c = e.offset_frequency_covariance;
    const double variances = e.offset_sd_s * e.offset_sd_s * e.frequency_sd * e.frequency_sd;
    ASSERT_LE(c * c, variances * (1.0 + 1e-6) + 1e-300);
}

class EveryEstimator : public ::testing::TestWithParam<const char*> {
protected:
    SourceFilter make() { return SourceFilter(HistoryConfig{}, make_estimator(GetParam())); }
};

TEST_P(EveryEstimator, IsEmptyBeforeTheFirstSampleAndHasItsName) {
    const auto e = make_estimator(GetParam());
    EXPECT_FALSE(e->estimate(at(0)).has_value());
    EXPECT_STREQ(e->name(), GetParam());
}

TEST_P(EveryEstimator, FollowsANoiselessLine) {
    SourceFilter filter = make();
    for (int i = 0; i < 60; ++i) filter.update(measured(16.0 * i, 1e-2 + 16.0 * i * 3e-5));
    const Estimate e = *filter.estimate(at(16.0 * 59 + 100));
    EXPECT_NEAR(e.offset_s, 1e-2 + (16.0 * 59 + 100) * 3e-5, 1e-7);
    EXPECT_NEAR(e.frequency, 3e-5, 1e-9);
    expect_sound(e);
}

TEST_P(EveryEstimator, KnownAdjustmentsLeaveNoTrace) {
    SourceFilter filter = make();
    for (int i = 0; i < 20; ++i) filter.update(measured(16.0 * i, 0.7 + 16.0 * i * 5e-2));
    const Estimate before = *filter.estimate(at(16.0 * 19));
    ClockAdjustment a;
    a.at = at(16.0 * 19);
    a.frequency_change = before.frequency;
    a.offset_change_s = before.offset_s;
    filter.adjust(a);
    const UtcTime then = a.at + a.shift(a.at);
    EXPECT_NEAR(filter.estimate(then)->offset_s, 0.0, 1e-7);
    EXPECT_NEAR(filter.estimate(then)->frequency, 0.0, 1e-9);
    const double t0 = (then - testing::kEpoch).to_seconds();
    const double rest = 0.7 + 16.0 * 19 * 5e-2 - before.offset_s;
    for (int i = 1; i < 20; ++i) filter.update(measured(t0 + 16.0 * i, rest));
    EXPECT_NEAR(filter.estimate(at(t0 + 304))->offset_s, rest, 1e-6);
    EXPECT_NEAR(filter.estimate(at(t0 + 304))->frequency, 0.0, 1e-8);
}

TEST_P(EveryEstimator, EnormousOffsetIsCorrectedToTheLimitOfDoubles) {
    SourceFilter filter = make();
    for (int i = 0; i < 3; ++i) filter.update(measured(64.0 * i, 1e8));
    const Estimate e = *filter.estimate(at(128));
    ClockAdjustment a;
    a.at = at(128);
    a.offset_change_s = e.offset_s;
    a.frequency_change = e.frequency;
    filter.adjust(a);
    EXPECT_NEAR(e.offset_s, 1e8, 1e-6);
    EXPECT_LT(std::fabs(e.frequency), 1e-8);
    EXPECT_NEAR(filter.history().newest().offset_s, 0.0, 1e-6);
}

TEST_P(EveryEstimator, SurvivesGarbage) {
    std::mt19937_64 random(17);
    std::uniform_real_distribution<double> exponent(-12.0, 12.0);
    std::uniform_int_distribution<int> coin(0, 99);
    SourceFilter filter = make();
    double t = 0;
    const auto wild = [&] {
        const int c = coin(random);
        if (c == 0) return std::numeric_limits<double>::quiet_NaN();
        if (c == 1) return std::numeric_limits<double>::infinity();
        if (c == 2) return 0.0;
        return (c % 2 == 0 ? 1.0 : -1.0) * std::pow(10.0, exponent(random));
    };
    for (int i = 0; i < 100000; ++i) {
        t += coin(random) == 0 ? -5.0 : std::pow(10.0, exponent(random) / 4.0);
        if (t > 1e8 || t < 0) t = 1.0;
        Measurement m = measured(t, 0);
        m.forward = Duration::from_seconds(wild());
        m.backward = Duration::from_seconds(wild());
        m.peer_dispersion_s = std::fabs(wild());
        m.root_delay_s = wild();
        m.root_dispersion_s = wild();
        m.forward_variance_s2 = wild();
        filter.update(m);
        if (coin(random) < 3) {
            ClockAdjustment a;
            a.kind = coin(random) == 0 ? ClockAdjustment::Kind::UnknownStep
                                       : ClockAdjustment::Kind::Slew;
            a.at = at(t);
            a.offset_change_s = coin(random) - 50.0;
            a.frequency_change = 1e-3 * (coin(random) - 50);
            filter.adjust(a);
        }
        if (const auto e = filter.estimate(at(t + 1))) expect_sound(*e);
        if (::testing::Test::HasFatalFailure()) FAIL() << "at sample " << i;
        const auto data = filter.selection_data(at(t + 1));
        ASSERT_FALSE(data && std::isnan(data->root_distance_s()));
    }
}

INSTANTIATE_TEST_SUITE_P(Servo, EveryEstimator,
                         ::testing::Values("kalman", "regression", "pi", "emg"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Estimator, UnknownNameGivesNone) {
    EXPECT_EQ(make_estimator("clairvoyant"), nullptr);
    EXPECT_STREQ(make_estimator("")->name(), "emg");
}

TEST(Estimate, PropagationGrowsTheVarianceByRateAndWander) {
    Estimate e;
    e.at = at(0);
    e.offset_s = 1.0;
    e.frequency = 1e-3;
    e.offset_sd_s = 3e-6;
    e.frequency_sd = 1e-7;
    e.offset_frequency_covariance = 1e-13;
    const Estimate later = e.at_time(at(100), 1e-8);
    EXPECT_NEAR(later.offset_s, 1.1, 1e-12);
    const double variance = 9e-12 + 200 * 1e-13 + 1e4 * 1e-14 + 1e-16 * 1e6 / 3;
    EXPECT_NEAR(later.offset_sd_s, std::sqrt(variance), 1e-12);
    EXPECT_NEAR(later.frequency_sd, std::sqrt(1e-14 + 1e-14), 1e-14);
}

TEST(KalmanEstimator, LearnsHowTheOscillatorWanders) {
    for (const double q : {1e-10, 1e-8}) {
        std::mt19937_64 random(23);
        std::normal_distribution<double> normal;
        SourceFilter filter(HistoryConfig{}, std::make_unique<KalmanEstimator>());
        double offset = 0;
        double frequency = 0;
        const double d = 64.0;
        for (int i = 0; i < 800; ++i) {
            const double a = normal(random);
            const double b = normal(random);
            offset += frequency * d + q * d * std::sqrt(d) * (a / 2 + b / std::sqrt(12.0));
            frequency += q * std::sqrt(d) * a;
            const double j1 = 2e-7 * normal(random);
            const double j2 = 2e-7 * normal(random);
            filter.update(measured(d * i, offset + (j1 - j2) / 2, 1e-3 + j1 + j2));
        }
        const auto& kalman = static_cast<const KalmanEstimator&>(filter.estimator());
        EXPECT_LT(std::fabs(std::log10(kalman.wander() / q)), 0.6) << q;
        const Estimate e = *filter.estimate(at(d * 799));
        EXPECT_LT(std::fabs(e.offset_s - offset), 5 * e.offset_sd_s);
        EXPECT_LT(std::fabs(e.frequency - frequency), 5 * e.frequency_sd);
    }
}

TEST(KalmanEstimator, OneOutlierDoesLittleAndAStepIsFollowed) {
    std::mt19937_64 random(29);
    std::normal_distribution<double> normal;
    SourceFilter filter(HistoryConfig{}, std::make_unique<KalmanEstimator>());
    int i = 0;
    const auto feed = [&](double offset) {
        filter.update(
            measured(16.0 * i, offset + 1e-6 * normal(random), 1e-3 + 1e-6 * normal(random)));
        return filter.estimate(at(16.0 * i++))->offset_s;
    };
    for (int k = 0; k < 100; ++k) feed(0.0);
    EXPECT_LT(std::fabs(feed(1e-3)), 2e-5);
    for (int k = 0; k < 20; ++k) feed(0.0);
    EXPECT_LT(std::fabs(feed(0.0)), 3e-6);
    for (int k = 0; k < 8; ++k) feed(1e-3);
    EXPECT_NEAR(feed(1e-3), 1e-3, 3e-5);
}

TEST(KalmanEstimator, StatedDeviationCoversTheError) {
    std::mt19937_64 random(31);
    std::exponential_distribution<double> queue(1e4);
    int inside = 0;
    int total = 0;
    for (int run = 0; run < 20; ++run) {
        SourceFilter filter(HistoryConfig{}, std::make_unique<KalmanEstimator>());
        for (int i = 0; i < 120; ++i) {
            const double a = queue(random);
            const double b = queue(random);
            filter.update(measured(64.0 * i, (a - b) / 2, 1e-3 + a + b));
            if (i < 20) continue;
            const Estimate e = *filter.estimate(at(64.0 * i));
            ++total;
            if (std::fabs(e.offset_s) < 2.0 * e.offset_sd_s) ++inside;
        }
    }
    EXPECT_GT(static_cast<double>(inside) / total, 0.90);
}

}  // namespace
}  // namespace gnomon
