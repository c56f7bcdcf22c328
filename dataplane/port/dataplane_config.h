#pragma once

/// What the `dataplane` directives say: which ports are polled, by which cores, and who else uses them.

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

/// An address that the port answers for.
struct DataplaneAddress {
    Subnet subnet;           ///< the host's address with the prefix length of its link, not masked
    std::uint16_t vlan = 0;  ///< 0: untagged
};

enum class DataplaneMode : std::uint8_t {
    Automatic,  ///< shared for af_packet and af_xdp, else exclusive
    Shared,     ///< the kernel keeps the interface; the port takes NTP only
    Exclusive,  ///< the port does ARP, neighbour discovery and ICMP; the rest goes to `exception`
};

struct DataplanePortConfig {
    /// "0000:03:00.0" (PCI), "af_xdp:eth1", "af_packet:eth1", or a vdev as EAL takes it:
    /// "net_memif0,role=server".
    std::string device;
    DataplaneMode mode = DataplaneMode::Automatic;
    /// Shared ports take the interface's own addresses when this is empty.
    std::vector<DataplaneAddress> addresses;
    /// Next hops for what is not on a link of `addresses`; one per family at most.
    std::vector<IpAddress> gateways;
    unsigned queues = 1;          ///< 1..64, a worker each
    std::vector<unsigned> cores;  ///< a core per queue; empty: unpinned
    unsigned burst = 32;          ///< frames per look at the queue, 1..64
    unsigned ring_size = 1024;    ///< descriptors per queue, a power of two
    /// Use what the device offers: checksums, timestamps.
    bool offloads = true;
    /// Interface of the kernel that gets what is not ours, for exclusive ports; empty: none.
    std::string exception;
};

struct DataplaneConfig {
    std::vector<DataplanePortConfig> ports;  ///< empty: no dataplane
    unsigned hugepages_mib = 0;              ///< 0: ordinary memory
    unsigned mbufs = 8192;                   ///< packet buffers per port
    std::vector<std::string> eal_arguments;  ///< further arguments for EAL, as they are
    std::uint16_t ntp_port = 123;            ///< the server's; 0: nobody is served
    std::uint8_t dscp = 0;                   ///< 0..63, of all that the ports send
};

}  // namespace gnomon
