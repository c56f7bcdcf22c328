#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "dataplane/proto/poll_control.h"
#include "dataplane/proto/predicted_error.h"

namespace gnomon {
namespace {

constexpr double kFar = 1.0;

SourceView::Noise noise_of(double wander, double queueing_s, double gauss_s) {
    return SourceView::Noise{wander, queueing_s, gauss_s, 0};
}

/// What a source polled by `plan` alone uses: mean interval of the last of many samples.
double mean_interval_s(PollControl& poll, const SourceView::Noise& noise, double distance_s) {
    constexpr int kSettle = 400;
    constexpr int kCount = 1000;
    double sum_s = 0.0;
    for (int i = 0; i < kSettle + kCount; ++i) {
        poll.plan(noise, 0.0, distance_s, true);
        if (i >= kSettle) sum_s += std::ldexp(1.0, poll.poll());
    }
    return sum_s / kCount;
}

TEST(PredictedError, FollowsTheLawsOfNoiseAndWander) {
    // Against docs/benchmarks/accuracy.md: 100 µs exponential, 1e-9, 64 s: 11.4 µs.
    const PredictedError queueing = predicted_error(noise_of(1e-9, 1e-4, 0.0), 64.0);
    EXPECT_NEAR(queueing.total_s(), 11e-6, 2.5e-6);
    EXPECT_NEAR(predicted_error(noise_of(1e-9, 1e-4, 0.0), 128.0).noise_s / queueing.noise_s,
                std::pow(2.0, 0.6), 1e-6);
    // Gaussian of 50 ns each way, 1e-10, 64 s: 92 ns.
    const PredictedError gauss =
        predicted_error(noise_of(1e-10, 0.0, 50e-9 / std::sqrt(2.0)), 64.0);
    EXPECT_NEAR(gauss.total_s(), 60e-9, 30e-9);
    EXPECT_NEAR(gauss.wander_s, 0.43 * 1e-10 * 512.0, 1e-12);
}

TEST(PlannedInterval, IsLongerOverMoreNoiseAndShorterForMoreWander) {
    double last = -10.0;
    for (const double queueing_s : {1e-6, 1e-5, 1e-4, 1e-3}) {
        const double planned =
            planned_interval_log2(noise_of(1e-9, queueing_s, 0.0), kFar, -7.0, 24.0);
        EXPECT_GT(planned, last);
        last = planned;
    }
    for (const double wander : {1e-8, 1e-7, 1e-6}) {
        const double planned = planned_interval_log2(noise_of(wander, 1e-3, 0.0), kFar, -7.0, 24.0);
        EXPECT_LT(planned, last);
        last = planned;
    }
}

TEST(PlannedInterval, LeavesAnEighthToWander) {
    const SourceView::Noise noise = noise_of(1e-9, 1e-5, 0.0);
    const double interval_s = std::exp2(planned_interval_log2(noise, kFar, 6.0, 10.0));
    const PredictedError error = predicted_error(noise, interval_s);
    EXPECT_NEAR(std::pow(error.wander_s / error.total_s(), 2), 0.125, 0.01);
}

TEST(PlannedInterval, KeepsTheErrorWithinAShareOfTheDistance) {
    const SourceView::Noise noise = noise_of(1e-8, 1e-3, 0.0);
    const double interval_s = std::exp2(planned_interval_log2(noise, 4e-4, 0.0, 17.0));
    EXPECT_NEAR(predicted_error(noise, interval_s).total_s(), 0.23 * 4e-4, 2e-6);
}

TEST(PlannedInterval, OfNonsenseIsTheShortest) {
    const double nan = std::nan("");
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double bad : {nan, infinity, -1.0}) {
        EXPECT_EQ(planned_interval_log2(noise_of(bad, bad, bad), kFar, 6.0, 10.0), 6.0);
    }
    EXPECT_EQ(planned_interval_log2(noise_of(1e-9, 1e-3, 0.0), nan, 6.0, 10.0), 6.0);
    EXPECT_EQ(planned_interval_log2(noise_of(1e-9, 1e-3, 0.0), 0.0, 6.0, 10.0), 6.0);
}

TEST(PollControl, AlternatesSoThatTheMeanIntervalIsThePlan) {
    for (const double queueing_s : {5e-6, 1e-5, 2e-5, 7e-5}) {
        const SourceView::Noise noise = noise_of(1e-9, queueing_s, 0.0);
        const double planned_s = std::exp2(planned_interval_log2(noise, kFar, 4.0, 12.0));
        PollControl poll(4, 12, 8);
        EXPECT_NEAR(mean_interval_s(poll, noise, kFar) / planned_s, 1.0, 0.02);
    }
}

TEST(PollControl, PlansWithinTheLimits) {
    PollControl quiet(6, 10, 8);
    EXPECT_EQ(mean_interval_s(quiet, noise_of(1e-11, 1e-2, 0.0), kFar), 1024.0);
    PollControl wild(6, 10, 8);
    EXPECT_EQ(mean_interval_s(wild, noise_of(1e-6, 1e-7, 0.0), kFar), 64.0);
    quiet.set_max_poll(8);
    EXPECT_EQ(mean_interval_s(quiet, noise_of(1e-11, 1e-2, 0.0), kFar), 256.0);
    PollControl fixed(5, 5, 8);
    EXPECT_EQ(mean_interval_s(fixed, noise_of(1e-11, 1e-2, 0.0), kFar), 32.0);
    // Below a second only in the same network.
    PollControl far_away(-4, 10, 8);
    for (int i = 0; i < 100; ++i) {
        far_away.plan(noise_of(1e-6, 1e-9, 0.0), 0.0, kFar, false);
        EXPECT_GE(far_away.poll(), 0);
    }
    far_away.plan(noise_of(1e-6, 1e-9, 0.0), 0.0, kFar, true);
    EXPECT_LT(far_away.poll(), 0);
}

TEST(PollControl, PlansNoLongIntervalsBeforeItHasSamples) {
    PollControl poll(6, 10, 8);
    const SourceView::Noise noise = noise_of(1e-11, 1e-2, 0.0);
    for (int i = 0; i < 6; ++i) poll.plan(noise, 0.0, kFar, false);
    EXPECT_EQ(poll.poll(), 6);
    for (int i = 0; i < 28; ++i) poll.plan(noise, 0.0, kFar, false);
    EXPECT_EQ(poll.poll(), 10);
}

TEST(PollControl, PaysAttentionToSurprises) {
    PollControl poll(6, 10, 8);
    SourceView::Noise noise = noise_of(1e-11, 1e-2, 0.0);
    noise.surprises = 3;
    mean_interval_s(poll, noise, kFar);
    EXPECT_EQ(poll.poll(), 10);
    ++noise.surprises;
    poll.plan(noise, 0.0, kFar, false);
    EXPECT_EQ(poll.poll(), 6);
    int samples = 0;
    while (poll.poll() < 10 && samples < 100) {
        poll.plan(noise, 0.0, kFar, false);
        ++samples;
    }
    EXPECT_GT(samples, 8);
    EXPECT_LT(samples, 24);
}

TEST(PollControl, ShortensWhenThePredictionMissesTheDistance) {
    PollControl poll(6, 10, 8);
    const SourceView::Noise noise = noise_of(1e-11, 1e-2, 0.0);
    mean_interval_s(poll, noise, 1e-3);
    poll.plan(noise, 5e-3, 1e-3, false);
    EXPECT_LE(poll.poll(), 8);
}

TEST(PollControl, LostRepliesLengthenAPlannedIntervalToo) {
    PollControl poll(6, 10, 8);
    const SourceView::Noise noise = noise_of(1e-6, 1e-7, 0.0);
    mean_interval_s(poll, noise, kFar);
    for (int i = 0; i < 16; ++i) poll.add(0.25, false);
    EXPECT_EQ(poll.poll(), 10);
    EXPECT_TRUE(poll.reset());
    EXPECT_EQ(poll.poll(), 6);
    EXPECT_FALSE(poll.reset());
}

TEST(PollPlan, EndsWithATarget) {
    const SourceView::Noise noise = noise_of(1e-9, 1e-4, 0.0);
    PollControl planned(4, 10, 8);
    mean_interval_s(planned, noise, kFar);
    ASSERT_GT(planned.poll(), 4);
    planned.set_target(8);
    PollControl fresh(4, 10, 8);
    fresh.add(planned.poll() - 4, true);
    ASSERT_EQ(fresh.poll(), planned.poll());
    for (int i = 0; i < 100; ++i) {
        planned.add(planned.evidence(0.0, kFar, 12), true);
        fresh.add(fresh.evidence(0.0, kFar, 12), true);
        ASSERT_EQ(planned.poll(), fresh.poll()) << i;
        ASSERT_DOUBLE_EQ(planned.score(), fresh.score()) << i;
    }
    EXPECT_EQ(planned.poll(), 10);
    EXPECT_EQ(planned.score(), 1.0);
}

TEST(PollPlan, TargetKeepsTheScoreThatEvidenceCollected) {
    PollControl poll(4, 10, 8);
    poll.add(1.5, true);
    poll.set_target(6);
    EXPECT_EQ(poll.poll(), 5);
    EXPECT_EQ(poll.score(), 0.5);
}

}  // namespace
}  // namespace gnomon
