#include "servo/select/consensus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace gnomon {
namespace {

Witness witness(double value, double sd, double distance, double votes = 1.0) {
    return {value, sd * sd, distance, votes};
}

/// What the precisions make of the values.
double joint(const std::vector<Witness>& witnesses) {
    Consensus consensus;
    const std::span<const double> p = consensus.precisions(witnesses, BiasPrior{});
    double sum = 0.0;
    double total = 0.0;
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
        sum += p[i] * witnesses[i].value;
        total += p[i];
    }
    return sum / total;
}

TEST(Consensus, WitnessThatAgreesIsTakenByItsStatistics) {
    Consensus consensus;
    const std::vector<Witness> agree = {witness(1e-6, 1e-6, 1e-4), witness(-8e-6, 1e-5, 1e-4),
                                        witness(1.1e-4, 1e-4, 1e-4)};
    const std::span<const double> p = consensus.precisions(agree, BiasPrior{});
    EXPECT_GT(p[0], 3.0 * p[1]);
    EXPECT_GT(p[1], 30.0 * p[2]);
    EXPECT_LE(p[0], 1e12);
}

TEST(Consensus, QuietWitnessApartFromNoisyOnesThatAgreeDoesNotCount) {
    EXPECT_NEAR(joint({witness(1e-5, 3e-5, 5e-3), witness(-2e-5, 4e-5, 5e-3),
                       witness(2e-5, 5e-5, 5e-3), witness(5e-4, 1e-6, 5e-3)}),
                0.0, 3e-5);
}

TEST(Consensus, OfTwoThatDisagreeTheDistantOneYields) {
    EXPECT_LT(joint({witness(0.0, 1e-6, 1e-3), witness(1e-3, 1e-6, 1e-2)}), 1e-4);
}

TEST(Consensus, WitnessesOfOneUpstreamDoNotOutvoteIndependentOnes) {
    const auto estimate = [](double votes) {
        return joint({witness(0.0, 1e-6, 5e-3), witness(5e-6, 1e-6, 5e-3),
                      witness(1e-3, 1e-6, 5e-3, votes), witness(1.002e-3, 1e-6, 5e-3, votes),
                      witness(0.998e-3, 1e-6, 5e-3, votes)});
    };
    EXPECT_GT(estimate(1.0), 8e-4);
    EXPECT_LT(estimate(1.0 / 3.0), 2e-4);
}

TEST(Consensus, MovesSmoothlyWhenAWitnessMovesAway) {
    double previous = 0.0;
    for (double away = 0.0; away < 2e-3; away += 2e-5) {
        const double now = joint({witness(0.0, 3e-5, 5e-3), witness(0.0, 3e-5, 5e-3),
                                  witness(0.0, 3e-5, 5e-3), witness(away, 1e-5, 5e-3)});
        EXPECT_LT(std::fabs(now - previous), 1.5e-5) << away;
        previous = now;
    }
    EXPECT_LT(previous, 2e-5);
}

TEST(Consensus, AnyInputGivesPositiveFinitePrecisions) {
    std::mt19937_64 random(7);
    const auto any = [&random](double low, double high) {
        return std::pow(10.0, std::uniform_real_distribution<double>(low, high)(random));
    };
    Consensus consensus;
    for (int round = 0; round < 300; ++round) {
        std::vector<Witness> witnesses;
        const int n = 1 + static_cast<int>(random() % 9);
        for (int i = 0; i < n; ++i) {
            const double value = (random() % 2 == 0 ? 1.0 : -1.0) * any(-12.0, 9.0);
            witnesses.push_back(witness(random() % 5 == 0 ? 0.0 : value,
                                        random() % 5 == 0 ? 0.0 : any(-12.0, 1.0),
                                        random() % 5 == 0 ? 0.0 : any(-9.0, 1.0),
                                        1.0 / (1 + static_cast<int>(random() % 3))));
        }
        for (double p : consensus.precisions(witnesses, BiasPrior{})) {
            EXPECT_GT(p, 0.0);
            EXPECT_TRUE(std::isfinite(p));
        }
    }
}

}  // namespace
}  // namespace gnomon
