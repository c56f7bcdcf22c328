#pragma once

/// What must hold at every instant of every run, whatever the faults:
///  1. the true error of the served time stays within the advertised root distance;
///  2. served time, once synchronised, never runs backwards, but by a step that was announced;
///  3. the clock is not stepped any more once it is locked;
///  4. no falseticker is selected while the honest are a majority of the sources that have been heard.

#include <map>
#include <string>
#include <vector>

#include "tests/sim/sim_node.h"
#include "tests/sim/world.h"

namespace gnomon::sim {

class InvariantChecker {
public:
    explicit InvariantChecker(World& world) : world_(world) {}

    /// To be called after every event of `node`.
    void check(SimNode& node);

    /// One line per violation, the first of each kind and node.
    const std::vector<std::string>& violations() const noexcept { return violations_; }
    std::uint64_t checks() const noexcept { return checks_; }
    /// Largest |true error| / bound seen while locked.
    double worst_ratio() const noexcept { return worst_ratio_; }
    bool was_locked(int node) const { return states_.count(node) != 0 && states_.at(node).locked; }

private:
    struct NodeState {
        bool locked = false;
        int updates = 0;
        int steps = 0;
        int steps_at_lock = 0;
        UtcTime last_served;
        int steps_at_last_served = 0;
        bool synchronised = false;
        /// By index of the source: valid replies, and when the last one came.
        std::map<int, std::pair<int, TrueTime>> heard;
        std::map<int, bool> reported;
    };
    void consume_events(SimNode& node, NodeState& state);
    bool honest_majority_heard(const NodeState& state) const;
    void violate(SimNode& node, NodeState& state, int invariant, const std::string& text);

    /// Updates of the clock before "locked": `makestep 1 3` may use three.
    static constexpr int kUpdatesToLock = 4;

    World& world_;
    std::map<int, NodeState> states_;
    std::vector<std::string> violations_;
    std::uint64_t checks_ = 0;
    double worst_ratio_ = 0.0;
};

}  // namespace gnomon::sim
