#include "servo/filter/estimator_trial.h"

#include <gtest/gtest.h>

#include <cmath>

#include "servo/filter/source_filter.h"
#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

/// Says the same offset whatever it sees.
class Stubborn final : public Estimator {
public:
    explicit Stubborn(double offset_s) { estimate_.offset_s = offset_s; }
    void update(const SampleHistory& history) noexcept override {
        seen_ = true;
        estimate_.at = history.newest().at;
    }
    void adjust(const ClockAdjustment&) noexcept override {}
    void shift_offsets(double) noexcept override {}
    void reset() noexcept override { seen_ = false; }
    std::optional<Estimate> estimate(UtcTime) const noexcept override {
        return seen_ ? std::optional(estimate_) : std::nullopt;
    }
    const char* name() const noexcept override { return "stubborn"; }

private:
    bool seen_ = false;
    Estimate estimate_;
};

SourceFilter with_stubborn_shadows(const HistoryConfig& config) {
    std::vector<std::unique_ptr<Estimator>> shadows;
    shadows.push_back(std::make_unique<Stubborn>(1e-3));
    shadows.push_back(std::make_unique<Stubborn>(3e-3));
    return SourceFilter(config, make_estimator("regression"), std::move(shadows));
}

TEST(EstimatorTrial, ScoreIsTheErrorOfThePrediction) {
    SourceFilter filter = with_stubborn_shadows(HistoryConfig{});
    for (int i = 0; i < 40; ++i) filter.update(measured(16.0 * i, 1e-3));
    ASSERT_EQ(filter.trials().size(), 3U);
    EXPECT_NEAR(filter.trials()[1].score().error_s, 0.0, 1e-12);
    EXPECT_NEAR(filter.trials()[2].score().error_s, 2e-3, 1e-9);
    EXPECT_LT(filter.trials()[0].score().error_s, 1e-9);
    EXPECT_GT(filter.trials()[2].score().predictions, 30);
}

TEST(EstimatorTrial, SlowExchangesCountLittle) {
    SourceFilter filter = with_stubborn_shadows(HistoryConfig{});
    // Every fourth exchange is 20 ms slower, all of it on one way: its offset is 10 ms wrong.
    double plain_s2 = 0.0;
    for (int i = 0; i < 64; ++i) {
        const bool slow = i % 4 == 3;
        const double offset_s = 1e-3 + 1e-5 * (i % 3) + (slow ? 10e-3 : 0.0);
        filter.update(measured(16.0 * i, offset_s, slow ? 21e-3 : 1e-3));
        plain_s2 += std::pow(offset_s - 1e-3, 2);
    }
    const double plain_s = std::sqrt(plain_s2 / 64);
    EXPECT_GT(plain_s, 4e-3);
    EXPECT_LT(filter.trials()[1].score().error_s, 0.5 * plain_s);
    EXPECT_LT(filter.trials()[1].score().error_s, filter.trials()[2].score().error_s);
}

TEST(EstimatorTrial, ShadowsChangeNothingOfWhatSteers) {
    SourceFilter alone(HistoryConfig{}, make_estimator("emg"));
    SourceFilter watched(HistoryConfig{}, make_estimator("emg"),
                         make_estimators({"kalman", "pi", "regression"}));
    for (int i = 0; i < 100; ++i) {
        const Measurement m =
            measured(16.0 * i, 1e-4 + 1e-6 * (i * 7 % 5), 1e-3 + 2e-6 * (i * 3 % 7));
        alone.update(m);
        watched.update(m);
    }
    EXPECT_EQ(alone.estimate(at(1600))->offset_s, watched.estimate(at(1600))->offset_s);
    EXPECT_EQ(alone.estimate(at(1600))->frequency, watched.estimate(at(1600))->frequency);
    for (const EstimatorTrial& trial : watched.trials()) {
        ASSERT_TRUE(trial.estimate(at(1600))) << trial.estimator().name();
        EXPECT_NEAR(trial.estimate(at(1600))->offset_s, 1e-4, 1e-5) << trial.estimator().name();
    }
}

TEST(EstimatorTrial, ForgetsItsScoreOnReset) {
    SourceFilter filter = with_stubborn_shadows(HistoryConfig{});
    for (int i = 0; i < 10; ++i) filter.update(measured(16.0 * i, 1e-3));
    filter.reset();
    EXPECT_EQ(filter.trials()[2].score().predictions, 0);
    EXPECT_EQ(filter.trials()[2].score().error_s, 0.0);
    EXPECT_FALSE(filter.trials()[2].estimate(at(0)));
}

TEST(EstimatorTrial, UnknownNamesAreLeftOut) {
    EXPECT_EQ(make_estimators({"emg", "nonsense", "pi"}).size(), 2U);
}

}  // namespace
}  // namespace gnomon
