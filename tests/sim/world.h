#pragma once

/// The simulated world: true time, a network of paths, and nodes that each run a whole `Engine` on
/// a clock of their own. Discrete events in one thread; the seed decides everything.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/wire/address.h"
#include "tests/sim/path_model.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_random.h"

namespace gnomon::sim {

class SimNode;

/// 2026-01-01 00:00:00 UTC: where every run starts.
inline constexpr TrueTime kStart = 1'767'225'600LL * 1'000'000'000;

struct NodeModel {
    std::string name;
    std::string config;  ///< chrony.conf text
    OscillatorModel oscillator;
    double initial_offset_s = 0.0;  ///< of the system clock, > 0: fast
    /// Error of the time it serves as a source of UTC, s; a falseticker has one.
    bool honest = true;
    TrueTime boot = kStart;
    double kernel_stamp_noise_s = 0.0;  ///< one sigma of receive and transmit stamps
};

class World {
public:
    explicit World(std::uint64_t seed);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Nodes get 10.0.0.1, 10.0.0.2, … in order, and the name they carry.
    SimNode& add_node(NodeModel model);
    void set_path(int from, int to, PathModel model);
    /// Packets to and from this node are held back with this chance (PathModel::late).
    void hold_back(int node, double chance);
    /// No packet passes to or from this node from then till then.
    void cut_off(int node, TrueTime from, TrueTime to);
    /// The route between these two gets longer (shorter) by this in each direction.
    void reroute(int a, int b, TrueTime at, double forward_s, double backward_s);
    /// Both directions.
    void set_link(int a, int b, const PathModel& model);

    /// The node's daemon ends at `from` and starts again at `to`; its clock runs on.
    void restart(int node, TrueTime from, TrueTime to);

    /// The node's machine is suspended; see SimNode::resume.
    void suspend(int node, TrueTime from, TrueTime to, double error_s);

    /// Called after every event with the node it happened on.
    using Observer = std::function<void(SimNode& node)>;
    void set_observer(Observer observer) { observer_ = std::move(observer); }

    /// Processes events up to `until`.
    void run_until(TrueTime until);
    /// Runs `action` at `at` (a fault that a test injects).
    void at(TrueTime at, std::function<void()> action);

    TrueTime now() const noexcept { return now_; }
    std::uint64_t events() const noexcept { return sequence_; }
    SimNode& node(int index) { return *nodes_[static_cast<std::size_t>(index)]; }
    int node_count() const noexcept { return static_cast<int>(nodes_.size()); }
    SimRandom& random() noexcept { return random_; }

    // For SimNode.
    void transmit(int from, const SocketAddress& source, const SocketAddress& destination,
                  std::vector<std::uint8_t> payload);
    void schedule_wake(int node, TrueTime at);
    std::vector<IpAddress> resolve(const std::string& name) const;

    static IpAddress address_of(int index);

private:
    void boot(SimNode& node);
    struct Pending {
        TrueTime at = 0;
        std::uint64_t sequence = 0;  ///< order among equals: as scheduled
        std::function<void()> action;
        bool operator>(const Pending& other) const noexcept {
            return std::pair(at, sequence) > std::pair(other.at, other.sequence);
        }
    };
    void deliver(int to, const SocketAddress& source, const SocketAddress& destination,
                 std::vector<std::uint8_t> payload, double delay_s);

    SimRandom random_;
    TrueTime now_ = kStart;
    std::uint64_t sequence_ = 0;
    std::priority_queue<Pending, std::vector<Pending>, std::greater<>> queue_;
    std::vector<std::unique_ptr<SimNode>> nodes_;
    std::map<std::pair<int, int>, PathModel> paths_;
    Observer observer_;
};

}  // namespace gnomon::sim
