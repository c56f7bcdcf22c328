#include <cstring>
#include <string>

#include "mgmt/cli/commands.h"
#include "mgmt/cli/format.h"

namespace gnomon::cli {

namespace {

using command::Command;

bool syntax_error(Session& session) {
    session.error("Invalid syntax for capture command");
    return false;
}

bool refused(Session& session, const char* what, std::uint32_t error) {
    session.error(std::string("Could not ") + what + " : " +
                  std::strerror(static_cast<int>(error)));
    return false;
}

/// "seconds N", "size MB", "packets N", "port NAME" in any order. False: something else.
bool read_options(const Arguments& arguments, command::CaptureRequest& request) {
    for (std::size_t i = 2; i < arguments.size(); i += 2) {
        const std::string_view option = arguments.word(i);
        const std::string_view value = arguments.word(i + 1);
        if (option == "port") {
            if (value.empty() || value.size() >= command::kPortNameSize) return false;
            request.port = value;
            continue;
        }
        const auto number = leading_unsigned(value);
        if (!number || *number == 0) return false;
        if (option == "seconds") {
            request.limit_s = *number;
        } else if (option == "size") {
            request.limit_mb = *number;
        } else if (option == "packets") {
            request.limit_packets = *number;
        } else {
            return false;
        }
    }
    return true;
}

bool run_start(Session& session, const Arguments& arguments) {
    command::CaptureRequest request;
    request.file = arguments.word(1);
    if (request.file.empty() || request.file.size() >= command::kNameSize ||
        !read_options(arguments, request)) {
        return syntax_error(session);
    }
    const auto report = session.query<command::CaptureReport>(Command::CaptureStart, request);
    if (!report.has_value()) return false;
    if (report->refused != 0) return refused(session, "start the capture", report->refused);
    session.print_text("200 OK\n");
    return true;
}

bool run_stop(Session& session) {
    const auto report = session.query<command::CaptureReport>(Command::CaptureStop);
    if (!report.has_value()) return false;
    if (report->refused != 0) {
        session.error("No capture is running");
        return false;
    }
    session.print(capture_record(*report));
    return true;
}

bool run_capture(Session& session, const Arguments& arguments) {
    const std::string_view action = arguments.word(0);
    if (action == "start") return run_start(session, arguments);
    if (arguments.size() > 1) return syntax_error(session);
    if (action == "stop") return run_stop(session);
    if (action != "status" && !action.empty()) return syntax_error(session);
    const auto report = session.query<command::CaptureReport>(Command::CaptureStatus);
    if (!report.has_value()) return false;
    session.print(capture_record(*report));
    return true;
}

}  // namespace

std::vector<CommandEntry> capture_commands() {
    return {{"capture", run_capture, "start stop status"}};
}

}  // namespace gnomon::cli
