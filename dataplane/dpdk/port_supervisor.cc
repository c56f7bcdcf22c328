#include "dataplane/dpdk/port_supervisor.h"

#include <algorithm>

namespace gnomon {

PortHealth PortSupervisor::observe(const PortObservation& observation) {
    const PortHealth now = judge(observation);
    if (health_ == PortHealth::Healthy && now != PortHealth::Healthy) ++takeovers_;
    health_ = now;
    return health_;
}

PortHealth PortSupervisor::judge(const PortObservation& observation) {
    bool stalled = false;
    bool starting = false;
    const std::size_t count = std::min(workers_.size(), observation.heartbeats.size());
    for (std::size_t i = 0; i < count; ++i) {
        Worker& worker = workers_[i];
        const std::uint64_t heartbeat = observation.heartbeats[i];
        if (worker.changed.is_zero()) worker.changed = observation.now;
        if (heartbeat != worker.heartbeat) {
            worker = {heartbeat, observation.now, true};
        } else if (observation.now - worker.changed > kStallAfter) {
            stalled = true;
        } else if (!worker.alive) {
            starting = true;
        }
    }
    if (observation.buffers_short && !short_) short_since_ = observation.now;
    short_ = observation.buffers_short;

    if (observation.device_lost) return PortHealth::Lost;
    if (stalled) return PortHealth::Stalled;
    if (!observation.link_up) return PortHealth::LinkDown;
    if (short_ && observation.now - short_since_ > kShortAfter) return PortHealth::NoBuffers;
    return starting ? PortHealth::Starting : PortHealth::Healthy;
}

}  // namespace gnomon
