#pragma once

/// The program gnomonc: options, the connection, and where the commands come from.

#include <optional>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/cli/session.h"

namespace gnomon::cli {

/// What differs by the name the program is started by: "chronyc" in the last part of argv[0] stands
/// in for chronyc, anything else is gnomonc.
struct Identity {
    std::string name;
    std::string default_hosts;

    static Identity from_program_path(const std::string& path);
};

struct Options {
    enum class Action { Run, PrintVersion, PrintHelp, PrintHelpAsError };

    Action action = Action::Run;
    Settings settings;
    IpAddress::Family family = IpAddress::Family::Unspecified;
    std::string hosts;
    std::uint16_t port = command::kDefaultPort;
    std::string user = "root";  ///< root: stay what we are
    bool many_commands = false;
    std::vector<std::string> commands;
};

/// Reads argv; complaints of getopt go to standard error.
Options parse_options(int argc, char** argv, const Identity& identity);

/// Whole program; the exit status.
int run(int argc, char** argv);

}  // namespace gnomon::cli
