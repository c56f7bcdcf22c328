#include "tests/sim/invariants.h"

#include <cmath>
#include <variant>

#include <fmt/format.h>

namespace gnomon::sim {
namespace {

/// A source can be judged after so many good replies, and while it has not been silent too long.
constexpr int kSamplesToJudge = 4;
constexpr TrueTime kHeardRecently = 120'000'000'000;

int index_of(const IpAddress& address) {
    return static_cast<int>(address.to_u32() - World::address_of(0).to_u32());
}

}  // namespace

void InvariantChecker::violate(SimNode& node, NodeState& state, int invariant,
                               const std::string& text) {
    if (state.reported[invariant]) return;
    state.reported[invariant] = true;
    violations_.push_back(fmt::format("{} at {:.3f} s: {}", node.model().name,
                                      static_cast<double>(world_.now() - kStart) * 1e-9, text));
}

bool InvariantChecker::honest_majority_heard(const NodeState& state) const {
    int honest = 0;
    int all = 0;
    for (const auto& [source, heard] : state.heard) {
        if (heard.first < kSamplesToJudge || world_.now() - heard.second > kHeardRecently) continue;
        ++all;
        if (world_.node(source).model().honest) ++honest;
    }
    return 2 * honest > all;
}

void InvariantChecker::consume_events(SimNode& node, NodeState& state) {
    for (const Event& event : node.events()) {
        if (const auto* tracking = std::get_if<TrackingRecord>(&event)) {
            if (tracking->leap != Leap::Unsynchronised && ++state.updates == kUpdatesToLock) {
                state.locked = true;
                state.steps_at_lock = node.clock().steps();
            }
        } else if (const auto* reply = std::get_if<MeasurementRecord>(&event)) {
            auto& [count, last] = state.heard[index_of(reply->address)];
            if ((reply->tests & 1) != 0) ++count;
            last = world_.now();
        } else if (const auto* selected = std::get_if<SourceSelected>(&event)) {
            const int source = index_of(selected->source.address);
            if (source >= 0 && source < world_.node_count() &&
                !world_.node(source).model().honest && honest_majority_heard(state)) {
                violate(node, state, 4, "selected falseticker " + selected->source.to_string());
            }
        }
    }
    node.forget_events();
}

void InvariantChecker::check(SimNode& node) {
    if (!node.is_up()) return;
    NodeState& state = states_[node.index()];
    consume_events(node, state);

    const UtcTime served = node.ntp_time();
    const int steps = node.clock().steps();
    if (state.synchronised && steps == state.steps_at_last_served && served < state.last_served) {
        violate(node, state, 2,
                fmt::format("served time ran back by {} ns", (state.last_served - served).ns()));
    }
    state.last_served = served;
    state.steps_at_last_served = steps;
    state.synchronised = node.engine().server_state().synchronised;

    if (!state.locked || !node.model().honest) return;
    ++checks_;
    if (steps != state.steps_at_lock) violate(node, state, 3, "stepped after lock");
    if (!node.engine().server_state().synchronised) return;
    const double error_s = std::abs(node.ntp_error_s());
    const double bound_s = node.advertised_bound_s();
    worst_ratio_ = std::max(worst_ratio_, error_s / bound_s);
    if (error_s > bound_s) {
        violate(
            node, state, 1,
            fmt::format("true error {:.3e} s exceeds the advertised {:.3e} s", error_s, bound_s));
    }
}

}  // namespace gnomon::sim
