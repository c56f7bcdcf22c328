#pragma once

/// What the configuration's device strings mean to DPDK. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "dataplane/port/dataplane_config.h"
#include "servo/units/result.h"

namespace gnomon {

enum class DeviceKind : std::uint8_t {
    AfPacket,  ///< a kernel interface through a packet socket
    AfXdp,     ///< a kernel interface through an AF_XDP socket
    Pci,       ///< a device bound to a user-space driver, or a bifurcated one
    Vdev,      ///< any other virtual device of DPDK
};

struct DeviceSpec {
    DeviceKind kind = DeviceKind::Vdev;
    std::string name;          ///< as DPDK knows it: "net_af_xdp0", "0000:03:00.0"
    std::string arguments;     ///< devargs after the name, without the leading comma
    std::string interface;     ///< the kernel's, for AfPacket and AfXdp; else empty
    bool own_program = false;  ///< of AfXdp: ours, not the library's that takes everything
    unsigned packet_ring = 0;  ///< frames in each ring of AfPacket
    DataplaneMode mode = DataplaneMode::Exclusive;  ///< never Automatic
};

struct DeviceOptions {
    unsigned number = 0;      ///< of the port, makes names unique
    std::string xdp_program;  ///< path of our program; empty: there is none
    unsigned packet_ring =
        4096;  ///< frames of 2 KiB in each ring of a packet socket, a power of two
};

/// The error is a sentence for the operator.
Result<DeviceSpec, std::string> parse_device(const DataplanePortConfig& port,
                                             const DeviceOptions& options);

/// "0000:03:00.0" or "03:00.0".
bool is_pci_address(std::string_view text);

}  // namespace gnomon
