#include <algorithm>
#include <cmath>

#include "mgmt/cli/commands.h"
#include "mgmt/cli/format.h"
#include "mgmt/cli/source_argument.h"

namespace gnomon::cli {

namespace {

using command::Command;
using Family = IpAddress::Family;

/// Host names are cut here, one column short of the table's.
constexpr int kNameColumns = 25;

struct TableOptions {
    bool all = false;  ///< also sources without an address
    bool verbose = false;
};

TableOptions table_options(const Arguments& arguments) {
    TableOptions options;
    for (const std::string& word : arguments.words()) {
        if (word == "-a") options.all = true;
        if (word == "-v") options.verbose = true;
    }
    return options;
}

std::string table_name(Session& session, const IpAddress& address, bool is_reference, RefId ref_id,
                       bool is_source = true) {
    Session::Name name;
    name.address = address;
    name.is_reference = is_reference;
    name.ref_id = ref_id;
    name.is_source = is_source;
    name.truncate_to = static_cast<std::size_t>(kNameColumns + session.settings().extra_columns());
    return session.display_name(name);
}

/// The frame of every table of sources: the count, legend and header, then `row` for each index.
/// A row returns false when the daemon failed to answer.
template <typename Row>
bool print_source_table(Session& session, const TableOptions& options, const TableHead& head,
                        Row row) {
    const auto count = session.query<command::SourceCountReport>(Command::SourceCount);
    if (!count.has_value()) return false;
    const Settings& settings = session.settings();
    if (options.verbose) session.print_text(head.legend(settings.extra_columns()));
    session.print_header(settings.wide ? head.wide_header : head.header);
    session.begin_list();
    for (std::uint32_t i = 0; i < count->count; ++i) {
        if (!row(command::IntegerArgument{static_cast<std::int32_t>(i)})) return false;
    }
    session.end_list();
    return true;
}

bool run_sources(Session& session, const Arguments& arguments) {
    const TableOptions options = table_options(arguments);
    return print_source_table(session, options, kSourcesHead, [&](command::IntegerArgument index) {
        const auto report = session.query<command::SourceReport>(Command::SourceData, index);
        if (!report.has_value()) return false;
        if (!options.all && report->address.family() == Family::Id) return true;
        const bool reference = report->mode == command::SourceMode::ReferenceClock &&
                               report->address.family() == Family::V4;
        const RefId ref_id{reference ? report->address.to_u32() : 0};
        const std::string name = table_name(session, report->address, reference, ref_id);
        session.print(source_record(*report, name, session.settings().extra_columns()));
        return true;
    });
}

bool run_sourcestats(Session& session, const Arguments& arguments) {
    const TableOptions options = table_options(arguments);
    return print_source_table(
        session, options, kSourceStatsHead, [&](command::IntegerArgument index) {
            const auto report =
                session.query<command::SourceStatsReport>(Command::SourceStats, index);
            if (!report.has_value()) return false;
            if (!options.all && report->address.family() == Family::Id) return true;
            const std::string name =
                table_name(session, report->address,
                           report->address.family() == Family::Unspecified, report->ref_id);
            session.print(source_stats_record(*report, name, session.settings().extra_columns()));
            return true;
        });
}

bool run_selectdata(Session& session, const Arguments& arguments) {
    const TableOptions options = table_options(arguments);
    return print_source_table(session, options, kSelectHead, [&](command::IntegerArgument index) {
        const auto report = session.query<command::SelectReport>(Command::SelectData, index);
        if (!report.has_value()) return false;
        if (!options.all && report->address.family() == Family::Id) return true;
        const std::string name =
            table_name(session, report->address, report->address.family() == Family::Unspecified,
                       report->ref_id);
        session.print(select_record(*report, name, session.settings().extra_columns()));
        return true;
    });
}

bool run_servos(Session& session, const Arguments& arguments) {
    const TableOptions options = table_options(arguments);
    return print_source_table(session, options, kServosHead, [&](command::IntegerArgument index) {
        const auto report = session.query<command::ServosReport>(Command::ServoData, index);
        if (!report.has_value()) return false;
        if (!options.all && report->address.family() == Family::Id) return true;
        const std::string name =
            table_name(session, report->address, report->address.family() == Family::Unspecified,
                       report->ref_id);
        bool steers = true;
        for (const command::ServoReport& servo : report->servos) {
            session.print(servo_record(servo, steers, name, session.settings().extra_columns()));
            steers = false;
        }
        return true;
    });
}

bool is_ntp(command::SourceMode mode) {
    return mode == command::SourceMode::Client || mode == command::SourceMode::Peer;
}

bool run_authdata(Session& session, const Arguments& arguments) {
    const TableOptions options = table_options(arguments);
    return print_source_table(session, options, kAuthHead, [&](command::IntegerArgument index) {
        const auto source = session.query<command::SourceReport>(Command::SourceData, index);
        if (!source.has_value()) return false;
        if (!is_ntp(source->mode)) return true;
        if (!options.all && source->address.family() == Family::Id) return true;
        const auto report = session.query<command::AuthReport>(
            Command::AuthData, command::AddressArgument{source->address});
        if (!report.has_value()) return false;
        const std::string name = table_name(session, source->address, false, RefId{});
        session.print(auth_record(*report, name, session.settings().extra_columns()));
        return true;
    });
}

bool print_ntp_data(Session& session, const IpAddress& address, bool separated) {
    const auto report =
        session.query<command::NtpReport>(Command::NtpData, command::AddressArgument{address});
    if (!report.has_value()) return false;
    if (separated) session.print_text("\n");
    session.print(ntp_record(*report));
    return true;
}

bool run_ntpdata(Session& session, const Arguments& arguments) {
    if (!arguments.empty()) {
        const auto address = parse_source(session.resolver(), arguments.line());
        if (!address.has_value()) {
            session.error("Could not get address for hostname");
            return false;
        }
        return print_ntp_data(session, *address, false);
    }
    const auto count = session.query<command::SourceCountReport>(Command::SourceCount);
    if (!count.has_value()) return false;
    session.begin_list();
    for (std::uint32_t i = 0; i < count->count; ++i) {
        const auto source = session.query<command::SourceReport>(
            Command::SourceData, command::IntegerArgument{static_cast<std::int32_t>(i)});
        if (!source.has_value()) return false;
        if (!is_ntp(source->mode) || !source->address.is_ip()) continue;
        if (!print_ntp_data(session, source->address, true)) return false;
    }
    session.end_list();
    return true;
}

bool run_sourcename(Session& session, const Arguments& arguments) {
    const auto address = parse_source(session.resolver(), arguments.line());
    if (!address.has_value()) {
        session.error("Could not read address");
        return false;
    }
    const auto name = session.source_name(*address);
    if (!name.has_value()) return false;
    Record record;
    record.string("name", *name).literal("\n");
    session.print(record);
    return true;
}

bool run_tracking(Session& session, const Arguments&) {
    const auto report = session.query<command::TrackingReport>(Command::Tracking);
    if (!report.has_value()) return false;
    Session::Name name;
    name.address = report->address;
    name.ref_id = report->ref_id;
    name.is_reference = report->address.family() == Family::Unspecified;
    session.print(tracking_record(*report, session.display_name(name)));
    return true;
}

struct WaitLimits {
    int tries = 0;  ///< 0: for ever
    double correction_s = 0.0;
    double skew_ppm = 0.0;
    double interval_s = 10.0;

