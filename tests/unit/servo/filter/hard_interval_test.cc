#include "servo/filter/hard_interval.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/unit/servo/filter/samples.h"

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

/// The source moves in ten samples from the 40th on, as a server does that slews a correction away.
double share_of_move(int i) { return std::clamp((i - 40) / 10.0, 0.0, 1.0); }

/// How often the truth is not in the interval while our clock follows a source that is right until it
/// has to follow a distant reference, and wrong by `moved_s` from then on, as it says: all its samples
/// are true, but the line through them is not. All of the delay is on one way.
int false_intervals_after_move(double moved_s, double asymmetry_s) {
    SampleHistory history{HistoryConfig{}};
    double offset_s = 0.0;   // true offset of our clock
    double frequency = 0.0;  // its rate
    UtcTime at = sample_at(0, 0, 0).at;
    int wrong = 0;
    for (int i = 0; i < 80; ++i) {
        const bool moved = i >= 40;
        const double noise_s = (i * 7 % 11 - 5) * 4e-6;
        Sample sample =
            sample_at(0, offset_s + asymmetry_s + noise_s, 2.0 * (std::fabs(asymmetry_s) + 3e-5));
        if (moved) {
            sample.offset_s += moved_s * share_of_move(i);
            sample.root_dispersion_s += 1.5 * std::fabs(moved_s);
        }
        sample.at = at;
        history.add(sample);
        const auto interval = hard_interval(history, history.newest().at);
        if (!interval || interval->low_s > offset_s || interval->high_s < offset_s) ++wrong;
        if (history.has_line() && moved) {
            ClockAdjustment slew;
            slew.at = at;
            slew.frequency_change = history.line().frequency;
            slew.offset_change_s = history.line().offset_s;
            history.adjust(slew);
            offset_s -= slew.offset_change_s;
            frequency -= slew.frequency_change;
        }
        at = history.newest().at + Duration::from_s(8);
        offset_s += 8 * frequency;
    }
    return wrong;
}

TEST(HardInterval, SourceThatMovedDoesNotTiltWhatItProvedBefore) {
    for (const double moved_s : {-0.02, -0.004, 0.004, 0.02}) {
        for (const double asymmetry_s : {-0.0005, 0.0005}) {
            EXPECT_EQ(false_intervals_after_move(moved_s, asymmetry_s), 0)
                << moved_s << " " << asymmetry_s;
        }
    }
}

TEST(HardInterval, FrequencyBeforeTheSourceMovedStaysPossibleForOldSamples) {
    SampleHistory history{HistoryConfig{}};
    int tilted = 0;
    for (int i = 0; i < 60; ++i) {
        const double noise_s = (i * 7 % 11 - 5) * 4e-6;
        history.add(sample_at(8 * i, noise_s - 0.004 * share_of_move(i), 0.001));
        if (!history.has_line() || i < 20) continue;
        const double error = std::fabs(history.line().frequency);
        if (error > history.line().skew) ++tilted;
        if (history.oldest().at < sample_at(8 * 40, 0, 0).at) {
            EXPECT_LE(error, history.drift_bound(history.oldest())) << "sample " << i;
        }
    }
    EXPECT_GT(tilted, 0) << "the skew covers it: nothing was tested";
}

TEST(HardInterval, CorrectionsOfOurClockAreNoContradictionOfLines) {
    SampleHistory history{HistoryConfig{}};
    for (int i = 0; i < 20; ++i) history.add(sample_at(8 * i, 1e-5 * 8 * i, 0.001));
    ClockAdjustment slew;
    slew.at = history.newest().at;
    slew.frequency_change = 1e-5;
    history.adjust(slew);
    const UtcTime before = history.newest().at;
    history.add(sample_at((before - sample_at(0, 0, 0).at).to_seconds() + 8,
                          history.newest().offset_s, 0.001));
    EXPECT_LT(history.drift_bound(history.oldest()), 1e-7);
    EXPECT_FALSE(history.oldest().torn);
}

TEST(HardInterval, WanderBeyondMaxclockerrorWidensIt) {
    SampleHistory history{HistoryConfig{}};
    for (int i = 0; i < 8; ++i) history.add(testing::measured(16.0 * i, 0.0));
    const UtcTime later = testing::at(112 + 1000);
    const double calm_s = hard_interval(history, later, 1e-9)->bound_s(0.0);
    EXPECT_EQ(calm_s, hard_interval(history, later)->bound_s(0.0));
    // 3.29 · 1e-6 · √(1000³ / 3) s instead of 1000 · 1e-6 s.
    EXPECT_NEAR(hard_interval(history, later, 1e-6)->bound_s(0.0) - calm_s, 0.06007 - 1e-3, 1e-3);
}

}  // namespace
}  // namespace gnomon
