#include "tests/sim/world.h"

#include <algorithm>
#include <cmath>

#include "tests/sim/sim_node.h"

namespace gnomon::sim {

World::World(std::uint64_t seed) : random_(seed) {}
World::~World() = default;

IpAddress World::address_of(int index) {
    return IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(index));
}

SimNode& World::add_node(NodeModel model) {
    const int index = node_count();
    nodes_.push_back(std::make_unique<SimNode>(*this, index, std::move(model), random_.next()));
    SimNode& added = *nodes_.back();
    at(added.model().boot, [this, &added] { boot(added); });
    return added;
}

void World::boot(SimNode& node) {
    node.boot();
    if (observer_) observer_(node);
}

void World::restart(int index, TrueTime from, TrueTime to) {
    at(from, [this, index] { node(index).shutdown(); });
    at(to, [this, index] {
        if (!node(index).is_up()) boot(node(index));
    });
}

void World::set_path(int from, int to, PathModel model) { paths_[{from, to}] = std::move(model); }

void World::hold_back(int index, double chance) {
    for (auto& [ends, path] : paths_) {
        if (ends.first == index || ends.second == index) path.late = chance;
    }
}

void World::cut_off(int index, TrueTime from, TrueTime to) {
    for (auto& [ends, path] : paths_) {
        if (ends.first == index || ends.second == index) path.partitions.push_back({from, to});
    }
}

void World::reroute(int a, int b, TrueTime at, double forward_s, double backward_s) {
    paths_[{a, b}].changes.push_back({at, forward_s});
    paths_[{b, a}].changes.push_back({at, backward_s});
}

void World::suspend(int index, TrueTime from, TrueTime to, double error_s) {
    at(from, [this, index] { node(index).suspend(); });
    at(to, [this, index, error_s] {
        node(index).resume(error_s);
        if (observer_) observer_(node(index));
    });
}

void World::set_link(int a, int b, const PathModel& model) {
    set_path(a, b, model);
    set_path(b, a, model);
}

void World::at(TrueTime at, std::function<void()> action) {
    queue_.push(Pending{std::max(at, now_), ++sequence_, std::move(action)});
}

void World::run_until(TrueTime until) {
    while (!queue_.empty() && queue_.top().at <= until) {
        // The action is moved out of a queue that only offers const access to its top.
        Pending next = std::move(const_cast<Pending&>(queue_.top()));
        queue_.pop();
        now_ = next.at;
        next.action();
    }
    now_ = until;
}

void World::schedule_wake(int index, TrueTime when) {
    at(when, [this, index] {
        SimNode& woken = node(index);
        woken.wake();
        if (observer_) observer_(woken);
    });
}

void World::transmit(int from, const SocketAddress& source, const SocketAddress& destination,
                     std::vector<std::uint8_t> payload) {
    const auto to = static_cast<int>(destination.ip.to_u32() - address_of(0).to_u32());
    if (to < 0 || to >= node_count()) return;
    const auto path = paths_.find({from, to});
    if (path == paths_.end()) return;
    if (path->second.duplication > 0.0 && random_.chance(path->second.duplication)) {
        if (const auto delay_s = path->second.delay_s(now_, random_)) {
            deliver(to, source, destination, payload, *delay_s);
        }
    }
    if (const auto delay_s = path->second.delay_s(now_, random_)) {
        deliver(to, source, destination, std::move(payload), *delay_s);
    }
}

void World::deliver(int to, const SocketAddress& source, const SocketAddress& destination,
                    std::vector<std::uint8_t> payload, double delay_s) {
    const auto delay_ns = static_cast<TrueTime>(std::llround(delay_s * 1e9));
    at(now_ + delay_ns, [this, to, source, destination, bytes = std::move(payload)] {
        SimNode& receiver = node(to);
        receiver.receive(source, destination, bytes);
        if (observer_) observer_(receiver);
    });
}

std::vector<IpAddress> World::resolve(const std::string& name) const {
    std::vector<IpAddress> found;
    for (int i = 0; i < node_count(); ++i) {
        if (nodes_[static_cast<std::size_t>(i)]->model().name == name)
            found.push_back(address_of(i));
    }
    return found;
}

}  // namespace gnomon::sim
