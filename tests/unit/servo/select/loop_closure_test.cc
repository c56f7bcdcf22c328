#include "servo/select/loop_closure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <utility>

namespace gnomon {
namespace {

using Outcome = LoopClosure::Outcome;

/// Clocks at random places, every pair measured, with asymmetries where told.
class FullMesh {
public:
    FullMesh(int clocks, std::uint64_t seed) : clocks_(clocks), random_(seed) {
        for (int i = 0; i < clocks; ++i) places_.push_back(1e-3 * normal_(random_));
    }
    void bias(int from, int to, double bias_s) { biases_[{from, to}] = bias_s; }

    LoopClosure close() {
        std::vector<MeshEdge> edges;
        for (int i = 0; i < clocks_; ++i) {
            for (int j = i + 1; j < clocks_; ++j) {
                const double sd_s = 1e-6 * std::exp(normal_(random_));
                const double bias_s = biases_.count({i, j}) != 0 ? biases_.at({i, j}) : 0.0;
                const double offset_s =
                    places_[static_cast<std::size_t>(j)] - places_[static_cast<std::size_t>(i)];
                edges.push_back({i, j, offset_s + bias_s + sd_s * normal_(random_), sd_s});
            }
        }
        return close_loops(clocks_, edges);
    }

private:
    int clocks_;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::vector<double> places_;
    std::map<std::pair<int, int>, double> biases_;
};

TEST(LoopClosure, FindsTheOneAsymmetricEdgeOfFourClocks) {
    FullMesh mesh(4, 1);
    mesh.bias(1, 3, 200e-6);
    const LoopClosure found = mesh.close();
    ASSERT_EQ(found.outcome, Outcome::Closed);
    ASSERT_EQ(found.biases.size(), 1U);
    EXPECT_EQ(found.biases[0].from, 1);
    EXPECT_EQ(found.biases[0].to, 3);
    EXPECT_NEAR(found.biases[0].bias_s, 200e-6, 4.0 * found.biases[0].sd_s);
    EXPECT_EQ(found.loops, 2);
}

TEST(LoopClosure, FindsSeveralInALargerMesh) {
    FullMesh mesh(7, 2);
    mesh.bias(0, 1, 1e-3);
    mesh.bias(2, 5, -300e-6);
    mesh.bias(3, 4, 100e-6);
    const LoopClosure found = mesh.close();
    ASSERT_EQ(found.outcome, Outcome::Closed);
    ASSERT_EQ(found.biases.size(), 3U);
    EXPECT_NEAR(found.biases[1].bias_s, -300e-6, 4.0 * found.biases[1].sd_s);
}

TEST(LoopClosure, CannotTellAnythingFromATriangle) {
    FullMesh mesh(3, 3);
    mesh.bias(0, 1, 1e-3);
    EXPECT_EQ(mesh.close().outcome, Outcome::TooFewLoops);
}

TEST(LoopClosure, AppliesNothingWhenItDoesNotProveWhichEdgesAreAsymmetric) {
    FullMesh mesh(4, 4);
    mesh.bias(0, 1, 1e-3);
    mesh.bias(2, 3, 0.6e-3);
    const LoopClosure found = mesh.close();
    EXPECT_NE(found.outcome, Outcome::Closed);
    EXPECT_TRUE(found.biases.empty());
}

TEST(LoopClosure, CountsBothEndsOfAPathOnce) {
    // Edge (0, 1) is biased and measured from both ends; each is one vote for the same error.
    const std::vector<MeshEdge> edges = {
        {0, 1, 1e-3, 1e-6}, {1, 0, -1e-3, 1e-6}, {0, 2, 0.0, 1e-6},
        {2, 0, 0.0, 1e-6},  {1, 2, 0.0, 1e-6},   {2, 1, 0.0, 1e-6},
    };
    EXPECT_EQ(close_loops(4, edges).outcome, Outcome::TooFewLoops);
    EXPECT_EQ(close_loops(3, edges).outcome, Outcome::TooFewLoops);
}

TEST(LoopClosure, RarelyAccusesASymmetricEdge) {
    int accused = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        accused += FullMesh(5, seed).close().biases.empty() ? 0 : 1;
    }
    EXPECT_LT(accused, 10);
}

TEST(LoopClosure, SaysHowCertainItIs) {
    int found = 0;
    int within_two_sigmas = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        FullMesh mesh(5, seed);
        mesh.bias(0, 2, 100e-6);
        const LoopClosure closure = mesh.close();
        if (closure.biases.size() != 1 || closure.biases[0].to != 2) continue;
        ++found;
        const double error_s = closure.biases[0].bias_s - 100e-6;
        within_two_sigmas += std::fabs(error_s) < 2.0 * closure.biases[0].sd_s ? 1 : 0;
    }
    EXPECT_GT(found, 950);
    EXPECT_GT(within_two_sigmas, 0.92 * found);
}

TEST(LoopClosure, RefusesAMeshWhoseLoopsDoNotClose) {
    // Claimed a thousand times more precise than it is: no few edges explain it.
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    int applied = 0;
    for (int trial = 0; trial < 200; ++trial) {
        std::vector<MeshEdge> edges;
        for (int i = 0; i < 6; ++i) {
            for (int j = i + 1; j < 6; ++j) edges.push_back({i, j, 1e-3 * normal(random), 1e-6});
        }
        applied += close_loops(6, edges).biases.empty() ? 0 : 1;
    }
    EXPECT_EQ(applied, 0);
}

TEST(LoopClosure, SurvivesAbsurdInput) {
    const double infinite = std::numeric_limits<double>::infinity();
    const std::vector<double> values = {0.0,      -1.0,      1e300,        1e-300,
                                        infinite, -infinite, std::nan(""), 1e-9};
    std::mt19937_64 random(6);
    const auto pick = [&] { return values[random() % values.size()]; };
    for (int trial = 0; trial < 2000; ++trial) {
        std::vector<MeshEdge> edges;
        for (int k = 0; k < 12; ++k) {
            edges.push_back({static_cast<int>(random() % 7) - 1, static_cast<int>(random() % 7) - 1,
                             pick(), pick()});
        }
        for (const MeshBias& bias : close_loops(5, edges).biases) {
            EXPECT_TRUE(std::isfinite(bias.bias_s));
            EXPECT_TRUE(std::isfinite(bias.sd_s));
        }
    }
    EXPECT_EQ(close_loops(0, {}).outcome, Outcome::TooFewLoops);
    EXPECT_EQ(close_loops(-3, {}).outcome, Outcome::TooFewLoops);
}

}  // namespace
}  // namespace gnomon
