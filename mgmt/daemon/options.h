#pragma once

/// The command line of the daemon (CLI). Option letters, arguments and exit statuses are chronyd's.

#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/config/config.h"
#include "mgmt/runtime/log.h"

namespace gnomon {

/// What follows from the name that the program was started by.
struct ProgramName {
    /// "gnomond" or "chronyd": how it calls itself in messages.
    std::string name;
    Personality personality = Personality::Gnomon;
    std::string config_file;

    static ProgramName from_argv0(const char* argv0);
};

struct Options {
    enum class Action { Run, PrintVersion, PrintHelp, PrintConfig, Refuse };
    Action action = Action::Run;
    /// With Refuse: why.
    std::string error;

    IpAddress::Family family = IpAddress::Family::Unspecified;  ///< -4, -6
    std::string config_file;                                    ///< -f
    std::vector<std::string> config_lines;                      ///< what follows the options
    bool foreground = false;                                    ///< -n, -d, -q, -Q, -p
    bool log_to_terminal = false;                               ///< -d, -q, -Q, -p
    std::string log_file;                                       ///< -l
    LogSeverity log_threshold = LogSeverity::Info;              ///< -L; -d -d
    bool set_once = false;                                      ///< -q
    bool print_once = false;                                    ///< -Q
    bool reload_samples = false;                                ///< -r
    bool restarted = false;                                     ///< -R
    bool set_from_rtc = false;                                  ///< -s
    int timeout_s = -1;                                         ///< -t; < 0: none
    std::string user;                                           ///< -u
    bool check_root = true;                                     ///< cleared by -U, -p, -Q
    int filter_level = 0;                                       ///< -F
    int priority = 0;                                           ///< -P
    bool lock_memory = false;                                   ///< -m
    bool control_clock = true;                                  ///< cleared by -x, -Q
    int notify_fd = -1;                                         ///< -N
};

/// Never ends the program. May be called more than once.
Options parse_options(int argc, char* const argv[], const ProgramName& program);

std::string help_text(const ProgramName& program);
/// One line: the words in the last parentheses are the features.
std::string version_text(const ProgramName& program);
/// "+CMDMON -REFCLOCK …"
std::string features();
std::string version();

}  // namespace gnomon
