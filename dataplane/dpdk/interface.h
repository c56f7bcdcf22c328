#pragma once

/// Interfaces of the kernel: what is asked of them and set on them.

#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/result.h"

namespace gnomon {

/// The interface's addresses with their prefix lengths, all untagged. Link-local ones included.
std::vector<DataplaneAddress> interface_addresses(const std::string& name);

/// Gives an interface that is not up its Ethernet address, sets it up, and adds the addresses; tagged
/// ones are left to interfaces of the operator on top of it.
std::optional<SysError> set_up_interface(const std::string& name, const MacAddress& mac,
                                         const std::vector<DataplaneAddress>& addresses);

}  // namespace gnomon
