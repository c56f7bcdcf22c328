#include <limits>

#include "mgmt/cli/source_argument.h"

namespace gnomon::cli {

namespace {

using Request = command::AddSourceRequest;

constexpr const char* kBadSyntax = "Invalid syntax for add command";
constexpr const char* kBadOption = "Invalid option in add command";
constexpr const char* kBadValue = "Invalid value in add command";

constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();

struct FlagOption {
    std::string_view name;
    bool Request::*field;
    bool value;
};
constexpr FlagOption kFlags[] = {
    {"auto_offline", &Request::auto_offline, true},
    {"burst", &Request::burst, true},
    {"copy", &Request::copy, true},
    {"iburst", &Request::iburst, true},
    {"nts", &Request::nts, true},
    {"offline", &Request::online, false},
    {"xleave", &Request::interleaved, true},
};

struct NumberOption {
    std::string_view name;
    double Request::*field;
};
constexpr NumberOption kNumbers[] = {
    {"asymmetry", &Request::asymmetry},
    {"maxdelay", &Request::max_delay_s},
    {"maxdelaydevratio", &Request::max_delay_dev_ratio},
    {"maxdelayquant", &Request::max_delay_quantile},
    {"maxdelayratio", &Request::max_delay_ratio},
    {"mindelay", &Request::min_delay_s},
    {"offset", &Request::offset_s},
};

struct SignedOption {
    std::string_view name;
    std::int32_t Request::*field;
    std::int32_t min, max;
};
constexpr SignedOption kSigned[] = {
    {"filter", &Request::filter_length, 0, kMax},    {"maxpoll", &Request::maxpoll, -32, 32},
    {"maxsamples", &Request::max_samples, 0, kMax},  {"maxunreach", &Request::max_unreach, 0, kMax},
    {"minpoll", &Request::minpoll, kMin, kMax},      {"minsamples", &Request::min_samples, 0, kMax},
    {"presend", &Request::presend_minpoll, -32, 32},
};

struct UnsignedOption {
    std::string_view name;
    std::uint32_t Request::*field;
    std::uint32_t min, max;
};
constexpr std::uint32_t kUnsignedMax = std::numeric_limits<std::uint32_t>::max();
constexpr UnsignedOption kUnsigned[] = {
    {"certset", &Request::cert_set, 0, kUnsignedMax},
    {"key", &Request::key_id, 1, kUnsignedMax},
    {"maxsources", &Request::max_sources, 1, kMax},
    {"minstratum", &Request::min_stratum, 0, 16},
    {"ntsport", &Request::nts_port, 0, 65535},
    {"polltarget", &Request::poll_target, 1, kMax},
    {"port", &Request::port, 0, 65535},
    {"version", &Request::version, 1, 4},
};

template <typename Option, std::size_t kCount>
const Option* find(const Option (&options)[kCount], std::string_view name) {
    for (const Option& option : options) {
        if (equal_ignoring_case(name, option.name)) return &option;
    }
    return nullptr;
}

bool set_extension_field(Request& request, std::string_view text) {
    // NTP-over-PTP corrections and the monotonic root; 0xF324 was the experimental number.
    const auto type = leading_unsigned(text, 16);
    if (!type.has_value()) return false;
    if (*type == 0xF323) {
        request.ef_exp_mono_root = true;
    } else if (*type == 0xF324 || *type == 0x010A) {
        request.ef_net_correction = true;
    } else {
        return false;
    }
    return true;
}

/// An option without a value; false when it is not one.
bool set_flag(Request& request, std::string_view name) {
    if (const FlagOption* flag = find(kFlags, name)) {
        request.*flag->field = flag->value;
        return true;
    }
    if (equal_ignoring_case(name, "ipv4") || equal_ignoring_case(name, "ipv6")) {
        request.ipv4_only = equal_ignoring_case(name, "ipv4");
        request.ipv6_only = !request.ipv4_only;
        return true;
    }
    return set_select_option(request.select, name);
}

/// An option with a value. Nothing wrong: nullptr.
const char* set_value(Request& request, std::string_view name, std::string_view text) {
    if (const NumberOption* option = find(kNumbers, name)) {
        const auto value = leading_number(text);
        if (!value) return kBadValue;
        request.*option->field = *value;
        return nullptr;
    }
    if (const SignedOption* option = find(kSigned, name)) {
        const auto value = leading_integer(text);
        if (!value || *value < option->min || *value > option->max) return kBadValue;
        request.*option->field = *value;
        return nullptr;
    }
    if (const UnsignedOption* option = find(kUnsigned, name)) {
        const auto value = leading_unsigned(text);
        if (!value || *value < option->min || *value > option->max) return kBadValue;
        request.*option->field = *value;
        return nullptr;
    }
    if (equal_ignoring_case(name, "extfield")) {
        return set_extension_field(request, text) ? nullptr : kBadValue;
    }
    return kBadOption;
}

}  // namespace

Result<Request, const char*> parse_add_source(const Arguments& arguments) {
    Request request;
    const std::string_view kind = arguments.word(0);
    if (equal_ignoring_case(kind, "server")) {
        request.kind = command::SourceKind::Server;
    } else if (equal_ignoring_case(kind, "peer")) {
        request.kind = command::SourceKind::Peer;
    } else if (equal_ignoring_case(kind, "pool")) {
        request.kind = command::SourceKind::Pool;
    } else {
        return Unexpected(kBadSyntax);
    }
    request.name = arguments.word(1);
    if (request.name.empty()) return Unexpected(kBadSyntax);
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        const std::string_view name = arguments.word(i);
        if (set_flag(request, name)) continue;
        if (const char* error = set_value(request, name, arguments.word(++i))) {
            return Unexpected(error);
        }
    }
    return request;
}

}  // namespace gnomon::cli
