#include "tests/sim/invariants.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include <fmt/format.h>

namespace gnomon::sim {
namespace {

/// A source can be judged after so many good replies, and while it has not been silent too long.
constexpr int kSamplesToJudge = 4;
/// The ten tests of a reply that becomes a sample.
constexpr std::uint16_t kAllTests = 0x3ff;
constexpr TrueTime kHeardRecently = 120'000'000'000;

int index_of(const IpAddress& address) {
    return static_cast<int>(address.to_u32() - World::address_of(0).to_u32());
}

double median_of(std::vector<double> values) {
    if (values.empty()) return 0.0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// What `sourcestats` gives as the error of the selected source, s; zero without one.
double plain_bound_s(SimNode& node) {
    command::MonitoringReports& reports = node.engine().handlers().monitoring;
    const UtcTime now = node.ntp_time();
    for (std::uint32_t i = 0; i < reports.source_count(); ++i) {
        const auto source = reports.select(i, now);
        if (!source || source->state != '*') continue;
        const auto statistics = reports.source_stats(i, now);
        return statistics ? statistics->offset_error_s : 0.0;
    }
    return 0.0;
}

}  // namespace

InvariantChecker::Tightness InvariantChecker::tightness(int node) const {
    const auto found = states_.find(node);
    if (found == states_.end()) return {};
    const NodeState& state = found->second;
    return {median_of(state.bounds_s), median_of(state.bounds_over_error),
            median_of(state.bounds_over_plain)};
}

void InvariantChecker::note_tightness(SimNode& node, NodeState& state, double error_s,
                                      double bound_s) {
    state.bounds_s.push_back(bound_s);
    if (error_s > 0.0) state.bounds_over_error.push_back(bound_s / error_s);
    const double plain_s = plain_bound_s(node);
    if (plain_s > 0.0) state.bounds_over_plain.push_back(bound_s / plain_s);
}

void InvariantChecker::violate(SimNode& node, NodeState& state, int invariant,
                               const std::string& text) {
    if (state.reported[invariant]) return;
    state.reported[invariant] = true;
    violations_.push_back(fmt::format("{} at {:.3f} s: {}", node.model().name,
                                      static_cast<double>(world_.now() - kStart) * 1e-9, text));
}

bool InvariantChecker::tells_the_truth(int node) const {
    const auto state = states_.find(node);
    return world_.node(node).honest() && (state == states_.end() || !state->second.misled);
}

bool InvariantChecker::honest_majority_heard(const NodeState& state) const {
    int honest = 0;
    int all = 0;
    for (const auto& [source, heard] : state.heard) {
        if (heard.first < kSamplesToJudge || world_.now() - heard.second > kHeardRecently) continue;
        ++all;
        if (tells_the_truth(source)) ++honest;
    }
    return 2 * honest > all;
}

void InvariantChecker::consume_events(SimNode& node, NodeState& state) {
    state.updated = false;
    for (const Event& event : node.events()) {
        if (const auto* tracking = std::get_if<TrackingRecord>(&event)) {
            state.updated = true;
            if (tracking->leap != Leap::Unsynchronised && ++state.updates == kUpdatesToLock) {
                state.locked = true;
                state.ever_locked = true;
                state.steps_at_lock = node.clock().steps();
            }
        } else if (std::holds_alternative<TimeJumpDetected>(event)) {
            // It has had to forget every measurement, and so what it could know.
            state.heard.clear();
        } else if (const auto* reply = std::get_if<MeasurementRecord>(&event)) {
            auto& [count, last] = state.heard[index_of(reply->address)];
            // A duplicate or a reply to nothing is heard, but proves nothing.
            if ((reply->tests & kAllTests) == kAllTests) ++count;
            last = world_.now();
        } else if (const auto* selected = std::get_if<SourceSelected>(&event)) {
            const int source = index_of(selected->source.address);
            state.followed = source >= 0 && source < world_.node_count() ? source : -1;
            if (state.followed >= 0 && !world_.node(source).honest() &&
                honest_majority_heard(state)) {
                violate(node, state, 4, "selected falseticker " + selected->source.to_string());
            }
        }
    }
    node.forget_events();
}

void InvariantChecker::restart(SimNode& node, NodeState& state) {
    state.boots = node.boots();
    state.locked = false;
    state.updates = 0;
    state.followed = -1;
    state.misled = false;
    state.synchronised = false;
    state.heard.clear();
}

void InvariantChecker::check(SimNode& node) {
    if (!node.is_up()) return;
    NodeState& state = states_[node.index()];
    if (node.boots() != state.boots) restart(node, state);
    consume_events(node, state);
    state.misled = state.followed >= 0 && !tells_the_truth(state.followed);
    const bool excused = state.misled && !honest_majority_heard(state);

    const UtcTime served = node.ntp_time();
    const int steps = node.clock().steps();
    // A server that goes wrong is stepped by the fault itself, and does not know.
    if (state.synchronised && !excused && node.honest() && steps == state.steps_at_last_served &&
        served < state.last_served) {
        violate(node, state, 2,
                fmt::format("served time ran back by {} ns", (state.last_served - served).ns()));
    }
    state.last_served = served;
    state.steps_at_last_served = steps;
    state.synchronised = node.engine().server_state().synchronised;

    if (excused) {
        state.locked = false;
        state.updates = 0;
    }
    if (!state.locked || !node.honest()) return;
    ++checks_;
    if (steps != state.steps_at_lock) violate(node, state, 3, "stepped after lock");
    if (!node.engine().server_state().synchronised) return;
    const double error_s = std::abs(node.ntp_error_s());
    const double bound_s = node.advertised_bound_s();
    worst_ratio_ = std::max(worst_ratio_, error_s / bound_s);
    if (state.updated) note_tightness(node, state, error_s, bound_s);
    if (error_s > bound_s) {
        const ServerState& server = node.engine().server_state();
        violate(node, state, 1,
                fmt::format(
                    "true error {:.3e} s exceeds the advertised {:.3e} s (delay {:.3e} s, "
                    "dispersion {:.3e} s growing by {:.2e} for {:.0f} s, lead {:.1e} s, "
                    "true frequency error {:.1e})",
                    node.ntp_error_s(), bound_s, server.root_delay_s, server.root_dispersion_s,
                    server.dispersion_rate, (served - server.reference_time).to_seconds(),
                    server.clock.lead_at(node.clock().now()).to_seconds(), node.ntp_rate_error()));
    }
}

}  // namespace gnomon::sim
