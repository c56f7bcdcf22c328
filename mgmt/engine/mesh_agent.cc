#include "mgmt/engine/mesh_agent.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

bool is_member(const NtpSource& source) {
    return source.origin().config.options.mesh && source.is_peer() && source.has_address();
}

/// As measured, without our correction.
std::optional<MeshEntry> measured(const NtpSource& source, UtcTime at) {
    const auto estimate = source.selectable().filter.estimate(at);
    if (!estimate || source.selectable().filter.sample_count() < 3) return std::nullopt;
    return MeshEntry{source.selectable().ref_id, estimate->offset_s - source.mesh_correction_s(),
                     estimate->offset_sd_s};
}

}  // namespace

MeshRow MeshAgent::row(const Sources& sources, UtcTime at) {
    MeshRow row;
    for (const auto& source : sources) {
        if (!is_member(*source)) continue;
        if (const auto entry = measured(*source, at)) row.add(*entry);
    }
    return row;
}

void MeshAgent::hear(const Sources& sources, const NtpSource& from, const MeshRow& row, UtcTime at,
                     MonoTime now) {
    State& state = states_[from.id()];
    state.row = row;
    state.heard = now;
    std::vector<NtpSource*> members;
    for (const auto& source : sources) {
        if (!is_member(*source)) continue;
        const auto known = states_.find(source->id());
        if (known == states_.end()) continue;
        if (now - known->second.heard > kRowLife) known->second.row = MeshRow();
        members.push_back(source.get());
    }
    const LoopClosure closure =
        close_loops(static_cast<int>(members.size()) + 1, edges(members, at));
    outcome_ = closure.outcome;
    // Clock 0 is ours, and an edge's first end is the lower one.
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto bias = std::find_if(
            closure.biases.begin(), closure.biases.end(),
            [i](const MeshBias& b) { return b.from == 0 && b.to == static_cast<int>(i) + 1; });
        judge(*members[i], bias != closure.biases.end() ? &*bias : nullptr);
    }
}

std::vector<MeshEdge> MeshAgent::edges(const std::vector<NtpSource*>& members, UtcTime at) const {
    std::vector<MeshEdge> edges;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const int number = static_cast<int>(i) + 1;
        if (const auto own = measured(*members[i], at)) {
            edges.push_back({0, number, own->offset_s, own->sd_s});
        }
        for (const MeshEntry& entry : states_.at(members[i]->id()).row.entries()) {
            if (entry.peer == members[i]->selectable().local_ref_id) {
                edges.push_back({number, 0, entry.offset_s, entry.sd_s});
                continue;
            }
            const auto other = std::find_if(
                members.begin(), members.end(),
                [&entry](const NtpSource* s) { return s->selectable().ref_id == entry.peer; });
            if (other == members.end()) continue;
            const int other_number = static_cast<int>(other - members.begin()) + 1;
            edges.push_back({number, other_number, entry.offset_s, entry.sd_s});
        }
    }
    return edges;
}

void MeshAgent::judge(NtpSource& source, const MeshBias* bias) {
    State& state = states_.at(source.id());
    const bool applied = source.mesh_correction_s() != 0.0;
    if (bias == nullptr) {
        state.found = std::max(std::min(state.found, 0) - 1, -kConfirmations);
        if (state.found > -kConfirmations || !applied) return;
        state.bias_s = 0.0;
    } else {
        state.found = std::min(std::max(state.found, 0) + 1, kConfirmations);
        const double gain = applied ? 1.0 / kConfirmations : 1.0 / state.found;
        state.bias_s += gain * (bias->bias_s - state.bias_s);
        const double news_s = std::fabs(state.bias_s + source.mesh_correction_s());
        if (applied ? news_s < bias->sd_s : state.found < kConfirmations) return;
    }
    source.set_mesh_correction(-state.bias_s);
    events_.on_event(MeshCorrected{source.selectable().label, state.bias_s});
}

}  // namespace gnomon
