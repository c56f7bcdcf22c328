#include "mgmt/config/source_options.h"

#include <fmt/format.h>

namespace gnomon {
namespace {

constexpr IntRange kPoll{-32, 32};
constexpr IntRange kEffectivePoll{-7, 24};
constexpr std::size_t kMaxNameBytes = 255;

/// chrony falls back to the default below the range, and clamps above it.
bool read_poll(const Word& value, IntRange valid, int fallback, int& poll, Reporter& report) {
    int number = 0;
    if (!report.read_int(value, number, valid, {valid.min, kEffectivePoll.max})) return false;
    if (number < kEffectivePoll.min) {
        report.warning(
            value, fmt::format("{} is taken as the default {}; useful values are {} to {}", number,
                               fallback, kEffectivePoll.min, kEffectivePoll.max));
        number = fallback;
    }
    poll = number;
    return true;
}

bool read_extension_field(SourceOptions& options, const Word& value, Reporter& report) {
    std::string_view hex = value.text;
    if (hex.size() > 2 && hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X')) hex.remove_prefix(2);
    while (hex.size() > 1 && hex[0] == '0') hex.remove_prefix(1);
    if (equal_ignoring_case(hex, "10A") || equal_ignoring_case(hex, "F324")) {
        options.ext_net_correction = true;
    } else if (equal_ignoring_case(hex, "F323")) {
        options.ext_mono_root = true;
    } else {
        report.error(value,
                     fmt::format("unknown extension field '{}'; expected 10A or F323", value.text));
        return false;
    }
    return true;
}

bool read_asymmetry(SourceOptions& options, const Word& value, Reporter& report) {
    double number = 0.0;
    if (!report.read_double(value, number, kAnyNumber)) return false;
    if (number < -0.5 || number > 0.5) {
        report.warning(value, fmt::format("{} is outside -0.5 to 0.5: the asymmetry is estimated",
                                          value.text));
        options.asymmetry.reset();
        return true;
    }
    options.asymmetry = number;
    return true;
}

bool read_quantile(SourceOptions& options, const Word& value, Reporter& report) {
    double number = 0.0;
    if (!report.read_double(value, number, kNotNegative)) return false;
    if (number <= 0.0) {
        options.max_delay_quantile.reset();
        return true;
    }
    if (!report.read_double(value, number, {0.05, 0.95})) return false;
    options.max_delay_quantile = number;
    return true;
}

bool read_samples(std::optional<int>& samples, const Word& value, Reporter& report) {
    int number = 0;
    if (!report.read_int(value, number, kCount)) return false;
    samples = number;
    return true;
}

using S = SourceOptions;
using W = const Word&;
using R = Reporter&;

bool set(bool& flag) {
    flag = true;
    return true;
}

}  // namespace

const std::vector<Option<SourceOptions>>& source_option_table() {
    // clang-format off
    static const std::vector<Option<SourceOptions>> kTable{
        {"minpoll", "POLL", "SOP-01", [](S& s, W v, R r) { return read_poll(v, {}, 6, s.min_poll_log2_s, r); }},
        {"maxpoll", "POLL", "SOP-02", [](S& s, W v, R r) { return read_poll(v, kPoll, 10, s.max_poll_log2_s, r); }},
        {"iburst", "", "SOP-03", [](S& s, W, R) { return set(s.iburst); }},
        {"burst", "", "SOP-04", [](S& s, W, R) { return set(s.burst); }},
        {"key", "ID", "SOP-05", [](S& s, W v, R r) { return r.read_u32(v, s.key_id, 1); }},
        {"nts", "", "SOP-06", nullptr, Support::NotYet},
        {"ntsport", "PORT", "SOP-07", nullptr, Support::NotYet},
        {"certset", "ID", "SOP-08", nullptr, Support::NotYet},
        {"maxdelay", "SECONDS", "SOP-09", [](S& s, W v, R r) { return r.read_double(v, s.max_delay_s, {0.0, 1000.0}); }},
        {"maxdelayratio", "RATIO", "SOP-10", [](S& s, W v, R r) { return r.read_double(v, s.max_delay_ratio, {0.0, 1e6}); }},
        {"maxdelaydevratio", "RATIO", "SOP-11", [](S& s, W v, R r) { return r.read_double(v, s.max_delay_dev_ratio, {0.0, 1e6}); }},
        {"maxdelayquant", "QUANTILE", "SOP-12", read_quantile},
        {"mindelay", "SECONDS", "SOP-13", [](S& s, W v, R r) { return r.read_double(v, s.min_delay_s, kNotNegative); }},
        {"asymmetry", "RATIO", "SOP-14", read_asymmetry},
        {"offset", "SECONDS", "SOP-15", [](S& s, W v, R r) { return r.read_double(v, s.offset_s, kAnyNumber); }},
        {"minsamples", "SAMPLES", "SOP-16", [](S& s, W v, R r) { return read_samples(s.min_samples, v, r); }},
        {"maxsamples", "SAMPLES", "SOP-17", [](S& s, W v, R r) { return read_samples(s.max_samples, v, r); }},
        {"maxunreach", "POLLS", "SOP-18", [](S& s, W v, R r) { return r.read_int(v, s.max_unreach_polls, kCount); }},
        {"filter", "POLLS", "SOP-19", [](S& s, W v, R r) { return r.read_int(v, s.filter_polls, kCount, {0, 256}); }},
        {"offline", "", "SOP-20", [](S& s, W, R) { return set(s.offline); }},
        {"auto_offline", "", "SOP-21", [](S& s, W, R) { return set(s.auto_offline); }},
        {"prefer", "", "SOP-22", [](S& s, W, R) { return set(s.prefer); }},
        {"noselect", "", "SOP-23", [](S& s, W, R) { return set(s.no_select); }},
        {"trust", "", "SOP-24", [](S& s, W, R) { return set(s.trust); }},
        {"require", "", "SOP-25", [](S& s, W, R) { return set(s.require); }},
        {"xleave", "", "SOP-26", [](S& s, W, R) { return set(s.interleaved); }},
        {"polltarget", "SAMPLES", "SOP-27", [](S& s, W v, R r) { return r.read_int(v, s.poll_target, {1, kCount.max}); }},
        {"port", "PORT", "SOP-28", [](S& s, W v, R r) { return r.read_port(v, s.port); }},
        {"presend", "POLL", "SOP-29", [](S& s, W v, R r) { return r.read_int(v, s.presend_poll_log2_s, kPoll); }},
        {"minstratum", "STRATUM", "SOP-30", [](S& s, W v, R r) { return r.read_int(v, s.min_stratum, {0, 16}, {0, 15}); }},
        {"version", "VERSION", "SOP-31", [](S& s, W v, R r) { return r.read_int(v, s.version, {1, 4}); }},
        {"copy", "", "SOP-32", [](S& s, W, R) { return set(s.copy); }},
        {"extfield", "HEX", "SOP-33", read_extension_field},
        {"mesh", "", "", [](S& s, W, R) { return set(s.mesh); }},
        {"maxsources", "SOURCES", "SOP-34", [](S& s, W v, R r) { return r.read_int(v, s.max_sources, {1, kCount.max}, {1, 16}); }},
        {"ipv4", "", "SOP-35", [](S& s, W, R) { s.family = IpAddress::Family::V4; return true; }},
        {"ipv6", "", "SOP-36", [](S& s, W, R) { s.family = IpAddress::Family::V6; return true; }},
    };
    // clang-format on
    return kTable;
}

std::optional<SourceConfig> parse_source(SourceKind kind, Arguments& arguments) {
    const Word* name = arguments.next();
    if (name == nullptr) {
        arguments.report().error(
            arguments.directive(),
            fmt::format("'{}' needs a host name or an IP address", arguments.directive().text));
        return std::nullopt;
    }
    SourceConfig source{kind, name->text, {}};
    bool good = true;
    if (name->text.size() > kMaxNameBytes) {
        arguments.report().error(*name, fmt::format("the name has {} bytes; at most {} are allowed",
                                                    name->text.size(), kMaxNameBytes));
        good = false;
    }
    SourceOptions& options = source.options;
    if (!parse_options(arguments, source_option_table(), options) || !good) return std::nullopt;
    if (options.max_poll_log2_s < options.min_poll_log2_s) {
        options.max_poll_log2_s = options.min_poll_log2_s;
    }
    return source;
}

const char* to_string(SourceKind kind) noexcept {
    switch (kind) {
        case SourceKind::Server: return "server";
        case SourceKind::Pool: return "pool";
        case SourceKind::Peer: return "peer";
    }
    return "";
}

}  // namespace gnomon
