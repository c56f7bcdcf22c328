#include "servo/filter/hard_interval.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

Sample sample_at(double t_s, double offset_s, double delay_s) {
    Sample s;
    s.at = UtcTime::from_ns(1'000'000'000'000'000'000) + Duration::from_seconds(t_s);
    s.offset_s = s.measured_offset_s = offset_s;
    s.peer_delay_s = s.root_delay_s = delay_s;
    s.peer_dispersion_s = s.root_dispersion_s = 1e-9;
    return s;
}

SampleHistory history_of(std::initializer_list<Sample> samples) {
    SampleHistory history{HistoryConfig{}};
    for (const Sample& s : samples) history.add(s);
    return history;
}

TEST(HardInterval, IsEmptyWithoutSamples) {
    EXPECT_FALSE(hard_interval(SampleHistory{HistoryConfig{}}, UtcTime::from_ns(1)).has_value());
}

TEST(HardInterval, OneSampleProvesHalfItsDelay) {
    const SampleHistory history = history_of({sample_at(0, 0.5, 0.1)});
    const auto interval = hard_interval(history, history.newest().at);
    ASSERT_TRUE(interval.has_value());
    EXPECT_NEAR(interval->low_s, 0.45, 1e-8);
    EXPECT_NEAR(interval->high_s, 0.55, 1e-8);
    EXPECT_NEAR(interval->bound_s(0.5), 0.05, 1e-8);
    EXPECT_NEAR(interval->bound_s(0.54), 0.09, 1e-8);
}

TEST(HardInterval, EstimateThatFollowsALongerPathIsBoundedFromTheShortOne) {
    // The way back has become 20 ms longer: offsets shift by −10 ms, and the truth stays at zero.
    const SampleHistory history =
        history_of({sample_at(0, 0.0, 0.002), sample_at(1, 0.0, 0.002), sample_at(2, 0.0, 0.002),
                    sample_at(3, -0.010, 0.022), sample_at(4, -0.010, 0.022),
                    sample_at(5, -0.010, 0.022), sample_at(6, -0.010, 0.022)});
    const auto interval = hard_interval(history, history.newest().at);
    ASSERT_TRUE(interval.has_value());
    EXPECT_GE(interval->bound_s(-0.010), 0.010) << "an estimate that went along is that wrong";
    EXPECT_LE(interval->low_s, 0.0);
    EXPECT_GE(interval->high_s, 0.0);
}

TEST(HardInterval, OldSamplesProveLessBecauseTheClockMayHaveDriftedUnnoticed) {
    // A perfect line, so that its skew is next to nothing; then a slow exchange, half an hour later.
    SampleHistory history = history_of({sample_at(0, 0.0, 1e-5), sample_at(16, 0.0, 1e-5),
                                        sample_at(32, 0.0, 1e-5), sample_at(48, 0.0, 1e-5)});
    history.add(sample_at(1848, 0.0, 0.020));
    const auto interval = hard_interval(history, history.newest().at);
    ASSERT_TRUE(interval.has_value());
    const double drift_s = 1800 * history.config().max_clock_error;
    EXPECT_GE(interval->bound_s(0.0), drift_s);
    EXPECT_LE(interval->bound_s(0.0), drift_s + 1e-4) << "not as loose as the newest sample alone";
}

TEST(HardInterval, ContradictionLeavesTheNewestSample) {
    SampleHistory history = history_of({sample_at(0, 0.0, 0.001), sample_at(1, 1.0, 0.001)});
    const auto interval = hard_interval(history, history.newest().at);
    ASSERT_TRUE(interval.has_value());
    EXPECT_GT(interval->high_s, 0.99);
}

}  // namespace
}  // namespace gnomon
