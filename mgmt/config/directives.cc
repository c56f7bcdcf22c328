#include "mgmt/config/directives.h"

#include "mgmt/config/single_line.h"
#include "mgmt/config/source_options.h"
#include "mgmt/config/source_parser.h"

namespace gnomon {

const std::vector<DirectiveGroup>& directive_groups() {
    static const std::vector<DirectiveGroup> kGroups{
        file_directives(),   source_directives(), selection_directives(), clock_directives(),
        server_directives(), nts_directives(),    command_directives(),   timestamping_directives(),
        rtc_directives(),    log_directives(),    process_directives(),   dataplane_directives(),
    };
    return kGroups;
}

const Directive* find_directive(std::string_view name) {
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& row : group.rows) {
            if (equal_ignoring_case(row.name, name)) return &row;
        }
    }
    return nullptr;
}

std::vector<std::string_view> directive_names() {
    std::vector<std::string_view> names;
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& row : group.rows) names.push_back(row.name);
    }
    return names;
}

std::vector<Word> line_of(const std::string& directive, const std::vector<std::string>& words) {
    std::vector<Word> line{{directive, 1}};
    int column = static_cast<int>(directive.size()) + 2;
    for (const std::string& word : words) {
        line.push_back({word, column});
        column += static_cast<int>(word.size()) + 1;
    }
    return line;
}

DirectiveGroup file_directives() {
    return {"Files of the configuration",
            {
                {.name = "include",
                 .syntax = "PATTERN",
                 .ids = "SYN-07",
                 .parse =
                     [](LineContext& c) {
                         if (c.args.expect(1)) c.read.pattern = &c.args[0];
                     },
                 .print = nullptr},
                {.name = "confdir",
                 .syntax = "DIR...",
                 .ids = "SYN-08",
                 .parse =
                     [](LineContext& c) {
                         if (!c.args.expect(1, 10)) return;
                         while (const Word* dir = c.args.next()) c.read.dirs.push_back(dir->text);
                     },
                 .print = nullptr},
                {.name = "sourcedir",
                 .syntax = "DIR...",
                 .ids = "SYN-09",
                 .parse =
                     [](LineContext& c) {
                         if (!c.args.expect(1, 10)) return;
                         std::vector<std::string> dirs;
                         while (const Word* dir = c.args.next()) dirs.push_back(dir->text);
                         c.config.client.source_dirs.push_back(std::move(dirs));
                     }},
            }};
}

Config default_config(Personality personality) {
    Config config;
    const bool chrony = personality == Personality::Chrony;
    config.process.pid_file = chrony ? "/run/chrony/chronyd.pid" : "/run/gnomon/gnomond.pid";
    config.process.user = chrony ? "_chrony" : "gnomon";
    config.command.socket_path = chrony ? "/run/chrony/chronyd.sock" : "/run/gnomon/gnomond.sock";
    return config;
}

}  // namespace gnomon
