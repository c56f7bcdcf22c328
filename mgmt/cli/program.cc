#include "mgmt/cli/program.h"

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "mgmt/cli/commands.h"
#include "mgmt/cli/line_reader.h"

namespace gnomon::cli {

namespace {

/// A signal handler can reach nothing else.
volatile std::sig_atomic_t stop_signal = 0;

void on_stop_signal(int) { stop_signal = 1; }

void handle_stop_signals() {
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    // No SA_RESTART: a signal must end a wait.
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) sigaction(number, &action, nullptr);
}

class StandardTerminal : public Terminal {
public:
    void out(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stdout); }
    void error(std::string_view line) override { fmt::print(stderr, "{}\n", line); }
    bool flush() override { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }
    bool sleep(double seconds) override {
        return poll(nullptr, 0, static_cast<int>(std::min(seconds, 2e6) * 1e3)) == 0;
    }
    bool stop_requested() override { return stop_signal != 0; }
};

std::vector<ServerAddress> server_addresses(const Options& options, Resolver& resolver) {
    std::vector<ServerAddress> servers;
    std::size_t at = 0;
    while (at < options.hosts.size()) {
        const std::size_t end = std::min(options.hosts.find(',', at), options.hosts.size());
        const std::string host = options.hosts.substr(at, end - at);
        at = end + 1;
        if (host.empty()) continue;
        if (host[0] == '/') {
            servers.emplace_back(UnixPath{host});
            continue;
        }
        for (const IpAddress& ip : resolver.addresses(host)) {
            servers.emplace_back(SocketAddress{ip, options.port});
        }
    }
    return servers;
}

bool drop_root(const std::string& user) {
    if (user == "root" || geteuid() != 0) return true;
    const passwd* entry = getpwnam(user.c_str());
    if (entry == nullptr) {
        fmt::print(stderr, "Could not get user/group ID of {}\n", user);
        return false;
    }
    if (setgroups(0, nullptr) != 0 || setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0) {
        fmt::print(stderr, "Could not drop root privileges\n");
        return false;
    }
    return true;
}

void print_usage(const char* program, const Identity& identity) {
    fmt::print(
        "Usage: {} [OPTION]... [COMMAND]...\n\n"
        "Options:\n"
        "  -4            IPv4 addresses only\n"
        "  -6            IPv6 addresses only\n"
        "  -n            Addresses instead of host names\n"
        "  -N            Names of sources as configured\n"
        "  -c            Comma-separated values\n"
        "      --json    JSON\n"
        "  -e            A line with a dot after each response\n"
        "  -m            Each argument is a command\n"
        "  -h HOST,...   Hosts or socket paths to try ({})\n"
        "  -p PORT       UDP port ({})\n"
        "  -u USER       User to change to from root (root)\n"
        "  -w            Wide tables\n"
        "  -v, --version Print the version\n"
        "      --help    Print this\n",
        program, identity.default_hosts, command::kDefaultPort);
}

void print_version(const Identity& identity) {
    fmt::print("{} (gnomon) version {} (+READLINE +SECHASH +IPV6 +JSON -DEBUG)\n", identity.name,
               GNOMON_VERSION);
}

bool run_arguments(Session& session, const Options& options) {
    constexpr std::size_t kLongestLine = 2048;
    std::string line;
    bool success = false;
    for (std::size_t i = 0; i < options.commands.size(); ++i) {
        line += options.commands[i] + " ";
        if (line.size() >= kLongestLine) {
            session.error("Command too long");
            return false;
        }
        if (!options.many_commands && i + 1 < options.commands.size()) continue;
        success = process_line(session, line);
        if (!success || session.quit_requested()) break;
        line.clear();
    }
    return success;
}

bool run_input(Session& session, const Identity& identity) {
    const bool interactive = isatty(0) != 0 && isatty(1) != 0 && isatty(2) != 0;
    LineReader reader(interactive, identity.name + "> ");
    bool success = true;
    while (!session.quit_requested()) {
        const auto line = reader.next();
        if (!line.has_value() || session.terminal().stop_requested()) {
            if (interactive) session.terminal().out("\n");
            break;
        }
        success = process_line(session, *line);
    }
    return success;
}

}  // namespace

int run(int argc, char** argv) {
    const Identity identity = Identity::from_program_path(argc > 0 ? argv[0] : "");
    Options options = parse_options(argc, argv, identity);
    switch (options.action) {
        case Options::Action::PrintVersion: print_version(identity); return 0;
        case Options::Action::PrintHelp: print_usage(argv[0], identity); return 0;
        case Options::Action::PrintHelpAsError: print_usage(argv[0], identity); return 1;
        case Options::Action::Run: break;
    }
    if (!drop_root(options.user)) return 1;
    handle_stop_signals();

    SystemResolver resolver;
    resolver.set_family(options.family);
    StandardTerminal terminal;
    DatagramClient client(server_addresses(options, resolver), stop_signal);
    if (!client.open()) {
        terminal.error("Could not open connection to daemon");
        return 1;
    }
    Session session(options.settings, client, resolver, terminal);
    const bool success =
        options.commands.empty() ? run_input(session, identity) : run_arguments(session, options);
    return success ? 0 : 1;
}

}  // namespace gnomon::cli
