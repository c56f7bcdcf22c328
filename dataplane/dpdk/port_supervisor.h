#pragma once

/// `PortSupervisor`: tells from what can be observed how a port is. Pure; the control loop feeds it at
/// least ten times a second.

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/port/dataplane.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct PortObservation {
    MonoTime now;
    bool device_lost = false;
    bool link_up = false;
    bool buffers_short = false;  ///< less than a burst is free, or the device wanted for buffers
    /// One per worker; changes while it lives.
    std::span<const std::uint64_t> heartbeats;
};

class PortSupervisor {
public:
    /// A worker whose heartbeat stands still for longer is stalled. A turn takes microseconds; a
    /// scheduler's time slice on a crowded machine takes some milliseconds.
    static constexpr Duration kStallAfter = Duration::from_ms(200);
    /// A burst of requests may empty the pool for a moment.
    static constexpr Duration kShortAfter = Duration::from_ms(100);

    explicit PortSupervisor(std::size_t workers) : workers_(workers) {}

    PortHealth observe(const PortObservation& observation);

    PortHealth health() const noexcept { return health_; }
    /// Times that it stopped being healthy.
    std::uint64_t takeovers() const noexcept { return takeovers_; }

private:
    struct Worker {
        std::uint64_t heartbeat = 0;
        MonoTime changed;
        bool alive = false;
    };

    PortHealth judge(const PortObservation& observation);

    std::vector<Worker> workers_;
    PortHealth health_ = PortHealth::Starting;
    MonoTime short_since_;
    bool short_ = false;
    std::uint64_t takeovers_ = 0;
};

}  // namespace gnomon
