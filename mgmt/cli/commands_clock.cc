#include <ctime>

#include "mgmt/cli/commands.h"
#include "mgmt/cli/date.h"
#include "mgmt/cli/format.h"
#include "mgmt/cli/source_argument.h"

namespace gnomon::cli {

namespace {

using command::Command;

bool fail(Session& session, std::string_view message) {
    session.error(message);
    return false;
}

bool run_makestep(Session& session, const Arguments& arguments) {
    if (arguments.empty()) return session.submit(Command::Makestep);
    const auto threshold = leading_number(arguments.word(0));
    const auto limit = leading_integer(arguments.word(1));
    if (!threshold || !limit) return fail(session, "Bad syntax for makestep command");
    return session.submit(Command::ModifyMakestep, command::MakestepLimits{*limit, *threshold});
}

bool run_maxupdateskew(Session& session, const Arguments& arguments) {
    const auto skew = leading_number(arguments.line());
    if (!skew) return false;
    return session.submit(Command::ModifyMaxupdateskew, command::NumberArgument{*skew});
}

template <Command kCommand>
bool run_number(Session& session, const Arguments& arguments) {
    const auto value = leading_number(arguments.line());
    if (!value) return fail(session, "Invalid value");
    return session.submit(kCommand, command::NumberArgument{*value});
}

bool run_local(Session& session, const Arguments& arguments) {
    if (arguments.line() == "off") {
        command::LocalRequest off;
        off.stratum = 0;
        off.distance_s = 0.0;
        return session.submit(Command::Local, off);
    }
    const auto request = parse_local(arguments);
    if (!request) return fail(session, "Invalid syntax for local command");
    return session.submit(Command::Local, *request);
}

bool run_smoothtime(Session& session, const Arguments& arguments) {
    if (arguments.line() == "reset") {
        return session.submit(Command::Smoothtime, command::IntegerArgument{0});
    }
    if (arguments.line() == "activate") {
        return session.submit(Command::Smoothtime, command::IntegerArgument{1});
    }
    return fail(session, "Invalid syntax for smoothtime command");
}

bool run_manual_list(Session& session) {
    const auto report = session.query<command::ManualReport>(Command::ManualList);
    if (!report.has_value()) return false;
    session.print_text("210 n_samples = " + std::to_string(report->samples.size()) + "\n");
    session.print_header(kManualHeader);
    session.begin_list();
    int index = 0;
    for (const command::ManualSample& sample : report->samples) {
        session.print(manual_record(sample, index++));
    }
    session.end_list();
    return true;
}

bool run_manual(Session& session, const Arguments& arguments) {
    const std::string& line = arguments.line();
    if (line.rfind("list", 0) == 0) return run_manual_list(session);
    if (line.rfind("delete", 0) == 0) {
        const auto index = leading_integer(arguments.word(1));
        if (!index) return fail(session, "Bad syntax for manual delete command");
        return session.submit(Command::ManualDelete, command::IntegerArgument{*index});
    }
    int option = 0;
    for (const std::string_view name : {"off", "on", "reset"}) {
        if (line == name) return session.submit(Command::Manual, command::IntegerArgument{option});
        ++option;
    }
    return fail(session, "Invalid syntax for manual command");
}

bool run_settime(Session& session, const Arguments& arguments) {
    const auto time = parse_date(arguments.line(), std::time(nullptr));
    if (!time.has_value()) {
        session.terminal().out("510 - Could not parse date string\n");
        return false;
    }
    const auto at = UtcTime::from_ns(Duration::from_s(*time).ns());
    const auto report = session.query<command::SettimeReport>(
        Command::Settime, command::TimeArgument{at}, session.settings().format != Format::Json);
    if (!report.has_value()) return false;
    const Record record = settime_record(*report);
    if (session.settings().format == Format::Json) {
        session.print(record);
    } else {
        session.terminal().out(record.text());
    }
    return true;
}

template <Command kCommand>
bool run_plain(Session& session, const Arguments&) {
    return session.submit(kCommand);
}

}  // namespace

std::vector<CommandEntry> clock_commands() {
    return {
        {"dfreq", run_number<Command::Dfreq>, ""},
        {"doffset", run_number<Command::Doffset>, ""},
        {"local", run_local, "off"},
        {"makestep", run_makestep, ""},
        {"manual", run_manual, "on off delete list reset"},
        {"maxupdateskew", run_maxupdateskew, ""},
        {"settime", run_settime, ""},
        {"smoothtime", run_smoothtime, "reset activate"},
        {"trimrtc", run_plain<Command::TrimRtc>, ""},
        {"writertc", run_plain<Command::WriteRtc>, ""},
    };
}

}  // namespace gnomon::cli
