#include "servo/filter/emg/asymmetry_bias.h"

#include <gtest/gtest.h>

#include <random>

namespace gnomon {
namespace {

/// Residuals of Gamma jitter with shape k and the given means, seen by a filter that takes
/// `known_difference_s` of the difference of the means for queueing.
AsymmetryBias after(int count, double k, double forward_s, double backward_s,
                    double known_difference_s) {
    std::mt19937_64 random(1);
    std::gamma_distribution<double> forward(k, forward_s / k);
    std::gamma_distribution<double> backward(k, backward_s / k);
    AsymmetryBias bias;
    for (int i = 0; i < count; ++i) {
        bias.add(5e-3 + forward(random), 5e-3 + backward(random), 1e-14, known_difference_s);
    }
    return bias;
}

TEST(AsymmetryBias, IsHalfTheDifferenceOfTheMeansOfNearNormalJitter) {
    const AsymmetryBias bias = after(3000, 10.0, 1e-4, 3e-5, 2e-5);
    EXPECT_NEAR(bias.bias_s(), 0.5 * (7e-5 - 2e-5), 1e-5);
    EXPECT_GT(bias.sd_s(), 5e-6);
    EXPECT_NEAR(after(3000, 10.0, 3e-5, 1e-4, -2e-5).bias_s(), -0.5 * (7e-5 - 2e-5), 1e-5);
}

TEST(AsymmetryBias, IsNoneForEqualWaysAndForVisibleEdges) {
    EXPECT_EQ(after(3000, 10.0, 1e-4, 1e-4, 0.0).bias_s(), 0.0);
    EXPECT_EQ(after(3000, 1.0, 1e-4, 3e-5, 7e-5).bias_s(), 0.0);
}

TEST(AsymmetryBias, IsNoneForNormalNoiseAndForFewMeasurements) {
    std::mt19937_64 random(2);
    std::normal_distribution<double> normal;
    AsymmetryBias bias;
    for (int i = 0; i < 5000; ++i) {
        bias.add(1e-4 * normal(random), 3e-5 * normal(random), 1e-14, 0.0);
        ASSERT_LT(bias.bias_s(), 5e-5) << i;
        ASSERT_GT(bias.bias_s(), -5e-5) << i;
    }
    EXPECT_EQ(bias.bias_s(), 0.0);
    EXPECT_EQ(after(50, 10.0, 1e-4, 3e-5, 0.0).bias_s(), 0.0);
}

}  // namespace
}  // namespace gnomon
