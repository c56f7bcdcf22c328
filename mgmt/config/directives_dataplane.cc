/// `dataplane`: ports that are polled past the kernel, and what they need of the machine.

#include <algorithm>
#include <set>

#include "mgmt/config/directives.h"

namespace gnomon {
namespace {

using C = LineContext&;
using Line = DataplanePortLine;
using W = const Word&;
using R = Reporter&;

constexpr std::size_t kLongestInterface = 15;
constexpr unsigned kHighestCore = 1023;
constexpr int kHighestVlan = 4094;

bool read_unsigned(R report, W word, unsigned& value, IntRange valid) {
    int number = 0;
    if (!report.read_int(word, number, valid)) return false;
    value = static_cast<unsigned>(number);
    return true;
}

bool is_interface_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestInterface && name != "." && name != ".." &&
           name.find_first_of("/:") == std::string_view::npos;
}

/// What a device that lives above an interface of the kernel begins with; empty for others.
std::string_view kernel_interface(std::string_view device) {
    for (const std::string_view prefix : {"af_xdp:", "af_packet:"}) {
        if (device.substr(0, prefix.size()) == prefix) return device.substr(prefix.size());
    }
    return {};
}

bool read_mode(Line& line, W word, R report) {
    static const std::vector<Choice<DataplaneMode>> kModes{{"shared", DataplaneMode::Shared},
                                                           {"exclusive", DataplaneMode::Exclusive}};
    return read_choice(report, word, kModes, line.port.mode);
}

/// A/P[@VLAN]
bool read_address(Line& line, W word, R report) {
    const std::string_view text = word.text;
    const std::size_t at = text.find('@');
    const std::string_view subnet = text.substr(0, at);
    const std::size_t slash = subnet.find('/');
    if (slash == std::string_view::npos) {
        report.error(word, fmt::format("'{}' has no prefix length; expected ADDRESS/BITS, "
                                       "such as 192.0.2.1/24",
                                       word.text));
        return false;
    }
    // Columns of the parts, so that an editor jumps to what is wrong.
    const auto part = [&word](std::size_t from, std::string_view piece) {
        return Word{std::string(piece), word.column + static_cast<int>(from)};
    };
    DataplaneAddress address;
    if (!report.read_ip(part(0, subnet.substr(0, slash)), address.subnet.address)) return false;
    const bool v4 = address.subnet.address.family() == IpAddress::Family::V4;
    int bits = 0;
    if (!report.read_int(part(slash + 1, subnet.substr(slash + 1)), bits, {1, v4 ? 32 : 128})) {
        return false;
    }
    address.subnet.prefix_length = static_cast<std::uint8_t>(bits);
    if (at != std::string_view::npos) {
        int vlan = 0;
        if (!report.read_int(part(at + 1, text.substr(at + 1)), vlan, {1, kHighestVlan})) {
            return false;
        }
        address.vlan = static_cast<std::uint16_t>(vlan);
    }
    for (const DataplaneAddress& other : line.port.addresses) {
        if (other.subnet.address == address.subnet.address && other.vlan == address.vlan) {
            report.error(word, fmt::format("address {} is there twice", word.text));
            return false;
        }
    }
    line.port.addresses.push_back(address);
    return true;
}

bool read_gateway(Line& line, W word, R report) {
    IpAddress gateway;
    if (!report.read_ip(word, gateway)) return false;
    for (const IpAddress& other : line.port.gateways) {
        if (other.family() == gateway.family()) {
            report.error(word,
                         fmt::format("a second {} gateway; there is one for each family",
                                     gateway.family() == IpAddress::Family::V4 ? "IPv4" : "IPv6"));
            return false;
        }
    }
    line.port.gateways.push_back(gateway);
    return true;
}

bool read_cores(Line& line, W word, R report) {
    std::vector<unsigned> cores;
    std::size_t from = 0;
    while (from <= word.text.size()) {
        const std::size_t comma = std::min(word.text.find(',', from), word.text.size());
        unsigned core = 0;
        const Word piece{word.text.substr(from, comma - from),
                         word.column + static_cast<int>(from)};
        if (!read_unsigned(report, piece, core, {0, kHighestCore})) return false;
        if (std::find(cores.begin(), cores.end(), core) != cores.end()) {
            report.error(piece, fmt::format("core {} is there twice", core));
            return false;
        }
        cores.push_back(core);
        from = comma + 1;
    }
    line.port.cores = std::move(cores);
    line.cores_word = word;
    return true;
}

bool read_ring(Line& line, W word, R report) {
    unsigned size = 0;
    if (!read_unsigned(report, word, size, {64, 32768})) return false;
    if ((size & (size - 1)) != 0) {
        report.error(word, fmt::format("{} is not a power of two", size));
        return false;
    }
    line.port.ring_size = size;
    return true;
}

bool read_exception(Line& line, W word, R report) {
    if (!is_interface_name(word.text)) {
        report.error(word, fmt::format("'{}' cannot be the name of an interface", word.text));
        return false;
    }
    line.port.exception = word.text;
    line.exception_word = word;
    return true;
}

bool read_device(Line& line, W word, R report) {
    const std::string& device = word.text;
    if (kernel_interface(device).empty()) {
        for (const std::string_view prefix : {"af_xdp:", "af_packet:"}) {
            if (device == prefix) {
                report.error(word, fmt::format("'{}' names no interface", device));
                return false;
            }
        }
    } else if (!is_interface_name(kernel_interface(device))) {
        report.error(
            word, fmt::format("'{}' cannot be the name of an interface", kernel_interface(device)));
        return false;
    }
    line.port.device = device;
    return true;
}

bool is_shared(const DataplanePortConfig& port) {
    if (port.mode != DataplaneMode::Automatic) return port.mode == DataplaneMode::Shared;
    return !kernel_interface(port.device).empty();
}

/// What the words of one line must be to each other.
bool check_port(const Line& line, W device, R report) {
    const DataplanePortConfig& port = line.port;
    bool good = true;
    if (!port.cores.empty() && port.cores.size() != port.queues) {
        report.error(line.cores_word,
                     fmt::format("{} core{} for {} queue{}; each queue needs one of its own",
                                 port.cores.size(), port.cores.size() == 1 ? "" : "s", port.queues,
                                 port.queues == 1 ? "" : "s"));
        good = false;
    }
    if (is_shared(port)) {
        if (!port.exception.empty()) {
            report.error(line.exception_word,
                         "a shared port leaves everything else to the kernel anyway; exception is "
                         "for mode exclusive");
            good = false;
        }
    } else if (port.addresses.empty()) {
        report.error(device, "an exclusive port needs at least one address");
        good = false;
    }
    return good;
}

/// What it must be to the ports before it.
bool check_against(const std::vector<DataplanePortConfig>& ports, const Line& line, W device,
                   R report) {
    bool good = true;
    const std::string_view interface = kernel_interface(line.port.device);
    for (const DataplanePortConfig& other : ports) {
        const bool same_interface =
            !interface.empty() && interface == kernel_interface(other.device);
        if (other.device == line.port.device || same_interface) {
            report.error(device, fmt::format("{} is polled already", other.device));
            good = false;
        }
        for (const unsigned core : line.port.cores) {
            if (std::find(other.cores.begin(), other.cores.end(), core) != other.cores.end()) {
                report.error(line.cores_word,
                             fmt::format("core {} polls {} already", core, other.device));
                good = false;
            }
        }
    }
    return good;
}

void parse_port(C c) {
    const Word* device = c.args.next();
    if (device == nullptr) {
        c.args.report().error(c.args[0], "missing argument: 'dataplane dpdk' needs a device");
        return;
    }
    Line line;
    R report = c.args.report();
    const bool known = read_device(line, *device, report);
    bool good = parse_options(c.args, dataplane_option_table(), line) && known;
    // What follows from an unknown device is no mistake of its own.
    good = known && check_port(line, *device, report) && good;
    good = check_against(c.config.dataplane.ports, line, *device, report) && good;
    if (good) c.config.dataplane.ports.push_back(std::move(line.port));
}

void parse_number(C c, unsigned& value, IntRange valid) {
    if (!c.args.expect(2)) return;
    read_unsigned(c.args.report(), c.args[1], value, valid);
}

void parse_dataplane(C c) {
    const Word* kind = c.args.next();
    if (kind == nullptr) {
        c.args.expect(1, 1);
        return;
    }
    DataplaneConfig& dataplane = c.config.dataplane;
    if (equal_ignoring_case(kind->text, "dpdk")) {
        parse_port(c);
    } else if (equal_ignoring_case(kind->text, "hugepages")) {
        parse_number(c, dataplane.hugepages_mib, {0, 1 << 20});
    } else if (equal_ignoring_case(kind->text, "mbufs")) {
        parse_number(c, dataplane.mbufs, {512, 1 << 24});
    } else if (equal_ignoring_case(kind->text, "eal")) {
        if (c.args.count() < 2) {
            c.args.report().error(*kind, "missing argument: 'dataplane eal' needs one at least");
            return;
        }
        while (const Word* word = c.args.next()) dataplane.eal_arguments.push_back(word->text);
    } else {
        const std::vector<std::string_view> kinds{"dpdk", "hugepages", "mbufs", "eal"};
        c.args.report().error(*kind, fmt::format("'{}' is unknown; expected {}{}", kind->text,
                                                 list_of(kinds), did_you_mean(kind->text, kinds)));
    }
}

}  // namespace

