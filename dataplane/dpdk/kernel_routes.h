#pragma once

/// `KernelRoutes`: how the kernel would send to an address through one of its interfaces, for frames of
/// ours on a port that is shared with it: source address, next hop, and the next hop's Ethernet address
/// from its neighbour table. For the control loop; a question to the kernel takes some microseconds and
/// is asked once per destination and second.

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/time_point.h"

namespace gnomon {

class KernelRoutes {
public:
    explicit KernelRoutes(int interface_index);
    ~KernelRoutes();
    KernelRoutes(const KernelRoutes&) = delete;
    KernelRoutes& operator=(const KernelRoutes&) = delete;

    struct Path {
        IpAddress source;
        IpAddress next_hop;
        /// Empty: the kernel does not know it; it is asked to find out.
        std::optional<MacAddress> mac;
    };
    /// Empty when it does not leave through the interface.
    std::optional<Path> find(const IpAddress& destination);
    /// Destinations that were asked for are looked up again, unless that was less than a second ago.
    void refresh(MonoTime now);

private:
    struct Entry {
        IpAddress destination;
        std::optional<Path> path;
    };

    std::optional<Path> look_up(const IpAddress& destination);
    std::optional<MacAddress> neighbour(const IpAddress& next_hop);
    void ask_for(const IpAddress& next_hop);

    int interface_index_;
    int socket_ = -1;
    std::uint32_t sequence_ = 0;
    MonoTime refreshed_;
    std::vector<Entry> entries_;
};

}  // namespace gnomon
