#include "servo/select/consensus.h"

#include <gtest/gtest.h>

#include <algorithm>
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

/// The precisions by the definition in consensus.h, at one β, integrated in very small steps.
std::vector<double> by_fine_quadrature(const std::vector<Witness>& witnesses, double beta) {
    constexpr double kPi = 3.14159265358979323846;
    std::vector<double> points;
    for (const Witness& w : witnesses) {
        const double sd = std::sqrt(w.variance + beta * beta * w.distance * w.distance);
        for (int k = -8000; k <= 8000; ++k) {
            points.push_back(w.value + sd * std::sinh(static_cast<double>(k) / 300.0));
        }
    }
    std::sort(points.begin(), points.end());
    std::vector<double> precisions(witnesses.size(), 0.0);
    double total = 0.0;
    for (std::size_t k = 1; k + 1 < points.size(); ++k) {
        double mass = 0.5 * (points[k + 1] - points[k - 1]);
        std::vector<double> at_point;
        for (const Witness& w : witnesses) {
            const double v = w.variance + beta * beta * w.distance * w.distance;
            const double r2 = (points[k] - w.value) * (points[k] - w.value);
            const double normal = 0.9 * std::exp(-0.5 * r2 / v) / std::sqrt(2.0 * kPi * v);
            const double tail = 0.1 * std::sqrt(v) / (kPi * (v + r2));
            mass *= std::pow(normal + tail, w.votes);
            at_point.push_back((normal / v + tail * 2.0 / (v + r2)) / (normal + tail));
        }
        total += mass;
        for (std::size_t i = 0; i < at_point.size(); ++i) precisions[i] += mass * at_point[i];
    }
    for (double& p : precisions) p /= total;
    return precisions;
}

TEST(Consensus, GapsBetweenWitnessesFarApartAreResolved) {
    constexpr double kBeta = 1e-3;
    const BiasPrior prior{kBeta, kBeta, kBeta, 1.0};
    for (const double gap : {1e-6, 1e-5, 1e-4, 1e-2, 1.0}) {
        for (const double votes : {1.0, 0.5}) {
            const std::vector<Witness> witnesses = {
                witness(0.0, 1e-8, 1e-5, votes), witness(5e-9, 1e-8, 1e-5, votes),
                witness(gap, 1e-8, 1e-5), witness(0.3 * gap, 2e-8, 1e-5)};
            const std::vector<double> expected = by_fine_quadrature(witnesses, kBeta);
            Consensus consensus;
            const std::span<const double> p = consensus.precisions(witnesses, prior);
            for (std::size_t i = 0; i < witnesses.size(); ++i) {
                EXPECT_NEAR(p[i] / std::min(expected[i], 1.0 / witnesses[i].variance), 1.0, 0.1)
                    << gap << " " << votes << " " << i;
            }
        }
    }
}

TEST(Consensus, NoneIsMorePreciseThanItsStatistics) {
    Consensus consensus;
    const std::vector<Witness> agree(4, witness(0.0, 1e-6, 1e-9));
    for (const double p : consensus.precisions(agree, BiasPrior{})) {
        EXPECT_LE(p, 1e12 * (1.0 + 1e-12));
        EXPECT_GT(p, 0.5e12);
    }
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
