#include "servo/filter/emg/asymmetry_bias.h"

#include <gtest/gtest.h>

#include <cmath>
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

TEST(AsymmetryBias, DoubtsWhatIsNotCorrected) {
    // Between near-normal and exponential: the edge is not seen for certain, nor can it be inferred.
    const AsymmetryBias between = after(3000, 3.0, 1e-4, 3e-5, 7e-5);
    EXPECT_EQ(between.bias_s(), 0.0);
    EXPECT_NEAR(between.sd_s(), 0.5 * 7e-5 / std::sqrt(3.0), 6e-6);
    // Noise without an edge, part of which the filter takes for queueing.
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    AsymmetryBias noise;
    for (int i = 0; i < 5000; ++i) {
        noise.add(1e-4 * normal(random), 3e-5 * normal(random), 1e-14, 8e-5);
    }
    EXPECT_NEAR(noise.sd_s(), std::hypot(3.5e-5, 4e-5), 5e-6);
}

TEST(AsymmetryBias, DoubtsNothingForEqualWaysAndForVisibleEdges) {
    EXPECT_EQ(after(3000, 10.0, 1e-4, 1e-4, 0.0).sd_s(), 0.0);
    EXPECT_EQ(after(3000, 3.0, 1e-4, 1e-4, 0.0).sd_s(), 0.0);
    EXPECT_LT(after(3000, 1.0, 1e-4, 3e-5, 7e-5).sd_s(), 2e-6);
}

}  // namespace
}  // namespace gnomon
