#pragma once

/// The commands of the CLI. Each takes the words after its name, talks to the daemon and to the user,
/// and returns whether it succeeded (the program's exit status is that of the last one).

#include <string_view>
#include <vector>

#include "mgmt/cli/session.h"
#include "mgmt/cli/words.h"

namespace gnomon::cli {

using CommandFunction = bool (*)(Session&, const Arguments&);

struct CommandEntry {
    std::string_view name;
    CommandFunction run;
    /// What may follow, for completion: blank-separated words, usually none.
    std::string_view completions;
};

/// All commands, sorted by name.
const std::vector<CommandEntry>& command_table();
const CommandEntry* find_entry(std::string_view name);

/// The groups of the table.
std::vector<CommandEntry> report_commands();
std::vector<CommandEntry> source_commands();
std::vector<CommandEntry> clock_commands();
std::vector<CommandEntry> access_commands();
std::vector<CommandEntry> analytics_commands();
std::vector<CommandEntry> capture_commands();
std::vector<CommandEntry> client_commands();
std::vector<CommandEntry> dataplane_commands();

/// One line: finds and runs the command, writes the end dot, flushes. True for an empty line.
bool process_line(Session& session, std::string_view line);

std::string help_text();

}  // namespace gnomon::cli
