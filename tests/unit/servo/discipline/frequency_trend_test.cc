#include "servo/discipline/frequency_trend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace gnomon {
namespace {

constexpr double kPollS = 64.0;

/// Hours of updates every 64 s with the correction that `course` gives at a time in seconds.
void feed(FrequencyTrend& trend, double hours, const std::function<double(double)>& course,
          double from_hours = 0.0) {
    for (double t = from_hours * 3600.0; t < (from_hours + hours) * 3600.0; t += kPollS) {
        trend.add(MonoTime() + Duration::from_seconds(t), course(t));
    }
}

TEST(FrequencyTrend, GuessesNothingWithoutHistory) {
    FrequencyTrend trend;
    EXPECT_FALSE(trend.guess());
    feed(trend, 6.0, [](double t) { return 1e-12 * t; });
    EXPECT_FALSE(trend.guess());
}

TEST(FrequencyTrend, ContinuesADriftThatProvedItself) {
    FrequencyTrend trend;
    constexpr double kDrift = 1e-8 / 3600.0;
    feed(trend, 16.0, [](double t) { return 1e-5 + kDrift * t; });
    const auto guess = trend.guess();
    ASSERT_TRUE(guess);
    EXPECT_NEAR(guess->slope_per_s / kDrift, 1.0, 0.05);
    EXPECT_EQ(guess->jump, 0.0);
}

TEST(FrequencyTrend, ReturnsToTheMeanOfAFastSwing) {
    FrequencyTrend trend;
    const auto course = [](double t) { return 1e-5 + 1e-7 * std::sin(2.0 * M_PI * t / 7200.0); };
    constexpr double kHours = 24.5;  // a quarter of the period: at the top
    feed(trend, kHours, course);
    const auto guess = trend.guess();
    ASSERT_TRUE(guess);
    EXPECT_EQ(guess->slope_per_s, 0.0);
    EXPECT_NEAR(course(kHours * 3600.0) + guess->jump, 1e-5, 3e-8);
}

TEST(FrequencyTrend, LeavesARandomWalkAlone) {
    std::mt19937_64 generator(7);
    std::normal_distribution<double> normal;
    int believed = 0;
    constexpr int kWalks = 40;
    for (int i = 0; i < kWalks; ++i) {
        FrequencyTrend trend;
        double correction = 0.0;
        feed(trend, 48.0, [&](double) {
            correction += 1e-9 * std::sqrt(kPollS) * normal(generator);
            return correction;
        });
        believed += trend.guess().has_value();
    }
    EXPECT_LE(believed, 1);
}

TEST(FrequencyTrend, StartsAnewAfterALongSilence) {
    FrequencyTrend trend;
    const auto course = [](double t) { return 1e-12 * t; };
    feed(trend, 16.0, course);
    ASSERT_TRUE(trend.guess());
    trend.add(MonoTime() + Duration::from_seconds(30.0 * 3600.0), 1e-3);
    EXPECT_FALSE(trend.guess());
    trend.add(MonoTime(), 1e-3);  // backwards
    trend.add(MonoTime() + Duration::from_seconds(1.0), std::nan(""));
    EXPECT_FALSE(trend.guess());
}

}  // namespace
}  // namespace gnomon