const std::vector<Option<DataplanePortLine>>& dataplane_option_table() {
    // clang-format off
    static const std::vector<Option<Line>> kTable{
        {"mode", "shared|exclusive", "", read_mode},
        {"address", "ADDRESS/BITS[@VLAN]", "", read_address},
        {"gateway", "ADDRESS", "", read_gateway},
        {"queues", "N", "", [](Line& l, W v, R r) { return read_unsigned(r, v, l.port.queues, {1, 64}); }},
        {"cores", "CORE[,CORE]...", "", read_cores},
        {"burst", "N", "", [](Line& l, W v, R r) { return read_unsigned(r, v, l.port.burst, {1, 64}); }},
        {"ring", "N", "", read_ring},
        {"nooffloads", "", "", [](Line& l, W, R) { l.port.offloads = false; return true; }},
        {"exception", "INTERFACE", "", read_exception},
    };
    // clang-format on
    return kTable;
}

DirectiveGroup dataplane_directives() {
    return {"Dataplane",
            {
                {"dataplane", "dpdk|hugepages|mbufs|eal ARGUMENT...", "", parse_dataplane,
                 Support::Supported, Severity::Warning,
                 "gnomon's own: ports that are polled past the kernel, through DPDK"},
            }};
}

}  // namespace gnomon
