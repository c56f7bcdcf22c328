#pragma once

/// VLAN interfaces of the kernel above another interface: what comes in tagged is theirs.

#include <string>
#include <vector>

namespace gnomon {

/// The interface itself and all VLAN interfaces above it, at any depth, by index; sorted. Empty when
/// there is no such interface. `sysfs`: /sys/class/net.
std::vector<int> with_vlan_interfaces(int interface_index,
                                      const std::string& sysfs = "/sys/class/net");

}  // namespace gnomon
