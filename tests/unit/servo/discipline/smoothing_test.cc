#include "servo/discipline/smoothing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "servo/discipline/fallback_drift.h"

namespace gnomon {
namespace {

constexpr SmoothingConfig kConfig{1000e-6, 0.1e-6, false};

UtcTime at(double s) {
    return UtcTime::from_ns(1'262'304'000'000'000'000) + Duration::from_seconds(s);
}

ClockAdjustment phase(UtcTime t, double offset_s, double frequency = 0.0) {
    ClockAdjustment adjustment;
    adjustment.at = t;
    adjustment.offset_change_s = offset_s;
    adjustment.frequency_change = frequency;
    return adjustment;
}

TEST(TimeSmoothing, WaitsUntilTheClockHasSettled) {
    TimeSmoothing smoothing(kConfig);
    EXPECT_FALSE(smoothing.adjust(phase(at(0), 1.0), 1e-2));
    EXPECT_FALSE(smoothing.active());
    EXPECT_TRUE(smoothing.adjust(phase(at(1), 1.0), 1e-6));
    EXPECT_TRUE(smoothing.active());
    EXPECT_EQ(smoothing.offset_s(at(1)), 0.0);
}

TEST(TimeSmoothing, ServedTimeIsContinuousWithBoundedFrequencyAndWander) {
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    TimeSmoothing smoothing(kConfig);
    smoothing.activate(at(0));
    double t = 0.0;
    for (int i = 0; i < 300; ++i) {
        t += 500.0 + 400.0 * unit(random);
        const double step_s = unit(random) * 0.5;
        const double before = smoothing.offset_s(at(t));
        smoothing.adjust(phase(at(t), step_s), 1e-6);
        // The instant moved with the clock.
        EXPECT_NEAR(smoothing.offset_s(at(t + step_s)), before - step_s, 1e-6);
        t += step_s;
        double last = smoothing.offset_s(at(t));
        double last_rate = 0.0;
        for (int k = 1; k <= 300; ++k) {
            const double now = smoothing.offset_s(at(t + k));
            const double rate = now - last;
            EXPECT_LE(std::fabs(rate), kConfig.max_frequency * 1.001);
            if (k > 1) {
                EXPECT_LE(std::fabs(rate - last_rate), kConfig.max_wander * 1.01);
            }
            last = now;
            last_rate = rate;
        }
        t += 300;
    }
}

TEST(TimeSmoothing, WorksOffTheWholeOffsetInTheTimeReported) {
    for (const double offset_s : {-10.0, -1.0, -1e-4, -1e-9, 1e-9, 1e-4, 1.0, 10.0}) {
        TimeSmoothing smoothing(kConfig);
        smoothing.activate(at(0));
        smoothing.adjust(phase(at(10), offset_s), 1e-6);
        const auto report = smoothing.report(at(10 + offset_s));
        EXPECT_NEAR(report.offset_s, -offset_s, 1e-9);
        EXPECT_NEAR(smoothing.offset_s(at(10 + offset_s + report.remaining_s)), 0.0, 1e-9);
        EXPECT_NEAR(smoothing.offset_s(at(10 + offset_s + report.remaining_s + 1000)), 0.0, 1e-9);
    }
}

TEST(TimeSmoothing, FrequencyChangeIsTakenUpSlowly) {
    TimeSmoothing smoothing(kConfig);
    smoothing.activate(at(0));
    smoothing.adjust(phase(at(10), 0.0, 100e-6), 1e-6);
    // At first the served time runs as slowly as the clock did.
    EXPECT_NEAR(smoothing.report(at(10)).frequency_ppm, -100.0, 0.1);
    const double remaining_s = smoothing.report(at(10)).remaining_s;
    EXPECT_NEAR(smoothing.offset_s(at(10 + remaining_s)), 0.0, 1e-9);
    EXPECT_NEAR(smoothing.report(at(11 + remaining_s)).frequency_ppm, 0.0, 1e-6);
}

TEST(TimeSmoothing, LeapOnlyModeIgnoresOtherCorrections) {
    SmoothingConfig config = kConfig;
    config.leap_only = true;
    TimeSmoothing smoothing(config);
    EXPECT_TRUE(smoothing.adjust(phase(at(0), 0.1), 1.0));
    smoothing.adjust(phase(at(10), 0.5), 1e-6);
    EXPECT_EQ(smoothing.offset_s(at(20)), 0.0);
    smoothing.leap(at(30), 1, 1e-6);
    EXPECT_NEAR(smoothing.offset_s(at(30)), 1.0, 1e-9);
}

TEST(TimeSmoothing, StepResets) {
    TimeSmoothing smoothing(kConfig);
    smoothing.activate(at(0));
    smoothing.adjust(phase(at(10), 1.0), 1e-6);
    EXPECT_TRUE(smoothing.reset(at(11)));
    EXPECT_EQ(smoothing.offset_s(at(100)), 0.0);
    TimeSmoothing off(SmoothingConfig{});
    EXPECT_FALSE(off.reset(at(0)));
    EXPECT_EQ(off.offset_s(at(5)), 0.0);
}

TEST(FallbackDrift, IsOffByDefault) { EXPECT_FALSE(FallbackDrift(0, 0).enabled()); }

TEST(FallbackDrift, NeedsEnoughHistoryAndEnoughSilence) {
    FallbackDrift fallback(4, 5);
    const MonoTime start = MonoTime::from_ns(1'000'000'000'000);
    for (int i = 0; i < 3; ++i) fallback.update(Frequency::from_ppm(10.0), Duration::from_s(8));
    EXPECT_FALSE(fallback.schedule(start, Duration::zero()));
    EXPECT_FALSE(fallback.deadline());
    for (int i = 0; i < 100; ++i) fallback.update(Frequency::from_ppm(10.0), Duration::from_s(8));
    EXPECT_FALSE(fallback.schedule(start, Duration::zero()));
    ASSERT_TRUE(fallback.deadline());
    EXPECT_EQ(*fallback.deadline() - start, Duration::from_s(16));
    EXPECT_NEAR(fallback.expire().ppm(), 10.0, 1e-9);
    EXPECT_FALSE(fallback.schedule(start + Duration::from_s(16), Duration::from_s(16)));
    ASSERT_TRUE(fallback.deadline());
    EXPECT_EQ(*fallback.deadline() - start, Duration::from_s(32));
    fallback.update(Frequency::from_ppm(10.0), Duration::from_s(8));
    EXPECT_FALSE(fallback.deadline());
}

TEST(FallbackDrift, LongSilenceTakesTheLongestAverageAtOnce) {
    FallbackDrift fallback(4, 6);
    for (int i = 0; i < 100; ++i) fallback.update(Frequency::from_ppm(-3.0), Duration::from_s(8));
    const auto correction = fallback.schedule(MonoTime::from_ns(1), Duration::max());
    ASSERT_TRUE(correction);
    EXPECT_NEAR(correction->ppm(), -3.0, 1e-9);
    EXPECT_FALSE(fallback.deadline());
}

}  // namespace
}  // namespace gnomon
