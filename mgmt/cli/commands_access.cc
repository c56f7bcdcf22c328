#include "mgmt/cli/commands.h"
#include "mgmt/cli/source_argument.h"

namespace gnomon::cli {

namespace {

using command::Command;

template <Command kSome, Command kAll>
bool run_rule(Session& session, const Arguments& arguments) {
    const auto access = parse_access(session.resolver(), arguments);
    if (!access.has_value()) {
        session.error("Could not read address");
        return false;
    }
    return session.submit(access->all ? kAll : kSome, access->rule);
}

template <Command kCommand>
bool run_check(Session& session, const Arguments& arguments) {
    const auto found = session.resolver().addresses(arguments.line());
    if (found.empty()) {
        session.error("Could not read address");
        return false;
    }
    return session.submit(kCommand, command::AddressArgument{found.front()});
}

template <Command kCommand>
bool run_plain(Session& session, const Arguments&) {
    return session.submit(kCommand);
}

}  // namespace

std::vector<CommandEntry> access_commands() {
    return {
        {"accheck", run_check<Command::Accheck>, ""},
        {"allow", run_rule<Command::Allow, Command::AllowAll>, "all"},
        {"cmdaccheck", run_check<Command::CmdAccheck>, ""},
        {"cmdallow", run_rule<Command::CmdAllow, Command::CmdAllowAll>, "all"},
        {"cmddeny", run_rule<Command::CmdDeny, Command::CmdDenyAll>, "all"},
        {"cyclelogs", run_plain<Command::CycleLogs>, ""},
        {"deny", run_rule<Command::Deny, Command::DenyAll>, "all"},
        {"dump", run_plain<Command::Dump>, ""},
        {"rekey", run_plain<Command::Rekey>, ""},
        {"shutdown", run_plain<Command::Shutdown>, ""},
    };
}

}  // namespace gnomon::cli
