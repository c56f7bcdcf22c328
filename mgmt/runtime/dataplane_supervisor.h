#pragma once

/// `DataplaneSupervisor`: decides for each polled port who serves: the port, or the kernel's sockets.
///
/// A port that is not healthy loses its packets to the kernel at once. It gets them back when it has
/// been healthy for kProbation without a break, so that a port that comes and goes does not drag the
/// clients along. The first time it gets them as soon as it is healthy. A pure state machine: it is
/// told health and time, and says what has changed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/port/dataplane.h"
#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

class DataplaneSupervisor {
public:
    static constexpr Duration kProbation = Duration::from_s(2);
    /// A port that is Starting for longer is worth a word.
    static constexpr Duration kSlowStart = Duration::from_s(5);

    struct Change {
        std::size_t port = 0;
        PortHealth health = PortHealth::Starting;
        bool taking = false;          ///< the port serves
        bool taking_changed = false;  ///< `PolledDataplane::set_taking` is due
    };

    explicit DataplaneSupervisor(std::size_t ports) : ports_(ports) {}

    /// What is new since the last call; one change at most for each port. `health`: one per port.
    std::vector<Change> update(MonoTime now, std::span<const PortHealth> health);

    std::size_t size() const noexcept { return ports_.size(); }
    bool is_taking(std::size_t port) const noexcept { return ports_[port].taking; }
    bool is_any_taking() const noexcept;
    /// Times that the kernel had to take over.
    std::uint64_t takeovers(std::size_t port) const noexcept { return ports_[port].takeovers; }

private:
    struct Port {
        PortHealth told = PortHealth::Starting;
        bool taking = false;
        bool has_served = false;
        bool slow_start_told = false;
        std::optional<MonoTime> first_seen;
        std::optional<MonoTime> healthy_since;
        std::uint64_t takeovers = 0;
    };

    static std::optional<Change> update(Port& port, std::size_t index, MonoTime now,
                                        PortHealth health);

    std::vector<Port> ports_;
};

}  // namespace gnomon