    bool accepts(const command::TrackingReport& report) const {
        const bool synchronised = report.address.family() != Family::Unspecified ||
                                  (report.ref_id.value != 0 && !(report.ref_id == RefId::local()));
        return synchronised &&
               (correction_s == 0.0 || std::abs(report.system_offset_s) <= correction_s) &&
               (skew_ppm == 0.0 || report.skew_ppm <= skew_ppm);
    }
};

WaitLimits wait_limits(const Arguments& arguments) {
    constexpr double kShortestInterval_s = 0.1;
    WaitLimits limits;
    // As far as the arguments are numbers; the rest keeps its default.
    const auto tries = leading_integer(arguments.word(0));
    const auto correction = leading_number(arguments.word(1));
    const auto skew = leading_number(arguments.word(2));
    const auto interval = leading_number(arguments.word(3));
    if (tries) limits.tries = *tries;
    if (tries && correction) limits.correction_s = *correction;
    if (tries && correction && skew) limits.skew_ppm = *skew;
    if (tries && correction && skew && interval) limits.interval_s = *interval;
    limits.interval_s = std::max(limits.interval_s, kShortestInterval_s);
    return limits;
}

bool run_waitsync(Session& session, const Arguments& arguments) {
    const WaitLimits limits = wait_limits(arguments);
    for (int attempt = 1;; ++attempt) {
        const auto report = session.query<command::TrackingReport>(Command::Tracking);
        if (report.has_value()) {
            session.print(waitsync_record(*report, attempt));
            if (limits.accepts(*report)) return true;
        }
        if ((limits.tries != 0 && attempt >= limits.tries) || session.quit_requested())
            return false;
        session.terminal().flush();
        if (!session.terminal().sleep(limits.interval_s)) return false;
    }
}

bool run_activity(Session& session, const Arguments&) {
    const auto report = session.query<command::ActivityReport>(Command::Activity);
    if (!report.has_value()) return false;
    session.print_text("200 OK\n");
    session.print(activity_record(*report));
    return true;
}

template <typename Report, Command kCommand, Record (*kFormat)(const Report&)>
bool run_simple(Session& session, const Arguments&) {
    const auto report = session.query<Report>(kCommand);
    if (!report.has_value()) return false;
    session.print(kFormat(*report));
    return true;
}

bool run_clients(Session& session, const Arguments& arguments) {
    command::ClientRange range;
    range.count = command::kMaxClientsPerReply;
    bool nts_ke = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view word = arguments.word(i);
        if (word == "-k") nts_ke = true;
        if (word == "-r") range.reset = true;
        if (word == "-p") {
            const auto hits = leading_unsigned(arguments.word(++i));
            if (!hits.has_value()) {
                session.error("Invalid syntax for clients command");
                return false;
            }
            range.min_hits = *hits;
        }
    }
    const int extra = session.settings().extra_columns();
    session.print_header(clients_header(nts_ke, extra));
    session.begin_list();
    while (true) {
        const auto page =
            session.query<command::ClientAccessReport>(Command::ClientAccesses, range);
        if (!page.has_value()) return false;
        for (const command::ClientAccess& client : page->clients) {
            if (client.address.family() == Family::Unspecified) continue;
            const std::string name = table_name(session, client.address, false, RefId{}, false);
            session.print(client_record(client, name, nts_ke, extra));
        }
        const bool progress = page->next_index > range.first_index;
        range.first_index = page->next_index;
        if (page->next_index >= page->indices || !progress ||
            page->clients.size() < command::kMaxClientsPerReply) {
            break;
        }
    }
    session.end_list();
    return true;
}

}  // namespace

std::vector<CommandEntry> report_commands() {
    return {
        {"activity", run_activity, ""},
        {"authdata", run_authdata, "-a -v"},
        {"clients", run_clients, "-k -p -r"},
        {"ntpdata", run_ntpdata, ""},
        {"rtcdata", run_simple<command::RtcReport, Command::RtcReport, rtc_record>, ""},
        {"selectdata", run_selectdata, "-a -v"},
        {"serverstats",
         run_simple<command::ServerStatsReport, Command::ServerStats, server_stats_record>, ""},
        {"servos", run_servos, "-a -v"},
        {"smoothing", run_simple<command::SmoothingReport, Command::Smoothing, smoothing_record>,
         ""},
        {"sourcename", run_sourcename, ""},
        {"sources", run_sources, "-a -v"},
        {"sourcestats", run_sourcestats, "-a -v"},
        {"state", run_simple<command::StateReport, Command::State, state_record>, ""},
        {"tracking", run_tracking, ""},
        {"waitsync", run_waitsync, ""},
    };
}

}  // namespace gnomon::cli
