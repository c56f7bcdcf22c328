#include "servo/filter/source_filter.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

TEST(SourceFilter, DistanceIsThatOfTheBestSampleAndGrowsWithSkew) {
    SourceFilter filter(HistoryConfig{});
    for (int i = 0; i < 8; ++i)
        filter.update(measured(16.0 * i, 1e-6 * (i % 3), i == 6 ? 2e-4 : 1e-3));
    const auto now = filter.selection_data(at(112));
    const auto later = filter.selection_data(at(1112));
    ASSERT_TRUE(now && later);
    EXPECT_TRUE(now->select_ok);
    EXPECT_NEAR(now->root_delay_s, 2e-3 + 2e-4, 1e-9);
    EXPECT_NEAR(later->root_dispersion_s - now->root_dispersion_s, 1000 * now->skew, 1e-9);
    EXPECT_EQ(now->first_sample, at(0));
    EXPECT_EQ(now->last_sample, at(112));
    EXPECT_EQ(now->reference.at, at(112));
}

/// Sure of something wrong.
class Deluded final : public Estimator {
public:
    explicit Deluded(double offset_s) : offset_s_(offset_s) {}
    void update(const SampleHistory& history) noexcept override { at_ = history.newest().at; }
    void adjust(const ClockAdjustment&) noexcept override {}
    void shift_offsets(double) noexcept override {}
    void reset() noexcept override {}
    std::optional<Estimate> estimate(UtcTime) const noexcept override {
        return Estimate{at_, offset_s_, 1e-9, 1e-3, 1e-12, 0.0};
    }
    const char* name() const noexcept override { return "deluded"; }

private:
    double offset_s_;
    UtcTime at_;
};

TEST(SourceFilter, NoiseOfAReferenceClockDisprovesNoEstimate) {
    // Claims a nanosecond of dispersion and has a microsecond of noise.
    SourceFilter filter(HistoryConfig{}, make_estimator("emg"));
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal(0.0, 1e-6);
    for (int i = 0; i < 200; ++i) {
        Measurement m = measured(16.0 * i, normal(random), 1e-9);
        m.peer_dispersion_s = 1e-9;
        m.root_delay_s = 0.0;
        m.root_dispersion_s = 0.0;
        filter.update(m);
        if (i < 100) continue;
        const auto data = filter.selection_data(at(16.0 * i));
        const auto own = filter.estimator().estimate(at(16.0 * i));
        ASSERT_TRUE(data && own);
        EXPECT_EQ(data->estimate.offset_s, own->offset_s) << i;
    }
}

TEST(SourceFilter, DisprovenEstimateGivesWayToTheLine) {
    SourceFilter filter(HistoryConfig{}, std::make_unique<Deluded>(0.5));
    for (int i = 0; i < 8; ++i) filter.update(measured(16.0 * i, 1e-6 * (i % 3)));
    const auto data = filter.selection_data(at(130));
    ASSERT_TRUE(data && data->proven);
    EXPECT_FALSE(data->proven->contains(0.5));
    EXPECT_TRUE(data->proven->contains(data->reference.offset_s));
    EXPECT_NEAR(data->reference.offset_s, 1e-6, 2e-6);
    EXPECT_NEAR(data->estimate.offset_s, 1e-6, 3e-6);
    EXPECT_NEAR(data->estimate.frequency, 0.0, 1e-6);
    EXPECT_NEAR(filter.predicted_offset_s(at(130)), 1e-6, 3e-6);
}

TEST(SourceFilter, FrequencyBeyondTheLinesBoundIsUncertain) {
    SourceFilter filter(HistoryConfig{}, std::make_unique<Deluded>(1e-6));
    for (int i = 0; i < 8; ++i) filter.update(measured(16.0 * i, 1e-6 * (i % 3)));
    const auto data = filter.selection_data(at(112));
    ASSERT_TRUE(data);
    EXPECT_EQ(data->estimate.frequency, 1e-3);
    EXPECT_NEAR(data->estimate.frequency_sd, 1e-3 - data->skew, 1e-6);
}

TEST(SourceFilter, OneSampleOfOneSelectsWithoutFrequency) {
    HistoryConfig config;
    config.max_samples = 1;
    SourceFilter filter(config);
    filter.update(measured(0, 0.5));
    const auto data = filter.selection_data(at(1));
    ASSERT_TRUE(data);
    EXPECT_TRUE(data->select_ok);
    EXPECT_FALSE(data->stddev_known);
    EXPECT_DOUBLE_EQ(data->estimate.offset_s, 0.5);
    EXPECT_DOUBLE_EQ(data->estimate.frequency, 0.0);
    filter.update(measured(1, 0.9));
    EXPECT_DOUBLE_EQ(filter.selection_data(at(1))->estimate.frequency, 0.0);
}

TEST(SourceFilter, PredictsForTheTestsFromSixSamplesOn) {
    SourceFilter filter(HistoryConfig{});
    EXPECT_DOUBLE_EQ(filter.predicted_offset_s(at(0)), 0.0);
    EXPECT_DOUBLE_EQ(filter.skew_bound(), 2000e-6);
    for (int i = 0; i < 6; ++i) {
        EXPECT_FALSE(filter.predict(at(i)));
        filter.update(measured(i, 1e-3, 1e-3 + 1e-5 * i));
        EXPECT_NEAR(filter.predicted_offset_s(at(i)), 1e-3, 1e-6);
    }
    const auto p = filter.predict(at(7));
    ASSERT_TRUE(p);
    EXPECT_NEAR(p->offset_s, 1e-3, 1e-6);
    EXPECT_NEAR(p->min_delay_s, 1e-3, 1e-9);
    EXPECT_EQ(p->last_sample, at(5));
    EXPECT_EQ(filter.sample_count(), 6);
}

TEST(SourceFilter, ConstantCorrectionMovesEverything) {
    SourceFilter filter(HistoryConfig{});
    for (int i = 0; i < 8; ++i) filter.update(measured(i, 1e-3));
    filter.shift_offsets(2e-3);
    EXPECT_NEAR(filter.estimate(at(7))->offset_s, 3e-3, 1e-7);
    EXPECT_NEAR(filter.statistics(at(7)).offset_s, 3e-3, 1e-7);
    EXPECT_NEAR(filter.last_sample()->offset_s, 3e-3, 1e-9);
    EXPECT_NEAR(filter.last_sample()->measured_offset_s, 1e-3, 1e-9);
}

TEST(SourceFilter, RestoredDumpEstimatesLikeTheOriginal) {
    SourceFilter original(HistoryConfig{});
    std::vector<Sample> dump;
    for (int i = 0; i < 20; ++i) {
        original.update(measured(16.0 * i, 1e-3 + 1e-6 * (i * 7 % 5), 1e-3 + 2e-6 * (i * 3 % 7)));
    }
    for (int i = 0; i < original.history().count(); ++i)
        dump.push_back(original.history().sample(i));
    SourceFilter copy(HistoryConfig{});
    ASSERT_TRUE(copy.restore(dump, 0, at(1000)));
    EXPECT_EQ(copy.sample_count(), original.sample_count());
    const Estimate a = *original.estimate(at(304));
    const Estimate b = *copy.estimate(at(304));
    EXPECT_NEAR(a.offset_s, b.offset_s, 2e-6);
    EXPECT_NEAR(a.frequency, b.frequency, 2e-8);
    EXPECT_FALSE(copy.restore({}, 0, at(1000)));
    EXPECT_FALSE(copy.estimate(at(1000)));
}

}  // namespace
}  // namespace gnomon
