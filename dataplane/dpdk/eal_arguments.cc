#include "dataplane/dpdk/eal_arguments.h"

#include <fmt/format.h>

#include <algorithm>

namespace gnomon {

namespace {

/// With its headers and the pool's bookkeeping.
constexpr unsigned kBufferBytes = 2560;
/// AF_XDP's fill ring, whatever ring size is asked for.
constexpr unsigned kFillRing = 2048;
constexpr unsigned kCached = 512;
/// Rings, device structures, EAL itself.
constexpr unsigned kOverheadMib = 64;

}  // namespace

unsigned buffer_count(const DataplanePortConfig& port, unsigned configured) {
    const unsigned per_queue = std::max(2 * port.ring_size, kFillRing + port.ring_size) + kCached;
    return std::max(configured, port.queues * per_queue);
}

std::vector<std::string> eal_arguments(const DataplaneConfig& config,
                                       const std::vector<DeviceSpec>& devices, long process) {
    std::vector<std::string> arguments{"gnomond", "--no-shconf", "--no-telemetry"};
    arguments.push_back(fmt::format("--file-prefix=gnomon-{}", process));
    if (config.hugepages_mib == 0) {
        unsigned long bytes = 0;
        for (const DataplanePortConfig& port : config.ports) {
            // An exception interface has buffers of its own.
            const unsigned factor = port.exception.empty() ? 1 : 2;
            bytes += static_cast<unsigned long>(factor) * buffer_count(port, config.mbufs) *
                     kBufferBytes;
        }
        arguments.push_back("--no-huge");
        arguments.push_back("-m");
        arguments.push_back(fmt::format("{}", kOverheadMib + (bytes >> 20)));
    } else {
        arguments.push_back("--in-memory");
        arguments.push_back("-m");
        arguments.push_back(fmt::format("{}", config.hugepages_mib));
    }
    bool pci = false;
    for (const DeviceSpec& device : devices) {
        if (device.kind != DeviceKind::Pci) continue;
        pci = true;
        arguments.push_back("-a");
        arguments.push_back(device.arguments.empty() ? device.name
                                                     : device.name + "," + device.arguments);
    }
    if (!pci) arguments.push_back("--no-pci");
    arguments.insert(arguments.end(), config.eal_arguments.begin(), config.eal_arguments.end());
    return arguments;
}

}  // namespace gnomon
