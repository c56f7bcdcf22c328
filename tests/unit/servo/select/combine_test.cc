#include "servo/select/combine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace gnomon {
namespace {

const UtcTime kAt = UtcTime::from_ns(1'000'000'000);

CombineInput input(double offset_s, double sd_s, double distance_s, double frequency = 0.0,
                   double frequency_sd = 1e-8, double skew = 1e-7) {
    CombineInput i;
    i.estimate = Estimate{kAt, offset_s, sd_s, frequency, frequency_sd, 0.0};
    i.skew = skew;
    i.root_distance_s = distance_s;
    return i;
}

Combined combine(const std::vector<CombineInput>& inputs, UtcTime at = kAt) {
    return Combiner().combine(inputs, at);
}

TEST(Combine, SingleSourceIsOnlyCarriedToTheInstant) {
    const Combined c = combine({input(1e-3, 1e-6, 0.01, 1e-5)}, UtcTime::from_ns(11'000'000'000));
    EXPECT_NEAR(c.estimate.offset_s, 1e-3 + 1e-4, 1e-12);
    EXPECT_DOUBLE_EQ(c.estimate.frequency, 1e-5);
    EXPECT_DOUBLE_EQ(c.skew, 1e-7);
}

TEST(Combine, WitnessesThatDoNotCountLeaveTheSelectedSourceAlone) {
    std::vector<CombineInput> inputs = {input(1e-3, 1e-6, 0.01), input(2e-3, 1e-6, 0.01),
                                        input(2e-3, 1e-6, 0.01)};
    inputs[1].counts = false;
    inputs[2].counts = false;
    EXPECT_DOUBLE_EQ(combine(inputs).estimate.offset_s, 1e-3);
}

TEST(Combine, EqualSourcesShareAndTheirCommonWanderIsNotAveragedAway) {
    const std::vector<CombineInput> four(4, input(1e-3, 1e-6, 1e-6));
    const Combined c = combine(four);
    EXPECT_NEAR(c.estimate.offset_s, 1e-3, 1e-12);
    EXPECT_NEAR(c.estimate.offset_sd_s, 1e-6 * std::sqrt(0.5 + 0.5 / 4), 1e-9);
    EXPECT_NEAR(c.estimate.frequency_sd, 1e-8 * std::sqrt(0.5 + 0.5 / 4), 1e-11);
    EXPECT_NEAR(c.skew, 1e-7 / 2.0, 1e-14);
}

TEST(Combine, FrequenciesThatAgreeAreWeighedByVariance) {
    const Combined c = combine({input(0, 1e-6, 0.01, 0.0, 1e-8), input(0, 1e-6, 0.01, 4e-9, 1e-7)});
    EXPECT_GT(c.estimate.frequency, 0.0);
    EXPECT_LT(c.estimate.frequency, 4e-11);
}

TEST(Combine, SourceWithADriftingClockDoesNotSetTheFrequency) {
    const Combined c =
        combine({input(0, 1e-5, 0.01, 0.0, 2e-9), input(0, 1e-5, 0.01, 1e-9, 2e-9),
                 input(0, 1e-5, 0.01, -1e-9, 2e-9), input(0, 1e-5, 0.01, 1e-6, 1e-10)});
    EXPECT_NEAR(c.estimate.frequency, 0.0, 5e-9);
}

TEST(Combine, QuietAsymmetricSourceDoesNotPullNoisyHonestOnes) {
    const std::vector<CombineInput> inputs = {input(5e-4, 1e-6, 5e-3), input(1e-5, 2e-5, 5e-3),
                                              input(-3e-5, 4e-5, 5e-3), input(4e-5, 6e-5, 5e-3)};
    Combiner combiner;
    EXPECT_NEAR(combiner.combine(inputs, kAt).estimate.offset_s, 0.0, 3e-5);
    EXPECT_LT(combiner.weights()[0], 0.05);
}

TEST(Combine, AmbiguityIsResolvedByWhereTheSourcesHaveBeenInTheLongRun) {
    // A noisy one comes near the asymmetric one by chance.
    std::vector<BiasTrack> tracks(4);
    std::vector<CombineInput> inputs = {input(5e-4, 1e-6, 1e-3), input(1e-5, 1e-4, 1e-3),
                                        input(-1e-5, 1e-4, 1e-3), input(0, 1e-4, 1e-3)};
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].track = &tracks[i];
    Combiner combiner;
    for (int i = 0; i < 64; ++i) combiner.combine(inputs, kAt);
    inputs[1].estimate.offset_s = 3.5e-4;
    inputs[2].estimate.offset_s = 2e-4;
    const double with = combiner.combine(inputs, kAt).estimate.offset_s;
    for (CombineInput& i : inputs) i.track = nullptr;
    const double without = combiner.combine(inputs, kAt).estimate.offset_s;
    EXPECT_LT(with, 2.5e-4);
    EXPECT_GT(without, 3e-4);
}

TEST(Combine, SourceWhosePathChangedLosesItsWeightAtOnce) {
    std::vector<BiasTrack> tracks(4);
    std::vector<CombineInput> inputs(4, input(0, 5e-6, 5e-3));
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].track = &tracks[i];
    Combiner combiner;
    for (int i = 0; i < 64; ++i) combiner.combine(inputs, kAt);
    inputs[0].estimate.offset_s = 5e-4;
    EXPECT_NEAR(combiner.combine(inputs, kAt).estimate.offset_s, 0.0, 2e-5);
    EXPECT_NEAR(combiner.combine(inputs, kAt).estimate.offset_s, 0.0, 2e-5);
}

TEST(Combine, ServersOfOneUpstreamAreOneWitnessOfIt) {
    // What they say apart from the others is their server's error, not that of their paths.
    std::vector<CombineInput> inputs = {input(0, 1e-6, 5e-3), input(1e-3, 1e-6, 5e-3),
                                        input(1e-3, 1e-6, 5e-3), input(1e-3, 1e-6, 5e-3)};
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i].server_distance_s = 4.9e-3;
    const double independent = combine(inputs).estimate.offset_s;
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i].upstream = 0;
    const double same = combine(inputs).estimate.offset_s;
    EXPECT_GT(independent, 9e-4);
    EXPECT_NEAR(same, 5e-4, 1e-4);
}

