#include "mgmt/config/subnet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "mgmt/config/directives.h"
#include "mgmt/config/single_line.h"

namespace gnomon {
namespace {

constexpr std::size_t kMaxHostBytes = 255;

std::optional<unsigned> parse_decimal(std::string_view text) {
    unsigned value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "10", "10.1", "10.1.2": the network that the missing numbers span.
std::optional<Subnet> parse_short_network(std::string_view text) {
    std::uint32_t bits = 0;
    int numbers = 0;
    while (numbers < 3) {
        const std::size_t dot = text.find('.');
        const std::optional<unsigned> number = parse_decimal(text.substr(0, dot));
        if (!number || *number > 255) return std::nullopt;
        bits |= *number << (24 - 8 * numbers);
        ++numbers;
        if (dot == std::string_view::npos) {
            return Subnet{IpAddress::v4(bits), static_cast<std::uint8_t>(8 * numbers)};
        }
        text.remove_prefix(dot + 1);
    }
    return std::nullopt;
}

/// Text that can only have been meant as an address; resolving it would hide the mistake.
bool looks_numeric(std::string_view text) {
    return text.find(':') != std::string_view::npos ||
           text.find_first_not_of("0123456789.") == std::string_view::npos;
}

IpAddress masked(const IpAddress& address, unsigned prefix_length) {
    if (address.family() == IpAddress::Family::V4) {
        const std::uint32_t mask =
            prefix_length == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_length);
        return IpAddress::v4(address.to_u32() & mask);
    }
    std::array<std::uint8_t, 16> bytes = address.bytes();
    for (unsigned i = 0; i < bytes.size(); ++i) {
        const unsigned kept =
            std::clamp(static_cast<int>(prefix_length) - static_cast<int>(8 * i), 0, 8);
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00u >> kept));
    }
    return IpAddress::v6(bytes);
}

SubnetResult failure(std::string error) { return {std::nullopt, std::move(error)}; }

}  // namespace

SubnetResult parse_subnet(std::string_view text) {
    if (text.empty() || text == "all") return {SubnetText{}, {}};
    const std::size_t slash = text.find('/');
    const std::string_view network = text.substr(0, slash);
    std::optional<unsigned> prefix_length;
    if (slash != std::string_view::npos) {
        prefix_length = parse_decimal(text.substr(slash + 1));
        if (!prefix_length) {
            return failure(fmt::format("'{}' has no valid prefix length", text));
        }
    }
    std::optional<Subnet> subnet;
    if (const std::optional<IpAddress> address = IpAddress::parse(network);
        address && address->is_ip()) {
        const bool v4 = address->family() == IpAddress::Family::V4;
        subnet = Subnet{*address, static_cast<std::uint8_t>(v4 ? 32 : 128)};
    } else {
        subnet = parse_short_network(network);
    }
    if (!subnet) {
        if (prefix_length || network.size() > kMaxHostBytes || looks_numeric(network)) {
            return failure(fmt::format("'{}' is not an address, a subnet or a host name", text));
        }
        return {SubnetText{{}, std::string(network)}, {}};
    }
    const unsigned longest = subnet->address.family() == IpAddress::Family::V4 ? 32 : 128;
    const unsigned length = prefix_length.value_or(subnet->prefix_length);
    if (length > longest) {
        return failure(fmt::format("prefix length {} of '{}' exceeds {}", length, text, longest));
    }
    return {SubnetText{{masked(subnet->address, length), static_cast<std::uint8_t>(length)}, {}},
            {}};
}

std::optional<AccessRule> parse_access(bool allow, Arguments& arguments) {
    AccessRule rule;
    rule.allow = allow;
    const Word* word = arguments.next();
    if (word != nullptr && word->text == "all") {
        rule.all = true;
        word = arguments.next();
    }
    if (word == nullptr) return rule;
    if (equal_ignoring_case(word->text, "all")) {
        arguments.report().error(
            *word, rule.all ? "'all' is given twice" : "'all' must be written in lower case");
        return std::nullopt;
    }
    const SubnetResult parsed = parse_subnet(word->text);
    if (!parsed.subnet) {
        arguments.report().error(*word, parsed.error);
        return std::nullopt;
    }
    if (const Word* extra = arguments.next(); extra != nullptr) {
        arguments.report().error(*extra,
                                 fmt::format("'{}' takes one subnet, after 'all' if that is meant",
                                             arguments.directive().text));
        return std::nullopt;
    }
    rule.subnet = parsed.subnet->subnet;
    rule.host = parsed.subnet->host;
    return rule;
}

AccessLine parse_access_line(bool allow, const std::string& directive,
                             const std::vector<std::string>& words) {
    AccessLine result;
    const std::vector<Word> line = line_of(directive, words);
    Reporter reporter({}, 1, result.diagnostics);
    Arguments arguments(line, reporter);
    result.rule = parse_access(allow, arguments);
    return result;
}

}  // namespace gnomon
