#include "servo/filter/emg/round_trip_scale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace gnomon {
namespace {

TEST(RoundTripScale, QuantilesAreThoseOfTheSortedWindow) {
    std::mt19937_64 random(1);
    std::uniform_int_distribution<int> value(0, 40);  // many ties
    RoundTripScale scale;
    std::deque<double> window;
    for (int i = 0; i < 2000; ++i) {
        const double v = value(random);
        scale.add(v);
        window.push_back(v);
        if (window.size() > RoundTripScale::kWindow) window.pop_front();
        std::deque<double> sorted = window;
        std::sort(sorted.begin(), sorted.end());
        ASSERT_EQ(scale.count(), static_cast<int>(window.size()));
        ASSERT_EQ(scale.min_s(), sorted.front());
        ASSERT_EQ(scale.quantile_s(0.25), sorted[sorted.size() / 4]);
        const std::size_t newest = std::min<std::size_t>(window.size(), 10);
        ASSERT_EQ(scale.min_of_newest_s(10),
                  *std::min_element(window.end() - newest, window.end()));
    }
}

TEST(RoundTripScale, IsTheStandardDeviationOfNormalRoundTripsDespiteOutliers) {
    std::mt19937_64 random(2);
    std::normal_distribution<double> normal(5.0, 0.2);
    RoundTripScale scale;
    for (int i = 0; i < 256; ++i) scale.add(i % 20 == 0 ? 1e3 : normal(random));
    EXPECT_NEAR(scale.sd_s(), 0.2, 0.04);
}

TEST(RoundTripScale, ShiftMovesOnlyTheOlder) {
    RoundTripScale scale;
    for (int i = 0; i < 300; ++i) scale.add(i < 290 ? 1.0 : 4.0);
    scale.shift_older(10, 3.0);
    EXPECT_EQ(scale.min_s(), 4.0);
    EXPECT_EQ(scale.quantile_s(1.0), 4.0);
    for (int i = 0; i < 300; ++i) scale.add(2.0);
    EXPECT_EQ(scale.quantile_s(1.0), 2.0);
}

}  // namespace
}  // namespace gnomon
