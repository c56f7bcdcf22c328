#include <fmt/format.h>

#include "mgmt/config/directives.h"
#include "mgmt/config/parser.h"
#include "mgmt/config/refclock_options.h"
#include "mgmt/config/source_options.h"

namespace gnomon {
namespace {

/// A bar would end the cell.
std::string cell(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string code(std::string_view name, std::string_view arguments) {
    if (arguments.empty()) return fmt::format("`{}`", cell(name));
    return fmt::format("`{} {}`", cell(name), cell(arguments));
}

std::string_view status(const Directive& row) {
    switch (row.support) {
        case Support::Supported: return "supported";
        case Support::Ignored: return "ignored, with a warning";
        case Support::NotYet:
            return row.severity == Severity::Error ? "not yet: an error" : "not yet: a warning";
    }
    return "";
}

void append_options(std::string& out, std::string_view title,
                    const std::vector<OptionInfo>& options) {
    out += fmt::format("\n## {}\n\n| option | status | IDs |\n| --- | --- | --- |\n", title);
    for (const OptionInfo& option : options) {
        out +=
            fmt::format("| {} | {} | {} |\n", code(option.name, option.value),
                        option.support == Support::Supported ? "supported" : "not yet", option.id);
    }
}

}  // namespace

std::string render_compat_table() {
    std::string out =
        "# Compatibility with chrony.conf\n\n"
        "Every directive of chrony at its git head, and gnomon's own. This file is written from "
        "the\n"
        "parser's table: after changing the table, run its unit test with "
        "`GNOMON_REGENERATE=1`.\n\n"
        "*supported* means that the line has its effect in the daemon. *not yet: an error* stops "
        "the\n"
        "start, because going on without the line would change the time or who is trusted. *not "
        "yet: "
        "a\n"
        "warning* is accepted without effect. The IDs are those that tests and commits name.\n";
    for (const DirectiveGroup& group : directive_groups()) {
        out += fmt::format(
            "\n## {}\n\n| directive | status | IDs | note |\n| --- | --- | --- | --- |\n",
            group.title);
        for (const Directive& row : group.rows) {
            out += fmt::format("| {} | {} | {} | {} |\n", code(row.name, row.syntax), status(row),
                               row.ids, cell(row.note));
        }
    }
    append_options(out, "Options of server, pool and peer", describe(source_option_table()));
    append_options(out, "Options of hwtimestamp", describe(hwtimestamp_option_table()));
    append_options(out, "Options of refclock", describe(refclock_option_table()));
    out +=
        "\n## Options of refclock drivers\n\n| driver | option | status | IDs |\n"
        "| --- | --- | --- | --- |\n";
    for (const DriverOptionInfo& info : refclock_driver_options()) {
        out += fmt::format("| `{}` | `:{}{}{}` | supported | {} |\n", info.driver, info.option.name,
                           info.option.value.empty() ? "" : "=", info.option.value, info.option.id);
    }
    append_options(out, "Options of dataplane dpdk DEVICE", describe(dataplane_option_table()));
    append_options(out, "Options of local", describe(local_option_table()));
    append_options(out, "Options of ratelimit (cmdratelimit: all but kod)",
                   describe(ratelimit_option_table(true)));
    append_options(out, "Logs", log_types());
    out += "\n## Commands that opencommands takes\n\n";
    for (const std::string_view name : open_command_names()) out += fmt::format("- `{}`\n", name);
    return out;
}

}  // namespace gnomon
