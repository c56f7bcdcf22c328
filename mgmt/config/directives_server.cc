/// Rows for serving time, NTS, and command access; options of `local` and the rate limits.

#include <algorithm>

#include "mgmt/config/directives.h"
#include "mgmt/config/option_lines.h"
#include "mgmt/config/single_line.h"

namespace gnomon {
namespace {

using C = LineContext&;

/// chrony takes -32..32 for each of these and clamps later; larger bursts are useful.
constexpr IntRange kRateLimitValue{-32, 255};

void parse_smoothtime(C c) {
    if (!c.args.expect(2, 3)) return;
    SmoothTimeConfig smooth;
    bool good = c.args.report().read_double(c.args[0], smooth.max_frequency_ppm, kNotNegative);
    good =
        c.args.report().read_double(c.args[1], smooth.max_wander_ppm_per_s, kNotNegative) && good;
    if (c.args.count() == 3) {
        smooth.leap_only = equal_ignoring_case(c.args[2].text, "leaponly");
        if (!smooth.leap_only) {
            c.args.report().error(
                c.args[2], fmt::format("unknown option '{}'; expected leaponly", c.args[2].text));
            good = false;
        }
    }
    c.has_effect = !good || smooth.max_frequency_ppm > 0.0;
    if (good) c.config.server.smooth_time = smooth;
}

void parse_ptpport(C c) {
    c.args.take_port(c.config.server.ptp_port);
    c.has_effect = c.config.server.ptp_port != 0;
}

template <bool kAllow>
void parse_access_row(C c) {
    if (auto rule = parse_access(kAllow, c.args)) c.config.server.access.push_back(*rule);
}

template <bool kAllow>
void parse_command_access_row(C c) {
    if (auto rule = parse_access(kAllow, c.args)) c.config.command.access.push_back(*rule);
}

const std::vector<Choice<OpenCommand>>& open_commands() {
    using O = OpenCommand;
    static const std::vector<Choice<OpenCommand>> kCommands{{"activity", O::Activity},
                                                            {"authdata", O::AuthData},
                                                            {"clients", O::Clients},
                                                            {"dataplane", O::Dataplane},
                                                            {"manual", O::Manual},
                                                            {"ntpdata", O::NtpData},
                                                            {"rtcdata", O::RtcData},
                                                            {"selectdata", O::SelectData},
                                                            {"serverstats", O::ServerStats},
                                                            {"servos", O::Servos},
                                                            {"smoothing", O::Smoothing},
                                                            {"sourcename", O::SourceName},
                                                            {"sources", O::Sources},
                                                            {"sourcestats", O::SourceStats},
                                                            {"state", O::State},
                                                            {"tracking", O::Tracking}};
    return kCommands;
}

void parse_opencommands(C c) {
    std::vector<OpenCommand> commands;
    bool good = true;
    while (const Word* word = c.args.next()) {
        OpenCommand command{};
        if (!read_choice(c.args.report(), *word, open_commands(), command)) {
            good = false;
        } else if (std::find(commands.begin(), commands.end(), command) == commands.end()) {
            commands.push_back(command);
        }
    }
    if (good) c.config.command.open_commands = std::move(commands);
}

void parse_bindcmdaddress(C c) {
    if (!c.args.expect(1)) return;
    const std::string& text = c.args[0].text;
    if (text[0] == '/') {
        c.config.command.socket_path = text == "/" ? "" : text;
        return;
    }
    c.args.take_address(c.config.command.bind_address_v4, c.config.command.bind_address_v6);
}

}  // namespace

const char* to_string(OpenCommand command) noexcept {
    for (const Choice<OpenCommand>& choice : open_commands()) {
        if (choice.value == command) return choice.name.data();
    }
    return "";
}

std::vector<std::string_view> open_command_names() {
    std::vector<std::string_view> names;
    for (const Choice<OpenCommand>& choice : open_commands()) names.push_back(choice.name);
    return names;
}

const std::vector<Option<LocalConfig>>& local_option_table() {
    using L = LocalConfig;
    using W = const Word&;
    using R = Reporter&;
    // clang-format off
    static const std::vector<Option<L>> kTable{
        {"stratum", "STRATUM", "SRV-12", [](L& l, W v, R r) { return r.read_int(v, l.stratum, {1, 15}); }},
        {"distance", "SECONDS", "SRV-13", [](L& l, W v, R r) { return r.read_double(v, l.distance_s, kNotNegative); }},
        {"activate", "SECONDS", "SRV-14", [](L& l, W v, R r) { return r.read_double(v, l.activate_s, kNotNegative); }},
        {"orphan", "", "SRV-15", [](L& l, W, R) { l.orphan = true; return true; }},
        {"waitsynced", "SECONDS", "SRV-16", [](L& l, W v, R r) { return r.read_double(v, l.wait_synced_s, kNotNegative); }},
        // Negative means the default, as the initial value below does.
        {"waitunsynced", "SECONDS", "SRV-17", [](L& l, W v, R r) { return r.read_double(v, l.wait_unsynced_s, kAnyNumber); }},
    };
    // clang-format on
    return kTable;
}

std::optional<LocalConfig> parse_local(Arguments& arguments) {
    LocalConfig local;
    local.enabled = true;
    local.wait_unsynced_s = -1.0;
    if (!parse_options(arguments, local_option_table(), local)) return std::nullopt;
    if (local.wait_unsynced_s < 0.0) local.wait_unsynced_s = local.orphan ? 300.0 : 0.0;
    return local;
}

const std::vector<Option<RateLimitConfig>>& ratelimit_option_table(bool with_kod) {
    using L = RateLimitConfig;
    using W = const Word&;
    using R = Reporter&;
    // clang-format off
    static const std::vector<Option<L>> kFull{
        {"interval", "POLL", "SRV-19", [](L& l, W v, R r) { return r.read_int(v, l.interval_log2_s, {-32, 32}, {-19, 12}); }},
        {"burst", "N", "SRV-19", [](L& l, W v, R r) { return r.read_int(v, l.burst, kRateLimitValue, {1, 255}); }},
        {"leak", "RATE", "SRV-19", [](L& l, W v, R r) { return r.read_int(v, l.leak, {-32, 32}, {1, 4}); }},
        {"kod", "RATE", "SRV-19", [](L& l, W v, R r) { return r.read_int(v, l.kod, {-32, 32}, {0, 4}); }},
    };
    // clang-format on
    static const std::vector<Option<L>> kWithoutKod(kFull.begin(), kFull.end() - 1);
    return with_kod ? kFull : kWithoutKod;
}

std::optional<RateLimitConfig> parse_ratelimit(Arguments& arguments, const RateLimitConfig& current,
                                               bool with_kod) {
    RateLimitConfig limit = current;
    limit.enabled = true;
    if (!parse_options(arguments, ratelimit_option_table(with_kod), limit)) return std::nullopt;
    return limit;
}

LocalLine parse_local_line(const std::vector<std::string>& words) {
    LocalLine result;
    const std::vector<Word> line = line_of("local", words);
    Reporter reporter({}, 1, result.diagnostics);
    Arguments arguments(line, reporter);
    result.local = parse_local(arguments);
    return result;
}

RateLimitLine parse_ratelimit_line(const std::vector<std::string>& words,
                                   const RateLimitConfig& current) {
    RateLimitLine result;
    const std::vector<Word> line = line_of("ratelimit", words);
    Reporter reporter({}, 1, result.diagnostics);
    Arguments arguments(line, reporter);
    result.rate_limit = parse_ratelimit(arguments, current, true);
    return result;
}

DirectiveGroup server_directives() {
    constexpr Support kNotYet = Support::NotYet;
    constexpr Severity kError = Severity::Error;
    return {"Server",
            {
                {"allow", "[all] [SUBNET]", "SRV-01, SRV-03, SRV-04", parse_access_row<true>},
                {"deny", "[all] [SUBNET]", "SRV-02, SRV-03", parse_access_row<false>},
                {"bindaddress", "ADDRESS", "SRV-05",
                 [](C c) {
                     c.args.take_address(c.config.server.bind_address_v4,
                                         c.config.server.bind_address_v6);
                 }},
                {"binddevice", "INTERFACE", "SRV-06",
                 [](C c) { c.args.take_string(c.config.server.bind_device); }},
                {"port", "PORT", "SRV-07", [](C c) { c.args.take_port(c.config.server.port); }},
                {"broadcast", "SECONDS ADDRESS [PORT]", "SRV-08", nullptr, kNotYet, kError,
                 "the packets that clients wait for would not be sent"},
                {"clientloglimit", "BYTES", "SRV-09",
                 [](C c) {
                     if (!c.args.expect(1)) return;
                     c.args.report().read_u64(c.args[0], c.config.server.client_log_limit_bytes);
                 }},
                {"noclientlog", "", "SRV-10",
                 [](C c) { c.args.take_flag(c.config.server.client_log, false); }},
                {"local", "[OPTION]...", "SRV-11",
                 [](C c) {
                     if (auto local = parse_local(c.args)) c.config.server.local = *local;
                 }},
                {"ntpsigndsocket", "DIR", "SRV-18", nullptr, kNotYet, kError,
                 "clients that need signed replies would get none"},
                {"ratelimit", "[OPTION]...", "SRV-19",
                 [](C c) {
                     if (auto limit = parse_ratelimit(c.args, c.config.server.rate_limit, true)) {
                         c.config.server.rate_limit = *limit;
                     }
                 }},
                {"smoothtime", "PPM PPM_PER_SECOND [leaponly]", "SRV-20, SRV-21", parse_smoothtime},
                {"ptpport", "PORT", "MSC-18", parse_ptpport, kNotYet, kError,
                 "NTP over PTP would not be served or used"},
                {"ptpdomain", "DOMAIN", "MSC-19",
                 [](C c) {
                     c.args.take_int(c.config.server.ptp_domain, {0, 255});
                 },
                 kNotYet, Severity::Warning, "only of use with ptpport"},
                {"serverthreads", "N", "",
                 [](C c) {
                     c.args.take_int(c.config.server.threads, {0, 64});
                 },
                 Support::Supported, Severity::Warning,
                 "gnomon's own: worker threads that answer requests, 0 to 64, default 0"},
            }};
}

DirectiveGroup nts_directives() {
    constexpr Support kNotYet = Support::NotYet;
    constexpr Severity kWarning = Severity::Warning;
    constexpr Severity kError = Severity::Error;
    // Without NTS sources (an error) or a certificate to serve with (an error) these do nothing.
    constexpr std::string_view kIdle = "only of use with NTS";
    return {"Network Time Security",
            {
                {"ntsaeads", "ID...", "NTS-01", nullptr, kNotYet, kWarning, kIdle},
                {"ntsdumpdir", "DIR", "NTS-03", nullptr, kNotYet, kWarning, kIdle},
                {"ntscachedir", "DIR", "SYN-13", nullptr, kNotYet, kWarning, kIdle},
                {"ntsrefresh", "SECONDS", "NTS-04", nullptr, kNotYet, kWarning, kIdle},
                {"ntstrustedcerts", "[SET] FILE|DIR", "NTS-05", nullptr, kNotYet, kWarning, kIdle},
                {"nosystemcert", "", "NTS-06", nullptr, kNotYet, kWarning, kIdle},
                {"nocerttimecheck", "UPDATES", "NTS-07", nullptr, kNotYet, kWarning, kIdle},
                {"ntsport", "PORT", "NTS-08", nullptr, kNotYet, kWarning, kIdle},
                {"ntsservercert", "FILE", "NTS-09", nullptr, kNotYet, kError,
                 "clients would find no NTS service"},
                {"ntsserverkey", "FILE", "NTS-10", nullptr, kNotYet, kError,
                 "clients would find no NTS service"},
                {"ntsprocesses", "N", "NTS-11", nullptr, kNotYet, kWarning, kIdle},
                {"maxntsconnections", "N", "NTS-12", nullptr, kNotYet, kWarning, kIdle},
                {"ntsntpserver", "NAME", "NTS-13", nullptr, kNotYet, kWarning, kIdle},
                {"ntsrotate", "SECONDS", "NTS-14", nullptr, kNotYet, kWarning, kIdle},
                {"ntsratelimit", "[OPTION]...", "NTS-15", nullptr, kNotYet, kWarning, kIdle},
            }};
}

DirectiveGroup command_directives() {
    return {"Command and monitoring access",
            {
                {"bindcmdaddress", "ADDRESS|PATH", "CMD-01", parse_bindcmdaddress},
                {"bindcmddevice", "INTERFACE", "CMD-02",
                 [](C c) { c.args.take_string(c.config.command.bind_device); }},
                {"cmdallow", "[all] [SUBNET]", "CMD-03", parse_command_access_row<true>},
                {"cmddeny", "[all] [SUBNET]", "CMD-04", parse_command_access_row<false>},
                {"cmdport", "PORT", "CMD-05", [](C c) { c.args.take_port(c.config.command.port); }},
                {"cmdratelimit", "[OPTION]...", "CMD-06",
                 [](C c) {
                     if (auto limit = parse_ratelimit(c.args, c.config.command.rate_limit, false)) {
                         c.config.command.rate_limit = *limit;
                     }
                 }},
                {"opencommands", "[COMMAND]...", "CMD-07", parse_opencommands},
            }};
}

}  // namespace gnomon
