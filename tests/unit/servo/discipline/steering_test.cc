#include "servo/discipline/steering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnomon {
namespace {

Estimate estimate_of(double offset_sd_s, double frequency_sd) {
    Estimate e;
    e.offset_sd_s = offset_sd_s;
    e.frequency_sd = frequency_sd;
    return e;
}

/// Mean cost per time of correcting offsets of unit variance that arrive every `interval_s`, by a
/// constant rate over `duration_s`, renewed at each arrival. τ is the time constant.
double cost(double duration_s, double interval_s, double time_constant_s) {
    const double share = std::min(1.0, interval_s / duration_s);
    const double active_s = std::min(duration_s, interval_s);
    const double variance = 1.0 / (1.0 - (1.0 - share) * (1.0 - share));
    const double rate = 1.0 / duration_s;
    const double error =
        active_s - rate * active_s * active_s + rate * rate * active_s * active_s * active_s / 3.0;
    const double effort = time_constant_s * time_constant_s * rate * rate * active_s;
    return variance * (error + effort) / interval_s;
}

TEST(Steering, Duration_IsTheCheapestThereIs) {
    SteeringConfig config;
    config.frequency_weight = 1.0;
    for (const double time_constant_s : {0.05, 0.3, 2.0, 5.0, 8.0}) {
        // No part of the uncertainty comes from the frequency: τ is exactly σ_e / σ_f.
        const double interval_s = 1.0;
        Estimate e = estimate_of(1e-6 * time_constant_s, 1e-6);
        e.offset_frequency_covariance = -interval_s * 1e-12 / 3.0;
        const double found_s = correction_duration_s(e, 1e-9, interval_s, config);
        const double least = cost(found_s, interval_s, time_constant_s);
        for (const double factor : {0.7, 0.9, 1.1, 1.4}) {
            EXPECT_LE(least, cost(found_s * factor, interval_s, time_constant_s) * 1.0001)
                << time_constant_s << " s, times " << factor;
        }
    }
}

TEST(Steering, Duration_GrowsWithTheUncertaintyOfTheOffset) {
    double before_s = 0.0;
    for (const double sd_s : {1e-9, 1e-8, 1e-7, 1e-6, 1e-5}) {
        const double now_s = correction_duration_s(estimate_of(sd_s, 1e-7), 1e-12, 16.0);
        EXPECT_GE(now_s, before_s);
        before_s = now_s;
    }
    EXPECT_LE(before_s, 160.0);
}

TEST(Steering, LargeOffset_IsCorrectedProportionallyFaster) {
    const Estimate e = estimate_of(1e-6, 1e-8);
    const double small_s = correction_duration_s(e, 1e-6, 16.0);
    EXPECT_DOUBLE_EQ(small_s, correction_duration_s(e, -1e-6, 16.0));
    const double large_s = correction_duration_s(e, 1e-3, 16.0);
    EXPECT_LT(large_s, small_s / 200.0);
    EXPECT_NEAR(correction_duration_s(e, 2e-3, 16.0), large_s / 2.0, large_s * 1e-9);
}

TEST(Steering, Start_CorrectsWhatExceedsTheUncertaintyByTheSquare) {
    const Estimate e = estimate_of(1e-6, 1e-8);
    SteeringConfig starting;
    starting.starting = true;
    const double calm_s = correction_duration_s(e, 1e-6, 16.0);
    EXPECT_DOUBLE_EQ(correction_duration_s(e, 1e-7, 16.0, starting), calm_s);
    EXPECT_DOUBLE_EQ(correction_duration_s(e, 0.0, 16.0, starting), calm_s);
    const double twice_s = correction_duration_s(e, 2e-5, 16.0, starting);
    EXPECT_LT(twice_s, calm_s / 200.0);
    EXPECT_NEAR(correction_duration_s(e, -4e-5, 16.0, starting), twice_s / 4.0, twice_s * 1e-9);
    EXPECT_LT(twice_s, correction_duration_s(e, 2e-5, 16.0) / 5.0);
}

TEST(Steering, NothingKnown_IsCorrectedAtOnce) {
    EXPECT_EQ(correction_duration_s(estimate_of(1e-6, 1e-8), 1e-3, 0.0), 0.0);
    EXPECT_EQ(correction_duration_s(estimate_of(0.0, 0.0), 1e-3, 16.0), 0.0);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(correction_duration_s(estimate_of(nan, 1e-8), 1e-3, 16.0), 0.0);
    EXPECT_EQ(correction_duration_s(estimate_of(1e-6, 1e-8), nan, nan), 0.0);
    EXPECT_GE(correction_duration_s(estimate_of(1e-6, 1e-8), nan, 16.0), 0.0);
}

TEST(Steering, Duration_IsBoundedByIntervals) {
    SteeringConfig config;
    EXPECT_DOUBLE_EQ(correction_duration_s(estimate_of(1.0, 1e-9), 1e-3, 16.0, config),
                     config.max_intervals * 16.0);
}

}  // namespace
}  // namespace gnomon
