#pragma once

/// A scenario is a world and its faults, made from a seed: three to five servers, perhaps a
/// minority of falsetickers, an appliance that follows them, a client that follows the appliance.

#include <cstdint>
#include <memory>
#include <string>

#include "tests/sim/world.h"

namespace gnomon::sim {

struct Scenario {
    std::unique_ptr<World> world;
    TrueTime end = 0;
    int servers = 0;
    int falsetickers = 0;
    int appliance = 0;  ///< index of the node under test
    int client = 0;     ///< index of the node that follows it
    std::string description;
};

/// `servo`: estimator of every source of every node (`servo` option); empty: the default.
Scenario make_scenario(std::uint64_t seed, double hours, const std::string& servo = {});

/// No faults, short queues, ordinary oscillators: here bounds must be about as tight as the plain root
/// distance of the best sample, or honesty has been bought with constants.
Scenario make_quiet_scenario(std::uint64_t seed, double hours, const std::string& servo = {});

}  // namespace gnomon::sim