TEST(Combine, ResultIsNeverOutsideOfWhatTheSourcesSayAndAlwaysFinite) {
    std::mt19937_64 random(3);
    const auto any = [&random](double low, double high) {
        return random() % 7 == 0
                   ? 0.0
                   : std::pow(10.0, std::uniform_real_distribution<double>(low, high)(random));
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<CombineInput> inputs;
        const int n = 2 + static_cast<int>(random() % 6);
        double low_s = 1e9;
        double high_s = -1e9;
        for (int i = 0; i < n; ++i) {
            inputs.push_back(input(any(-9, 2), any(-10, 0), any(-9, 0), any(-10, -5), any(-12, -4),
                                   any(-12, -4)));
            inputs.back().server_distance_s = any(-9, 0);
            inputs.back().upstream = static_cast<int>(random() % 4) - 1;
            low_s = std::min(low_s, inputs.back().estimate.offset_s);
            high_s = std::max(high_s, inputs.back().estimate.offset_s);
        }
        const Combined c = combine(inputs);
        EXPECT_GE(c.estimate.offset_s, low_s - 1e-9);
        EXPECT_LE(c.estimate.offset_s, high_s + 1e-9);
        EXPECT_GT(c.estimate.offset_sd_s, 0.0);
        EXPECT_TRUE(std::isfinite(c.estimate.offset_sd_s));
        EXPECT_TRUE(std::isfinite(c.estimate.frequency));
        EXPECT_GT(c.estimate.frequency_sd, 0.0);
        EXPECT_TRUE(std::isfinite(c.skew));
    }
}

TEST(Combine, SourceThatIsNotFiniteHasNoWeightAndSpoilsNothing) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const CombineInput good = input(1e-3, 1e-6, 1e-3);
    for (const double bad : {kInfinite, kNan}) {
        const CombineInput others[] = {input(1e-3, bad, 1e-3),
                                       input(bad, 1e-6, 1e-3),
                                       input(1e-3, 1e-6, bad),
                                       input(1e-3, 1e-6, 1e-3, bad),
                                       input(1e-3, 1e-6, 1e-3, 0.0, bad),
                                       input(1e-3, 1e-6, 1e-3, 0.0, 1e-8, bad)};
        for (const CombineInput& other : others) {
            const std::vector<CombineInput> inputs = {good, other, good};
            Combiner combiner;
            const Combined c = combiner.combine(inputs, kAt);
            double sum = 0.0;
            for (const double weight : combiner.weights()) sum += weight;
            EXPECT_NEAR(sum, 1.0, 1e-9);
            EXPECT_NEAR(c.estimate.offset_s, 1e-3, 1e-9);
            EXPECT_NEAR(c.estimate.frequency, 0.0, 1e-12);
            EXPECT_LE(c.estimate.offset_sd_s, 1e-6);
            EXPECT_LE(c.estimate.frequency_sd, 1e-8);
            EXPECT_LE(c.skew, 1e-7);
        }
        // Of the selected one nothing can be made, but weights remain weights.
        Combiner combiner;
        combiner.combine(std::vector<CombineInput>{input(0, bad, 1e-3), good}, kAt);
        for (const double weight : combiner.weights()) EXPECT_TRUE(weight >= 0.0 && weight <= 1.0);
    }
}

TEST(BiasTrack, MeanHasLessNoiseAndAJumpContradictsIt) {
    BiasTrack track;
    EXPECT_FALSE(track.known());
    for (int i = 0; i < 64; ++i) track.add(i % 2 == 0 ? 2e-6 : 4e-6, 1e-12);
    EXPECT_NEAR(track.away_s(), 3e-6, 1e-7);
    EXPECT_LT(track.variance_s2(), 0.5e-12);
    EXPECT_FALSE(track.contradicts(6e-6, 1e-12));
    EXPECT_TRUE(track.contradicts(12e-6, 1e-12));
}

}  // namespace
}  // namespace gnomon
