#include "mgmt/runtime/dataplane_supervisor.h"

#include <algorithm>

namespace gnomon {

std::vector<DataplaneSupervisor::Change> DataplaneSupervisor::update(
    MonoTime now, std::span<const PortHealth> health) {
    std::vector<Change> changes;
    const std::size_t count = std::min(health.size(), ports_.size());
    for (std::size_t i = 0; i < count; ++i) {
        if (const auto change = update(ports_[i], i, now, health[i])) changes.push_back(*change);
    }
    return changes;
}

std::optional<DataplaneSupervisor::Change> DataplaneSupervisor::update(Port& port,
                                                                       std::size_t index,
                                                                       MonoTime now,
                                                                       PortHealth health) {
    if (!port.first_seen) port.first_seen = now;
    if (health == PortHealth::Healthy) {
        if (!port.healthy_since) port.healthy_since = now;
        const bool proven = !port.has_served || now - *port.healthy_since >= kProbation;
        if (port.taking || !proven) return std::nullopt;
        port.taking = port.has_served = true;
        port.told = health;
        return Change{index, health, true, true};
    }
    port.healthy_since.reset();
    if (port.taking) {
        port.taking = false;
        ++port.takeovers;
        port.told = health;
        return Change{index, health, false, true};
    }
    if (health == PortHealth::Starting) {
        const bool slow = now - *port.first_seen >= kSlowStart;
        if (port.has_served || port.slow_start_told || !slow) return std::nullopt;
        port.slow_start_told = true;
        return Change{index, health, false, false};
    }
    if (health == port.told) return std::nullopt;
    port.told = health;
    return Change{index, health, false, false};
}

bool DataplaneSupervisor::is_any_taking() const noexcept {
    return std::any_of(ports_.begin(), ports_.end(), [](const Port& port) { return port.taking; });
}

}  // namespace gnomon
