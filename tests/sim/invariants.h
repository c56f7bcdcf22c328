#pragma once

/// What must hold at every instant of every run, whatever the faults:
///  1. the true error of the served time stays within the advertised root distance;
///  2. served time, once synchronised, never runs backwards, but by a step that was announced;
///  3. the clock is not stepped any more once it is locked;
///  4. no falseticker is selected while the honest are a majority of the sources that have been heard.
/// Whoever has heard nobody but a falseticker is excused from 1 to 3 until the honest are a majority
/// of those heard, and must lock anew: no appliance can know better than all it was told. To its own
/// followers it is a falseticker meanwhile.

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

    /// How tight the bounds of `node` are: medians over the updates of its clock while locked.
    struct Tightness {
        double bound_s = 0.0;           ///< advertised
        double bound_over_error = 0.0;  ///< 1 is the tightest possible, large is timid
        /// Advertised bound / root distance of the selected source by its best sample, skew and
        /// deviation alone (what `sourcestats` shows; chrony advertises that much).
        double bound_over_plain = 0.0;
    };
    Tightness tightness(int node) const;
    bool was_locked(int node) const {
        return states_.count(node) != 0 && states_.at(node).ever_locked;
    }

private:
    struct NodeState {
        int boots = 0;
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
        bool ever_locked = false;
        int followed = -1;     ///< index of the selected source; −1: none, or no node
        bool misled = false;   ///< follows a falseticker, or somebody who is misled
        bool updated = false;  ///< the event at hand was an update of the clock
        std::vector<double> bounds_s;
        std::vector<double> bounds_over_error;
        std::vector<double> bounds_over_plain;
    };
    /// A new daemon has promised nothing yet: it may step and must lock again.
    void restart(SimNode& node, NodeState& state);
    void consume_events(SimNode& node, NodeState& state);
    void note_tightness(SimNode& node, NodeState& state, double error_s, double bound_s);
    bool tells_the_truth(int node) const;
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
