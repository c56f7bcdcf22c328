#include "mgmt/daemon/options.h"

#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <fmt/format.h>

namespace gnomon {

namespace {

constexpr char kShortOptions[] = "46df:F:hl:L:mnN:pP:qQrRst:u:Uvx";

std::optional<int> to_int(const char* text) {
    int value = 0;
    const char* end = text + strlen(text);
    const auto [parsed, error] = std::from_chars(text, end, value);
    if (error != std::errc() || parsed != end) return std::nullopt;
    return value;
}

Options refuse(std::string error) {
    Options options;
    options.action = Options::Action::Refuse;
    options.error = std::move(error);
    return options;
}

/// The number that an option which takes one sets; null for other options.
int* number_of(Options& options, int letter, int& log_level) {
    switch (letter) {
        case 'F': return &options.filter_level;
        case 'L': return &log_level;
        case 'N': return &options.notify_fd;
        case 'P': return &options.priority;
        case 't': return &options.timeout_s;
        default: return nullptr;
    }
}

void apply(Options& options, int letter, const char* argument, int& debug_count) {
    switch (letter) {
        case '4': options.family = IpAddress::Family::V4; break;
        case '6': options.family = IpAddress::Family::V6; break;
        case 'd':
            ++debug_count;
            options.foreground = options.log_to_terminal = true;
            break;
        case 'f': options.config_file = argument; break;
        case 'h': options.action = Options::Action::PrintHelp; break;
        case 'l': options.log_file = argument; break;
        case 'm': options.lock_memory = true; break;
        case 'n': options.foreground = true; break;
        case 'p':
            options.action = Options::Action::PrintConfig;
            options.foreground = options.log_to_terminal = true;
            options.check_root = false;
            break;
        case 'q':
            options.set_once = true;
            options.print_once = false;
            options.foreground = options.log_to_terminal = true;
            break;
        case 'Q':
            options.print_once = true;
            options.set_once = false;
            options.foreground = options.log_to_terminal = true;
            options.check_root = options.control_clock = false;
            break;
        case 'r': options.reload_samples = true; break;
        case 'R': options.restarted = true; break;
        case 's': options.set_from_rtc = true; break;
        case 'u': options.user = argument; break;
        case 'U': options.check_root = false; break;
        case 'v': options.action = Options::Action::PrintVersion; break;
        case 'x': options.control_clock = false; break;
        default: break;
    }
}

}  // namespace

ProgramName ProgramName::from_argv0(const char* argv0) {
    const char* slash = argv0 != nullptr ? strrchr(argv0, '/') : nullptr;
    const std::string base = slash != nullptr ? slash + 1 : argv0 != nullptr ? argv0 : "";
    // Also "chronyd-next" and the like: names of parallel installations.
    if (base.rfind("chronyd", 0) == 0) {
        return {"chronyd", Personality::Chrony, "/etc/chrony/chrony.conf"};
    }
    return {"gnomond", Personality::Gnomon, "/etc/gnomon/gnomon.conf"};
}

Options parse_options(int argc, char* const argv[], const ProgramName& program) {
    Options options;
    options.config_file = program.config_file;
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--help") == 0) options.action = Options::Action::PrintHelp;
        if (strcmp(argv[i], "--version") == 0) options.action = Options::Action::PrintVersion;
    }
    if (options.action != Options::Action::Run) return options;

    int log_level = 0;
    int debug_count = 0;
    optind = 0;  // glibc: start anew, with the rules of the options string
    opterr = 0;
    // A leading colon tells a missing argument from an unknown option.
    const std::string letters = std::string(":") + kShortOptions;
    for (int letter = 0; (letter = getopt(argc, argv, letters.c_str())) != -1;) {
        if (letter == '?') return refuse(fmt::format("Unknown option -{:c}", optopt));
        if (letter == ':') return refuse(fmt::format("Option -{:c} needs an argument", optopt));
        if (int* number = number_of(options, letter, log_level)) {
            const std::optional<int> value = to_int(optarg);
            if (!value) return refuse(fmt::format("Invalid argument {}", optarg));
            *number = *value;
            continue;
        }
        apply(options, letter, optarg, debug_count);
        if (letter == 'h' || letter == 'v') return options;
    }
    if (debug_count >= 2) log_level = static_cast<int>(LogSeverity::Debug);
    options.log_threshold = static_cast<LogSeverity>(std::clamp(
        log_level, static_cast<int>(LogSeverity::Debug), static_cast<int>(LogSeverity::Fatal)));
    options.config_lines.assign(argv + optind, argv + argc);
    return options;
}

std::string help_text(const ProgramName& program) {
    const Config defaults = default_config(program.personality);
    return fmt::format(
        "Usage: {} [OPTION]... [DIRECTIVE]...\n\n"
        "Options:\n"
        "  -4\t\tUse IPv4 addresses only\n"
        "  -6\t\tUse IPv6 addresses only\n"
        "  -f FILE\tRead this configuration file ({})\n"
        "  -n\t\tStay in the foreground\n"
        "  -d\t\tStay in the foreground and log to the terminal (twice: debug messages too)\n"
        "  -l FILE\tLog to a file\n"
        "  -L LEVEL\tLog from this severity on: -1 debug, 0 info, 1 warning, 2 error, 3 fatal\n"
        "  -p\t\tPrint the effective configuration and exit\n"
        "  -q\t\tSet the clock once and exit\n"
        "  -Q\t\tPrint the offset of the clock and exit\n"
        "  -r\t\tReload the sample histories of the last run\n"
        "  -R\t\tThis is a restart: no initial steps\n"
        "  -s\t\tSet the clock to the time of the drift file first, if later (no RTC yet)\n"
        "  -t SECONDS\tExit after this time\n"
        "  -u USER\tRun as this user ({})\n"
        "  -U\t\tDo not insist on being started as root\n"
        "  -F LEVEL\tSystem call filter: 0 off, 1 strict, 2 lenient\n"
        "  -P PRIORITY\tReal-time priority, 1 to 100\n"
        "  -m\t\tLock the process in memory\n"
        "  -x\t\tLeave the system clock alone\n"
        "  -N FD\t\tWrite a line end to this descriptor when ready\n"
        "  -v, --version\tPrint version and features\n"
        "  -h, --help\tPrint this\n",
        program.name, program.config_file, defaults.process.user);
}

std::string features() {
    return "+CMDMON +REFCLOCK -RTC +PRIVDROP +SCFILTER -SIGND -NTS +SECHASH +IPV6 -DEBUG";
}

std::string version() { return GNOMON_VERSION; }

std::string version_text(const ProgramName& program) {
    const char* as =
        program.personality == Personality::Chrony ? "chrony-compatible gnomon" : "gnomon";
    return fmt::format("{} ({}) version {} ({})\n", program.name, as, version(), features());
}

}  // namespace gnomon
