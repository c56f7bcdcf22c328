/// The program `gnomon-mgmtd`: shows what gnomond tells of itself. It never touches the clock, and
/// gives up root before it reads a byte from anybody.

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "mgmt/mgmtd/config.h"
#include "mgmt/mgmtd/daemon.h"
#include "mgmt/mgmtd/log.h"

namespace gnomon::mgmtd {
namespace {

constexpr const char* kDefaultConfig = "/etc/gnomon/mgmtd.conf";

volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int) { stop_requested = 1; }

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool report(const std::string& where, const std::vector<ConfigError>& errors) {
    for (const ConfigError& error : errors) {
        log_line("{} line {}: {}", where, error.line, error.text);
    }
    return errors.empty();
}

/// `lines` take the place of the file.
bool read_config(const std::string& path, bool is_default, const std::string& lines,
                 Config& config) {
    if (!lines.empty()) {
        if (!report("command line", parse_config(lines, config))) return false;
    } else if (const auto text = read_file(path)) {
        if (!report(path, parse_config(*text, config))) return false;
    } else if (!is_default || errno != ENOENT) {
        log_line("cannot read {} : {}", path, strerror(errno));
        return false;
    }
    if (!config.token_file.empty()) {
        const auto text = read_file(config.token_file);
        if (!text) {
            log_line("cannot read {} : {}", config.token_file, strerror(errno));
            return false;
        }
        if (!report(config.token_file, parse_tokens(*text, config.tokens))) return false;
        if (config.tokens.empty()) {
            log_line("{} has no token", config.token_file);
            return false;
        }
    }
    if (config.listen.empty()) {
        config.listen.push_back({IpAddress::loopback(IpAddress::Family::V4), Config::kDefaultPort});
    }
    return true;
}

/// The directory of the history, which is the daemon's own.
void make_directory(const std::string& file, uid_t owner, gid_t group) {
    const std::size_t slash = file.rfind('/');
    if (slash == std::string::npos || slash == 0) return;
    const std::string directory = file.substr(0, slash);
    if (mkdir(directory.c_str(), 0750) == 0 && chown(directory.c_str(), owner, group) != 0) {
        log_line("cannot give {} away : {}", directory, strerror(errno));
    }
}

bool become_user(const Config& config) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0) {
        make_directory(config.history_path, geteuid(), getegid());
        return true;
    }
    const passwd* user = getpwnam(config.user.c_str());
    if (user == nullptr) {
        log_line("there is no user {} (directive user)", config.user);
        return false;
    }
    make_directory(config.history_path, user->pw_uid, user->pw_gid);
    if (user->pw_uid == 0) {
        log_line("Running with root privileges");
        return true;
    }
    if (initgroups(config.user.c_str(), user->pw_gid) != 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0) {
        log_line("cannot become {} : {}", config.user, strerror(errno));
        return false;
    }
    return true;
}

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
        sigaction(number, &action, nullptr);
    }
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, nullptr);
}

int usage(int status) {
    fmt::print(status == 0 ? stdout : stderr,
               "Usage: gnomon-mgmtd [-f FILE] [-p] [DIRECTIVE...]\n"
               "Shows how gnomond does: metrics, JSON, events, history.\n"
               "  -f FILE   configuration ({})\n"
               "  -p        check the configuration and end\n"
               "  -v, -h    version, this\n"
               "Directives, which take the place of the file:\n{}",
               kDefaultConfig, config_help());
    return status;
}

int run_program(int argc, char* argv[]) {
    std::string path = kDefaultConfig;
    bool is_default = true;
    bool only_check = false;
    for (int option = 0; (option = getopt(argc, argv, "f:pvh")) != -1;) {
        switch (option) {
            case 'f':
                path = optarg;
                is_default = false;
                break;
            case 'p': only_check = true; break;
            case 'v': fmt::print("gnomon-mgmtd {}\n", GNOMON_VERSION); return 0;
            case 'h': return usage(0);
            default: return usage(1);
        }
    }
    std::string lines;
    for (int i = optind; i < argc; ++i) lines += std::string(argv[i]) + "\n";
    Config config;
    if (!read_config(path, is_default, lines, config)) return 1;
    if (only_check) return 0;

    catch_signals();
    umask(0027);
    Daemon daemon(config);
    if (auto opened = daemon.open_privileged(); !opened) {
        log_line("{}", opened.error().message());
        return 1;
    }
    if (!become_user(config)) return 1;
    if (auto started = daemon.start(); !started) {
        log_line("{}", started.error().message());
        return 1;
    }
    for (const SocketAddress& address : config.listen) {
        log_line("Serving http://{}/", address.to_string());
    }
    daemon.run(stop_requested);
    return 0;
}

}  // namespace
}  // namespace gnomon::mgmtd

int main(int argc, char* argv[]) {
    try {
        return gnomon::mgmtd::run_program(argc, argv);
    } catch (const std::exception& error) {
        gnomon::mgmtd::log_line("{}", error.what());
        return 1;
    }
}
