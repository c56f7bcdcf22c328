#include "mgmt/cli/source_argument.h"

#include <algorithm>
#include <array>
#include <limits>

namespace gnomon::cli {

namespace {

using Family = IpAddress::Family;

constexpr const char* kBadRange = "Invalid syntax for mask/address";

std::optional<IpAddress> parse_ip(std::string_view text) {
    const auto address = IpAddress::parse(text);
    if (!address.has_value() || !address->is_ip()) return std::nullopt;
    return address;
}

std::uint8_t family_bits(Family family) { return family == Family::V6 ? 128 : 32; }

IpAddress mask_of(Family family, std::uint32_t bits) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(bits, family_bits(family)); ++i) {
        bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | 0x80U >> (i % 8));
    }
    if (family == Family::V6) return IpAddress::v6(bytes);
    if (family == Family::Id) return IpAddress();
    return IpAddress::v4(std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                         std::uint32_t{bytes[2]} << 8 | bytes[3]);
}

/// "10", "10.1", "10.1.2": the leading bytes of an IPv4 network. One to three numbers beyond a byte
/// are not `valid`, and no host name either.
struct ShortNetwork {
    IpAddress address;
    std::int32_t bits = 0;
    bool valid = true;
};
std::optional<ShortNetwork> parse_short_network(std::string_view text) {
    constexpr std::uint32_t kTooLarge = 256;
    std::uint32_t network = 0;
    bool valid = true;
    int parts = 0;
    std::size_t at = 0;
    while (parts < 3) {
        const std::size_t end = std::min(text.find('.', at), text.size());
        const std::string_view part = text.substr(at, end - at);
        if (part.empty() || part.find_first_not_of("0123456789") != std::string_view::npos) {
            return std::nullopt;
        }
        const std::uint32_t value = leading_unsigned(part).value_or(kTooLarge);
        valid = valid && value < kTooLarge;
        network |= (value % kTooLarge) << (24 - 8 * parts);
        ++parts;
        if (end == text.size()) return ShortNetwork{IpAddress::v4(network), parts * 8, valid};
        at = end + 1;
    }
    return std::nullopt;
}

}  // namespace

std::optional<IpAddress> parse_source(Resolver& resolver, std::string_view text) {
    const auto literal = IpAddress::parse(text);
    if (literal.has_value() && literal->family() == Family::Id) return literal;
    const auto found = resolver.addresses(std::string(text));
    if (found.empty()) return std::nullopt;
    return found.front();
}

std::optional<SourceOrRefId> parse_source_or_ref_id(std::string_view text) {
    if (const auto literal = IpAddress::parse(text)) return SourceOrRefId{*literal, RefId{}};
    if (text.empty() || text.size() > 4) return std::nullopt;
    return SourceOrRefId{IpAddress(), RefId::from_text(std::string(text).c_str())};
}

Result<command::SourceRange, const char*> parse_range(Resolver& resolver, std::string_view text) {
    if (text.empty()) return command::SourceRange{};
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) {
        const auto address = parse_source(resolver, text);
        if (!address.has_value()) return Unexpected("Could not get address for hostname");
        return command::SourceRange{
            mask_of(address->family(), std::numeric_limits<std::uint32_t>::max()), *address};
    }
    const auto first = parse_ip(text.substr(0, slash));
    const std::string_view second = text.substr(slash + 1);
    if (!first.has_value()) return Unexpected(kBadRange);
    if (const auto address = parse_ip(second)) {
        if (address->family() != first->family()) return Unexpected(kBadRange);
        return command::SourceRange{*first, *address};
    }
    const auto bits = leading_unsigned(second);
    if (!bits.has_value()) return Unexpected(kBadRange);
    return command::SourceRange{mask_of(first->family(), *bits), *first};
}

std::optional<AccessArgument> parse_access(Resolver& resolver, const Arguments& arguments) {
    AccessArgument result;
    result.all = arguments.word(0) == "all";
    const std::size_t at = result.all ? 1 : 0;
    if (arguments.size() > at + 1) return std::nullopt;
    std::string_view network = arguments.word(at);
    if (network.empty()) return result;

    std::optional<std::int32_t> bits;
    if (const std::size_t slash = network.find('/'); slash != std::string_view::npos) {
        const std::string_view digits = network.substr(slash + 1);
        bits = leading_integer(digits);
        if (digits.find_first_not_of("0123456789") != std::string_view::npos || !bits) {
            return std::nullopt;
        }
        network = network.substr(0, slash);
    }
    if (const auto address = parse_ip(network)) {
        result.rule = {*address, bits.value_or(family_bits(address->family()))};
        return result;
    }
    if (const auto partial = parse_short_network(network)) {
        if (!partial->valid) return std::nullopt;
        result.rule = {partial->address, bits.value_or(partial->bits)};
        return result;
    }
    if (bits.has_value()) return std::nullopt;
    const auto found = resolver.addresses(std::string(network));
    if (found.empty()) return std::nullopt;
    result.rule = {found.front(), family_bits(found.front().family())};
    return result;
}

bool set_select_option(command::SelectOptions& options, std::string_view name) {
    struct Option {
        std::string_view name;
        bool command::SelectOptions::*field;
    };
    static constexpr Option kOptions[] = {{"noselect", &command::SelectOptions::noselect},
                                          {"prefer", &command::SelectOptions::prefer},
                                          {"require", &command::SelectOptions::require},
                                          {"trust", &command::SelectOptions::trust}};
    for (const Option& option : kOptions) {
        if (!equal_ignoring_case(name, option.name)) continue;
        options.*option.field = true;
        return true;
    }
    return false;
}

std::optional<command::LocalRequest> parse_local(const Arguments& arguments) {
    command::LocalRequest local;
    local.enabled = true;
    local.wait_unsynced_s = -1.0;
    struct Option {
        std::string_view name;
        double command::LocalRequest::*field;
    };
    static constexpr Option kNumbers[] = {
        {"distance", &command::LocalRequest::distance_s},
        {"activate", &command::LocalRequest::activate_s},
        {"waitsynced", &command::LocalRequest::wait_synced_s},
        {"waitunsynced", &command::LocalRequest::wait_unsynced_s}};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view name = arguments.word(i);
        if (equal_ignoring_case(name, "orphan")) {
            local.orphan = true;
            continue;
        }
        if (equal_ignoring_case(name, "stratum")) {
            const auto stratum = leading_integer(arguments.word(++i));
            if (!stratum || *stratum < 1 || *stratum > 15) return std::nullopt;
            local.stratum = *stratum;
            continue;
        }
        const auto option =
            std::find_if(std::begin(kNumbers), std::end(kNumbers),
                         [name](const Option& o) { return equal_ignoring_case(name, o.name); });
        const auto value = leading_number(arguments.word(++i));
        if (option == std::end(kNumbers) || !value) return std::nullopt;
        local.*option->field = *value;
    }
    constexpr double kOrphanWait_s = 300.0;
    if (local.wait_unsynced_s < 0.0) local.wait_unsynced_s = local.orphan ? kOrphanWait_s : 0.0;
    return local;
}

}  // namespace gnomon::cli
