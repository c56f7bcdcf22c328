/// Four appliances of one rack, peers of each other; one has a reference of its own. The path between
/// it and another is asymmetric.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/sim/sim_node.h"
#include "tests/sim/world.h"

namespace gnomon::sim {
namespace {

constexpr int kNodes = 4;
constexpr double kAsymmetryS = 400e-6;

struct Errors {
    double victim_s = 0.0;  ///< RMS of the node behind the asymmetric path
    int corrected = 0;      ///< paths, at the end
};

Errors run_rack(std::uint64_t seed, const std::string& option, double asymmetry_s) {
    World world(seed);
    for (int i = 0; i < kNodes; ++i) {
        NodeModel node;
        node.name = "peer" + std::to_string(i);
        node.config = i == 0 ? "local stratum 1\nallow\n" : "makestep 1 3\nallow\n";
        for (int j = 0; j < kNodes; ++j) {
            if (j == i) continue;
            node.config +=
                "peer peer" + std::to_string(j) + " minpoll 4 maxpoll 4 " + option + "\n";
        }
        node.oscillator.frequency = 1e-6 * i;
        node.oscillator.wander = i == 0 ? 0.0 : 1e-10;
        node.kernel_stamp_noise_s = 1e-7;
        world.add_node(node);
    }
    PathModel path;
    path.base_s = 100e-6;
    path.jitter_s = 2e-6;
    for (int i = 0; i < kNodes; ++i) {
        for (int j = i + 1; j < kNodes; ++j) world.set_link(i, j, path);
    }
    path.base_s += asymmetry_s;
    world.set_path(0, 1, path);

    world.run_until(kStart + 3600LL * 2 * 1'000'000'000);
    Errors errors;
    constexpr int kSamples = 200;
    for (int k = 1; k <= kSamples; ++k) {
        world.run_until(world.now() + 16LL * 1'000'000'000);
        errors.victim_s += std::pow(world.node(1).ntp_error_s(), 2) / kSamples;
    }
    errors.victim_s = std::sqrt(errors.victim_s);
    for (int i = 0; i < kNodes; ++i) {
        for (const Event& event : world.node(i).events()) {
            const auto* told = std::get_if<MeshCorrected>(&event);
            if (told != nullptr) errors.corrected += told->bias_s != 0.0 ? 1 : 0;
        }
    }
    return errors;
}

TEST(Mesh, CorrectsTheAsymmetricPathOfFour) {
    double without_s2 = 0.0;
    double with_s2 = 0.0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const Errors with = run_rack(seed, "mesh", kAsymmetryS);
        EXPECT_GT(with.corrected, 0) << seed;
        with_s2 += with.victim_s * with.victim_s;
        without_s2 += std::pow(run_rack(seed, "", kAsymmetryS).victim_s, 2);
    }
    RecordProperty("without_ns", std::to_string(std::sqrt(without_s2 / 3.0) * 1e9));
    RecordProperty("with_ns", std::to_string(std::sqrt(with_s2 / 3.0) * 1e9));
    EXPECT_LT(with_s2, 0.5 * without_s2);
}

TEST(Mesh, LeavesSymmetricPathsAlone) {
    const Errors without = run_rack(2, "", 0.0);
    const Errors with = run_rack(2, "mesh", 0.0);
    EXPECT_EQ(with.corrected, 0);
    EXPECT_LT(with.victim_s, 1.05 * without.victim_s + 1e-9);
}

}  // namespace
}  // namespace gnomon::sim
