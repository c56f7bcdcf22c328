#include "mgmt/cli/commands.h"
#include "mgmt/cli/source_argument.h"

namespace gnomon::cli {

namespace {

using command::Command;

bool fail(Session& session, std::string_view message) {
    session.error(message);
    return false;
}

template <Command kCommand>
bool run_range(Session& session, const Arguments& arguments) {
    const auto range = parse_range(session.resolver(), arguments.line());
    if (!range) return fail(session, range.error());
    return session.submit(kCommand, *range);
}

bool run_burst(Session& session, const Arguments& arguments) {
    command::BurstRequest burst;
    const std::string_view counts = arguments.word(0);
    const std::size_t slash = counts.find('/');
    const auto good = leading_integer(counts.substr(0, slash));
    const auto total =
        slash == std::string_view::npos ? std::nullopt : leading_integer(counts.substr(slash + 1));
    if (!good || !total) return fail(session, "Invalid syntax for burst command");
    burst.good_samples = *good;
    burst.total_samples = *total;
    const auto range = parse_range(session.resolver(), arguments.word(1));
    if (!range) return fail(session, range.error());
    burst.range = *range;
    return session.submit(Command::Burst, burst);
}

template <Command kCommand>
bool run_source_integer(Session& session, const Arguments& arguments) {
    const auto value = leading_integer(arguments.word(1));
    if (!value) return fail(session, "Invalid syntax for address value");
    const auto address = parse_source(session.resolver(), arguments.word(0));
    if (!address) return fail(session, "Could not get address for hostname");
    return session.submit(kCommand, command::SourceInteger{*address, *value});
}

template <Command kCommand>
bool run_source_number(Session& session, const Arguments& arguments) {
    const auto value = leading_number(arguments.word(1));
    if (!value) return fail(session, "Invalid syntax for address value");
    const auto address = parse_source(session.resolver(), arguments.word(0));
    if (!address) return fail(session, "Could not get address for hostname");
    return session.submit(kCommand, command::SourceNumber{*address, *value});
}

bool run_add(Session& session, const Arguments& arguments) {
    const auto request = parse_add_source(arguments);
    if (!request) return fail(session, request.error());
    const command::AddSourceRequest& source = *request;
    // The CLI runs on the daemon's host: what does not resolve here will not resolve there.
    if (source.name.size() >= command::kNameSize ||
        session.resolver().addresses(source.name).empty()) {
        return fail(session, "Invalid host/IP address");
    }
    return session.submit(Command::AddSource, source);
}

bool run_delete(Session& session, const Arguments& arguments) {
    if (arguments.empty()) return fail(session, "Invalid syntax for address");
    const auto address = parse_source(session.resolver(), arguments.word(0));
    if (!address) return fail(session, "Could not get address for hostname");
    return session.submit(Command::DeleteSource, command::AddressArgument{*address});
}

bool run_selectopts(Session& session, const Arguments& arguments) {
    constexpr const char* kSyntax = "Invalid syntax for selectopts command";
    const auto source = parse_source_or_ref_id(arguments.word(0));
    if (!source) return fail(session, kSyntax);
    command::SelectOptionsRequest request;
    request.address = source->address;
    request.ref_id = source->ref_id;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view word = arguments.word(i);
        const bool plus = word.front() == '+';
        if ((!plus && word.front() != '-') || !set_select_option(request.mask, word.substr(1))) {
            return fail(session, kSyntax);
        }
        if (plus) set_select_option(request.options, word.substr(1));
    }
    return session.submit(Command::ModifySelectopts, request);
}

bool run_offset(Session& session, const Arguments& arguments) {
    const auto source = parse_source_or_ref_id(arguments.word(0));
    const auto offset = leading_number(arguments.word(1));
    if (!source || !offset) return fail(session, "Invalid syntax for offset command");
    return session.submit(Command::ModifyOffset,
                          command::SourceOffsetRequest{source->address, source->ref_id, *offset});
}

bool run_reselectdist(Session& session, const Arguments& arguments) {
    const auto distance = leading_number(arguments.line());
    if (!distance) return false;
    return session.submit(Command::ReselectDistance, command::NumberArgument{*distance});
}

bool run_reload(Session& session, const Arguments& arguments) {
    if (arguments.line() != "sources") return fail(session, "Invalid syntax for reload command");
    return session.submit(Command::ReloadSources);
}

bool run_reset(Session& session, const Arguments& arguments) {
    if (arguments.line() != "sources") return fail(session, "Invalid syntax for reset command");
    return session.submit(Command::ResetSources);
}

template <Command kCommand>
bool run_plain(Session& session, const Arguments&) {
    return session.submit(kCommand);
}

}  // namespace

std::vector<CommandEntry> source_commands() {
    return {
        {"add", run_add, "peer pool server"},
        {"burst", run_burst, ""},
        {"delete", run_delete, ""},
        {"maxdelay", run_source_number<Command::ModifyMaxdelay>, ""},
        {"maxdelaydevratio", run_source_number<Command::ModifyMaxdelaydevratio>, ""},
        {"maxdelayratio", run_source_number<Command::ModifyMaxdelayratio>, ""},
        {"maxpoll", run_source_integer<Command::ModifyMaxpoll>, ""},
        {"minpoll", run_source_integer<Command::ModifyMinpoll>, ""},
        {"minstratum", run_source_integer<Command::ModifyMinstratum>, ""},
        {"offline", run_range<Command::Offline>, ""},
        {"offset", run_offset, ""},
        {"online", run_range<Command::Online>, ""},
        {"onoffline", run_plain<Command::Onoffline>, ""},
        {"polltarget", run_source_integer<Command::ModifyPolltarget>, ""},
        {"refresh", run_plain<Command::Refresh>, ""},
        {"reload", run_reload, "sources"},
        {"reselect", run_plain<Command::Reselect>, ""},
        {"reselectdist", run_reselectdist, ""},
        {"reset", run_reset, "sources"},
        {"selectopts", run_selectopts, ""},
    };
}

}  // namespace gnomon::cli
