#include "servo/filter/sample_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

TEST(SampleHistory, NeedsThreeSamplesForALine) {
    SampleHistory history({});
    history.add(measured(0, 1e-3));
    history.add(measured(16, 1e-3));
    EXPECT_FALSE(history.has_line());
    EXPECT_FALSE(history.selectable());
    EXPECT_DOUBLE_EQ(history.line().skew, kUnknownSkew);
    history.add(measured(32, 1e-3));
    EXPECT_TRUE(history.has_line());
    EXPECT_TRUE(history.selectable());
    EXPECT_EQ(history.count(), 3);
}

/// Without noise the residuals are rounding, which the runs test rightly does not like.
HistoryConfig keeping_all() {
    HistoryConfig config;
    config.min_samples = 64;
    return config;
}

TEST(SampleHistory, LineHasTheSlopeOfTheOffsets) {
    SampleHistory history(keeping_all());
    for (int i = 0; i < 10; ++i) history.add(measured(16.0 * i, 1e-3 + 16.0 * i * 2e-5));
    EXPECT_NEAR(history.line().frequency, 2e-5, 1e-10);
    EXPECT_NEAR(history.line().offset_s, 1e-3 + 144 * 2e-5, 1e-8);
    EXPECT_EQ(history.line().at, at(144));
    EXPECT_EQ(history.span(), Duration::from_s(144));
}

TEST(SampleHistory, SingleSampleIsSelectableIfThatIsAllThereMayBe) {
    HistoryConfig config;
    config.max_samples = 1;
    SampleHistory history(config);
    history.add(measured(0, 1e-3));
    EXPECT_TRUE(history.selectable());
    EXPECT_FALSE(history.has_line());
    history.add(measured(1, 2e-3));
    EXPECT_EQ(history.count(), 1);
    EXPECT_DOUBLE_EQ(history.line().offset_s, 2e-3);
}

TEST(SampleHistory, WindowGrowsTo64WithWhiteNoiseAndShrinksWithWander) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    SampleHistory steady({});
    SampleHistory wandering({});
    double frequency = 0;
    double offset = 0;
    double sum = 0;
    for (int i = 0; i < 400; ++i) {
        steady.add(measured(i, 1e-6 * normal(random)));
        sum += i >= 200 ? steady.count() : 0;
        frequency += 1e-6 * normal(random);
        offset += frequency;
        wandering.add(measured(i, offset + 1e-7 * normal(random)));
    }
    EXPECT_LE(steady.count(), 64);
    EXPECT_GT(sum / 200, 35);  // the runs test is wrong once in twenty times
    EXPECT_LT(wandering.count(), 12);
    EXPECT_GE(wandering.count(), 6);
}

TEST(SampleHistory, RunsTestDropsTheOldLineAfterAStepOfFrequency) {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    SampleHistory history({});
    for (int i = 0; i < 40; ++i) history.add(measured(16.0 * i, 1e-6 * normal(random)));
    for (int i = 1; i <= 14; ++i) {
        history.add(measured(16.0 * (39 + i), 1e-5 * 16.0 * i + 1e-6 * normal(random)));
    }
    EXPECT_LT(history.count(), 20);
    EXPECT_NEAR(history.line().frequency, 1e-5, 1e-6);
}

TEST(SampleHistory, SlowExchangesCountLess) {
    HistoryConfig config;
    config.asymmetry = 0.0;
    SampleHistory history(config);
    for (int i = 0; i < 12; ++i) {
        const bool slow = i == 5 || i == 8;
        history.add(measured(i, slow ? 5e-3 : 0.0, slow ? 1.1e-2 : 1e-3 + 1e-6 * (i % 3)));
    }
    EXPECT_LT(std::fabs(history.line().offset_s), 1e-6);
}

