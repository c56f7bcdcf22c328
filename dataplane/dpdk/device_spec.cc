#include "dataplane/dpdk/device_spec.h"

#include <fmt/format.h>

#include <algorithm>

namespace gnomon {

namespace {

bool is_hex(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

/// What the kernel accepts, and what does not end a device argument.
bool is_interface_name(std::string_view text) {
    constexpr std::size_t kMaxName = 15;
    return !text.empty() && text.size() <= kMaxName && text != "." && text != ".." &&
           text.find_first_of("/ ,=\t:") == std::string_view::npos;
}

Result<DeviceSpec, std::string> packet_socket(const DataplanePortConfig& port,
                                              std::string_view interface,
                                              const DeviceOptions& options) {
    DeviceSpec spec;
    spec.kind = DeviceKind::AfPacket;
    spec.interface = interface;
    spec.name = fmt::format("net_af_packet{}", options.number);
    spec.packet_ring = options.packet_ring;
    // Small rings and the queueing discipline cost a quarter of the throughput.
    spec.arguments =
        fmt::format("iface={},qpairs={},qdisc_bypass=1,blocksz=65536,framesz=2048,framecnt={}",
                    interface, port.queues, options.packet_ring);
    return spec;
}

Result<DeviceSpec, std::string> xdp_socket(const DataplanePortConfig& port,
                                           std::string_view interface,
                                           const DeviceOptions& options) {
    DeviceSpec spec;
    spec.kind = DeviceKind::AfXdp;
    spec.interface = interface;
    spec.name = fmt::format("net_af_xdp{}", options.number);
    spec.arguments = fmt::format("iface={},start_queue=0,queue_count={}", interface, port.queues);
    if (options.xdp_program.empty()) {
        if (port.mode == DataplaneMode::Exclusive) return spec;
        return Unexpected(fmt::format(
            "{}: sharing the interface needs the XDP program ntp_only.bpf.o, which was not built "
            "(clang with the bpf target was missing); use mode exclusive or af_packet",
            port.device));
    }
    spec.own_program = true;
    spec.arguments += ",xdp_prog=" + options.xdp_program;
    return spec;
}

}  // namespace

bool is_pci_address(std::string_view text) {
    const auto dot = text.rfind('.');
    if (dot == std::string_view::npos || text.size() - dot != 2) return false;
    if (text[dot + 1] < '0' || text[dot + 1] > '7') return false;
    std::string_view rest = text.substr(0, dot);
    const auto last = rest.rfind(':');
    if (last == std::string_view::npos || rest.size() - last != 3) return false;
    if (!is_hex(rest.substr(last + 1))) return false;
    rest = rest.substr(0, last);
    if (const auto first = rest.find(':'); first != std::string_view::npos) {
        const std::string_view domain = rest.substr(0, first);
        if (!is_hex(domain) || domain.size() < 4 || domain.size() > 8) return false;
        rest = rest.substr(first + 1);
    }
    return rest.size() == 2 && is_hex(rest);
}

Result<DeviceSpec, std::string> parse_device(const DataplanePortConfig& port,
                                             const DeviceOptions& options) {
    const std::string_view device = port.device;
    const auto is_kind = [&](std::string_view prefix) {
        return device.substr(0, prefix.size()) == prefix;
    };
    Result<DeviceSpec, std::string> spec = DeviceSpec();
    if (is_kind("af_packet:") || is_kind("af_xdp:")) {
        const auto colon = device.find(':');
        const std::string_view interface = device.substr(colon + 1);
        if (!is_interface_name(interface)) {
            return Unexpected(
                fmt::format("{}: \"{}\" cannot be the name of an interface", device, interface));
        }
        spec = is_kind("af_packet:") ? packet_socket(port, interface, options)
                                     : xdp_socket(port, interface, options);
        if (!spec) return spec;
        spec->mode = port.mode == DataplaneMode::Automatic ? DataplaneMode::Shared : port.mode;
        return spec;
    }
    const auto comma = device.find(',');
    spec->name = device.substr(0, comma);
    if (comma != std::string_view::npos) spec->arguments = device.substr(comma + 1);
    if (is_pci_address(spec->name)) {
        spec->kind = DeviceKind::Pci;
        // The allow list and the names of ports have the domain.
        if (std::count(spec->name.begin(), spec->name.end(), ':') == 1) {
            spec->name = "0000:" + spec->name;
        }
    } else if (spec->name.rfind("net_", 0) != 0 && spec->name.rfind("eth_", 0) != 0 &&
               spec->name.rfind("virtio_user", 0) != 0) {
        return Unexpected(
            fmt::format("{}: neither a PCI address, nor af_packet:INTERFACE, nor af_xdp:INTERFACE, "
                        "nor a virtual "
                        "device of DPDK (net_…)",
                        device));
    }
    spec->mode = port.mode == DataplaneMode::Automatic ? DataplaneMode::Exclusive : port.mode;
    return spec;
}

}  // namespace gnomon
