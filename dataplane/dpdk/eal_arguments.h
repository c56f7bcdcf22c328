#pragma once

/// The arguments that start DPDK's environment (EAL). Pure.

#include <string>
#include <vector>

#include "dataplane/dpdk/device_spec.h"
#include "dataplane/port/dataplane_config.h"

namespace gnomon {

/// `process`: a number that tells processes apart. EAL gets no core of its own: workers are threads of
/// ours. Nothing is left behind in /run or hugetlbfs: no shared configuration, no telemetry socket,
/// anonymous huge pages.
std::vector<std::string> eal_arguments(const DataplaneConfig& config,
                                       const std::vector<DeviceSpec>& devices, long process);

/// Packet buffers of a port: what the configuration says, or what the rings of its queues cannot do
/// without.
unsigned buffer_count(const DataplanePortConfig& port, unsigned configured);

}  // namespace gnomon
