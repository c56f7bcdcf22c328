#include <getopt.h>

#include <cstdlib>

#include "mgmt/cli/program.h"

namespace gnomon::cli {

namespace {

constexpr int kJson = 1000;
constexpr int kHelp = 1001;
constexpr const char* kShortOptions = "+46acdef:h:mnNp:u:vw";
constexpr option kLongOptions[] = {
    {"help", no_argument, nullptr, kHelp},
    {"json", no_argument, nullptr, kJson},
    {"version", no_argument, nullptr, 'v'},
    {nullptr, 0, nullptr, 0},
};

void apply(Options& options, int letter, const char* argument) {
    switch (letter) {
        case '4': options.family = IpAddress::Family::V4; break;
        case '6': options.family = IpAddress::Family::V6; break;
        // Of old versions and debug builds: accepted, without effect.
        case 'a':
        case 'd':
        case 'f': break;
        case 'c': options.settings.format = Format::Csv; break;
        case 'e': options.settings.end_dot = true; break;
        case 'h': options.hosts = argument; break;
        case 'm': options.many_commands = true; break;
        case 'n': options.settings.no_dns = true; break;
        case 'N': options.settings.source_names = true; break;
        case 'p': options.port = static_cast<std::uint16_t>(std::atoi(argument)); break;
        case 'u': options.user = argument; break;
        case 'w': options.settings.wide = true; break;
        case 'v': options.action = Options::Action::PrintVersion; break;
        case kJson: options.settings.format = Format::Json; break;
        case kHelp: options.action = Options::Action::PrintHelp; break;
        default: options.action = Options::Action::PrintHelpAsError; break;
    }
}

}  // namespace

Identity Identity::from_program_path(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
    if (base == "chronyc") return {"chronyc", "/run/chrony/chronyd.sock,127.0.0.1,::1"};
    return {"gnomonc", "/run/gnomon/gnomond.sock,127.0.0.1,::1"};
}

Options parse_options(int argc, char** argv, const Identity& identity) {
    Options options;
    options.hosts = identity.default_hosts;
    optind = 1;
    int letter = 0;
    while (options.action == Options::Action::Run &&
           (letter = getopt_long(argc, argv, kShortOptions, kLongOptions, nullptr)) != -1) {
        apply(options, letter, optarg);
    }
    for (int i = optind; i < argc; ++i) options.commands.emplace_back(argv[i]);
    return options;
}

}  // namespace gnomon::cli
