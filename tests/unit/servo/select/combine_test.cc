#include "servo/select/combine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace gnomon {
namespace {

CombineInput input(double offset_s, double sd_s, double frequency, double frequency_sd,
                   double distance_s, double skew = 1e-7) {
    CombineInput i;
    i.estimate =
        Estimate{UtcTime::from_ns(1'000'000'000), offset_s, sd_s, frequency, frequency_sd, 0.0};
    i.skew = skew;
    i.root_distance_s = distance_s;
    return i;
}

TEST(Combine, SingleSourceIsOnlyCarriedToTheInstant) {
    const std::vector<CombineInput> one = {input(1e-3, 1e-6, 1e-5, 1e-8, 0.01)};
    const Combined c = combine(one, UtcTime::from_ns(11'000'000'000));
    EXPECT_NEAR(c.estimate.offset_s, 1e-3 + 1e-4, 1e-12);
    EXPECT_DOUBLE_EQ(c.estimate.frequency, 1e-5);
    EXPECT_DOUBLE_EQ(c.skew, 1e-7);
}

TEST(Combine, OffsetsByDistanceFrequenciesByVariance) {
    const std::vector<CombineInput> two = {input(0.0, 1e-6, 0.0, 1e-8, 0.01),
                                           input(3e-3, 2e-6, 4e-6, 2e-8, 0.02, 2e-7)};
    const Combined c = combine(two, UtcTime::from_ns(1'000'000'000));
    EXPECT_NEAR(c.estimate.offset_s, 1e-3, 1e-12);     // weights 2 : 1
    EXPECT_NEAR(c.estimate.frequency, 0.8e-6, 1e-15);  // weights 4 : 1
    EXPECT_NEAR(c.estimate.frequency_sd, 1e-8 / std::sqrt(1.25), 1e-15);
    EXPECT_NEAR(c.skew, 1e-7 / std::sqrt(1.25), 1e-14);
    const double spread = (100 * 1e-12 + 50 * (4e-12 + 9e-6)) / 150;
    EXPECT_NEAR(c.estimate.offset_sd_s, std::sqrt(spread), 1e-12);
}

TEST(Combine, ZeroDistanceAndDeviationStayFinite) {
    const std::vector<CombineInput> two = {input(1e-3, 0, 0, 0, 0, 0), input(2e-3, 0, 0, 0, 0, 0)};
    const Combined c = combine(two, UtcTime::from_ns(1'000'000'000));
    EXPECT_NEAR(c.estimate.offset_s, 1.5e-3, 1e-12);
    EXPECT_TRUE(std::isfinite(c.estimate.offset_sd_s));
    EXPECT_TRUE(std::isfinite(c.skew));
}

}  // namespace
}  // namespace gnomon
