#include "mgmt/cli/commands.h"

#include <algorithm>

namespace gnomon::cli {

namespace {

std::vector<CommandEntry> all_commands() {
    std::vector<CommandEntry> all;
    for (const auto& group :
         {report_commands(), source_commands(), clock_commands(), access_commands(),
          analytics_commands(), capture_commands(), client_commands(), dataplane_commands()}) {
        all.insert(all.end(), group.begin(), group.end());
    }
    std::sort(all.begin(), all.end(),
              [](const CommandEntry& a, const CommandEntry& b) { return a.name < b.name; });
    return all;
}

}  // namespace

const std::vector<CommandEntry>& command_table() {
    static const std::vector<CommandEntry> table = all_commands();
    return table;
}

const CommandEntry* find_entry(std::string_view name) {
    const auto& table = command_table();
    const auto found = std::lower_bound(
        table.begin(), table.end(), name,
        [](const CommandEntry& entry, std::string_view wanted) { return entry.name < wanted; });
    return found != table.end() && found->name == name ? &*found : nullptr;
}

bool process_line(Session& session, std::string_view line) {
    const std::string clean = normalise_line(line);
    if (clean.empty()) {
        session.terminal().flush();
        return true;
    }
    const std::size_t blank = clean.find(' ');
    const std::string name = clean.substr(0, blank);
    const Arguments arguments(blank == std::string::npos
                                  ? std::string_view()
                                  : std::string_view(clean).substr(blank + 1));
    bool success = false;
    if (const CommandEntry* entry = find_entry(name)) {
        success = entry->run(session, arguments);
    } else {
        session.error("Unrecognized command");
    }
    session.drop_list();
    if (session.settings().end_dot) session.terminal().out(".\n");
    if (!session.terminal().flush()) {
        session.error("Could not write to stdout");
        return false;
    }
    return success;
}

}  // namespace gnomon::cli
