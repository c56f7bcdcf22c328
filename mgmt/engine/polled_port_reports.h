#pragma once

/// What the engine's reports need to know of polled ports (dataplane/port/dataplane.h).

#include <vector>

#include "dataplane/port/dataplane.h"

namespace gnomon {

struct PolledPortState {
    DataplanePortReport report;
    bool serving = false;       ///< the port's packets go to it, and not to the kernel
    bool kernel_under = false;  ///< the kernel's sockets can serve in its place
};

class PolledPortReports {
public:
    virtual ~PolledPortReports() = default;
    /// In the order of the configuration. Calls within half a second get the same reports, so that
    /// parts of them that are asked for one after another fit together. Valid until the next call.
    virtual const std::vector<PolledPortState>& polled_ports() = 0;
};

}  // namespace gnomon
