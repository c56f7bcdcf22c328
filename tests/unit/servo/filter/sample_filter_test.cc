#include "servo/filter/sample_filter.h"

#include <gtest/gtest.h>

#include "tests/unit/servo/filter/samples.h"

namespace gnomon {
namespace {

using testing::at;
using testing::measured;

TEST(MedianFilter, TakesTheMiddleOfThree) {
    MedianFilter filter({1, 3, 16.0, 0.0, 1e-7});
    filter.add(measured(0, 5e-3));
    filter.add(measured(1, 1e-3));
    filter.add(measured(2, -8e-3));
    const auto merged = filter.take();
    ASSERT_TRUE(merged);
    EXPECT_NEAR(merged->offset_s(), 1e-3, 1e-9);
    EXPECT_EQ(merged->at, at(1));
    EXPECT_EQ(filter.count(), 0);
    EXPECT_FALSE(filter.take());
    EXPECT_TRUE(filter.last());
}

TEST(MedianFilter, AveragesTheSharesAroundTheMedianAndTheirTimes) {
    MedianFilter filter({1, 10, 0.0, 0.6, 1e-7});
    for (int i = 0; i < 10; ++i) filter.add(measured(i, i == 3 ? 1.0 : 1e-3 + 1e-6 * (i % 4)));
    const auto merged = filter.take();
    ASSERT_TRUE(merged);
    EXPECT_NEAR(merged->offset_s(), 1e-3 + 1.5e-6, 1e-6);
    EXPECT_GT(merged->at, at(2));
    EXPECT_LT(merged->at, at(7));
    EXPECT_GE(merged->peer_dispersion_s, 1e-6);
}

TEST(MedianFilter, KeepsOnlyTheNewestAndRefusesDisorder) {
    MedianFilter filter({1, 2, 16.0, 1.0, 1e-7});
    EXPECT_TRUE(filter.add(measured(0, 1.0)));
    EXPECT_TRUE(filter.add(measured(1, 0.0)));
    EXPECT_TRUE(filter.add(measured(2, 0.0)));
    EXPECT_FALSE(filter.add(measured(2, 9.0)));
    EXPECT_EQ(filter.count(), 2);
    EXPECT_NEAR(filter.take()->offset_s(), 0.0, 1e-9);
}

TEST(MedianFilter, WaitsForEnoughAndRefusesTooMuchScatter) {
    MedianFilter few({3, 8, 16.0, 0.0, 1e-7});
    few.add(measured(0, 0));
    few.add(measured(1, 0));
    EXPECT_FALSE(few.take());
    MedianFilter noisy({1, 8, 1e-4, 1.0, 1e-7});
    noisy.add(measured(0, 0.0));
    noisy.add(measured(1, 1.0));
    EXPECT_FALSE(noisy.take());
}

TEST(MedianFilter, LargerDispersionIsLeftOut) {
    MedianFilter filter({1, 8, 16.0, 1.0, 1e-7});
    for (int i = 0; i < 8; ++i) {
        Measurement m = measured(i, i < 3 ? 1.0 : 1e-3);
        m.peer_dispersion_s = i < 3 ? 1e-2 : 1e-6;
        filter.add(m);
    }
    EXPECT_NEAR(filter.take()->offset_s(), 1e-3, 1e-9);
}

TEST(MedianFilter, AdjustmentMovesSamplesAndTheLastOne) {
    MedianFilter filter({1, 3, 16.0, 0.0, 1e-7});
    filter.add(measured(0, 0.25));
    ClockAdjustment a;
    a.at = at(0);
    a.offset_change_s = 0.25;
    filter.adjust(a);
    EXPECT_NEAR(filter.last()->offset_s(), 0.0, 1e-9);
    EXPECT_NEAR(filter.last()->peer_delay_s(), 1e-3, 1e-12);
    EXPECT_EQ(filter.last()->at, at(0.25));
    EXPECT_NEAR(filter.take()->offset_s(), 0.0, 1e-9);
}

TEST(MedianFilter, LengthIsCapped) {
    MedianFilter filter({1, 100000, 16.0, 0.0, 1e-7});
    EXPECT_EQ(filter.max_samples(), 256);
}

}  // namespace
}  // namespace gnomon