TEST(SampleHistory, AdjustmentMovesLineAndSamplesTogether) {
    SampleHistory history(keeping_all());
    for (int i = 0; i < 8; ++i) history.add(measured(16.0 * i, 0.5 + 16.0 * i * 1e-4));
    ClockAdjustment a;
    a.at = at(112);
    a.frequency_change = history.line().frequency;
    a.offset_change_s = history.line().offset_s;
    history.adjust(a);
    EXPECT_NEAR(history.line().frequency, 0.0, 1e-10);
    EXPECT_NEAR(history.line().offset_s, 0.0, 1e-8);
    for (int i = 0; i < history.count(); ++i) EXPECT_NEAR(history.sample(i).offset_s, 0.0, 1e-8);
    EXPECT_DOUBLE_EQ(history.sample(0).measured_offset_s, 0.5);
    history.add(measured((history.newest().at - testing::kEpoch).to_seconds() + 16, 0.0));
    EXPECT_NEAR(history.line().frequency, 0.0, 1e-9);
}

TEST(SampleHistory, UnknownStepAndDisorderDiscardEverything) {
    SampleHistory history({});
    for (int i = 0; i < 5; ++i) history.add(measured(i, 0));
    EXPECT_EQ(history.add(measured(4, 0)), SampleHistory::AddResult::OutOfOrder);
    EXPECT_EQ(history.count(), 1);
    ClockAdjustment step;
    step.kind = ClockAdjustment::Kind::UnknownStep;
    history.adjust(step);
    EXPECT_TRUE(history.empty());
}

TEST(SampleHistory, OneSidedJitterIsRecognisedAndCorrected) {
    std::mt19937_64 random(11);
    std::exponential_distribution<double> queue(1e4);
    SampleHistory history({});
    for (int i = 0; i < 60; ++i) {
        const double q = queue(random);
        history.add(measured(i, -q / 2, 1e-3 + q));  // on the way back: our clock looks ahead
    }
    EXPECT_NEAR(history.asymmetry(), 0.5, 0.01);
    EXPECT_NEAR(history.line().offset_s, 0.5 * (1e-3 - history.min_delay_s()), 1e-5);
    EXPECT_LT(history.line().stddev_s, 1e-6);
}

TEST(SampleHistory, ConfiguredAsymmetryIsTakenAtOnce) {
    HistoryConfig config;
    config.asymmetry = -0.5;
    config.min_delay_s = 1e-3;
    SampleHistory history(config);
    for (int i = 0; i < 4; ++i) history.add(measured(i, 1e-4 * i, 1e-3 + 2e-4 * i));
    EXPECT_DOUBLE_EQ(history.asymmetry(), -0.5);
    EXPECT_NEAR(history.line().offset_s, 0.0, 1e-8);
}

TEST(SampleHistory, DelayBelowTheConfiguredMinimumIsMirrored) {
    HistoryConfig config;
    config.min_delay_s = 1e-3;
    SampleHistory history(config);
    history.add(measured(0, 0, 4e-4));
    EXPECT_NEAR(history.newest().peer_delay_s, 1.6e-3, 1e-12);
    EXPECT_DOUBLE_EQ(history.min_delay_s(), 1e-3);
}

TEST(SampleHistory, BestSampleHasTheLeastRootDistance) {
    SampleHistory history({});
    for (int i = 0; i < 6; ++i) history.add(measured(i, 0, i == 2 ? 1e-4 : 5e-3));
    EXPECT_EQ(history.best().at, at(2));
}

TEST(SampleHistory, RestoresADumpAndRefusesBadOnes) {
    std::vector<Sample> samples;
    for (int i = 0; i < 8; ++i) samples.push_back(Sample::from(measured(i, 1e-3)));
    SampleHistory history({});
    EXPECT_TRUE(history.restore(samples, 12, at(100)));
    EXPECT_EQ(history.count(), 8);
    EXPECT_NEAR(history.line().offset_s, 1e-3, 1e-9);

    EXPECT_FALSE(history.restore(samples, 0, at(3)));  // from the future
    EXPECT_TRUE(history.empty());
    std::swap(samples[2], samples[3]);
    EXPECT_FALSE(history.restore(samples, 0, at(100)));
    samples.resize(1);
    samples[0].peer_delay_s = NAN;
    EXPECT_FALSE(history.restore(samples, 0, at(100)));
    samples.clear();
    EXPECT_FALSE(history.restore(samples, 0, at(100)));
}

}  // namespace
}  // namespace gnomon
