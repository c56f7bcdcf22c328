#include <algorithm>

#include "mgmt/cli/commands.h"
#include "mgmt/cli/format.h"

namespace gnomon::cli {

namespace {

using command::Command;

constexpr std::uint32_t kDefaultClients = 10;
constexpr int kNameColumns = 25;

bool run_top(Session& session, const Arguments& arguments) {
    std::uint32_t wanted = kDefaultClients;
    if (!arguments.empty()) {
        const auto number = leading_unsigned(arguments.word(0));
        if (!number || *number == 0 || arguments.size() > 1) {
            session.error("Invalid syntax for top command");
            return false;
        }
        wanted = *number;
    }
    const int extra = session.settings().extra_columns();
    std::uint32_t shown = 0;
    while (shown < wanted) {
        const auto page = session.query<command::TopReport>(
            Command::ClientTop, command::IntegerArgument{static_cast<std::int32_t>(shown)});
        if (!page.has_value()) return false;
        if (shown == 0) {
            session.print_text(top_summary(*page));
            session.print_header(top_header(extra));
            session.begin_list();
        }
        for (const command::TopClient& client : page->clients) {
            if (shown == wanted) break;
            Session::Name name;
            name.address = client.address;
            name.is_source = false;
            name.truncate_to = static_cast<std::size_t>(kNameColumns + extra);
            session.print(top_record(client, session.display_name(name), page->total_rate, extra));
            ++shown;
        }
        if (page->clients.empty() || shown >= page->known) break;
    }
    session.end_list();
    return true;
}

bool run_analytics(Session& session, const Arguments&) {
    const auto report = session.query<command::AnalyticsReport>(Command::Analytics);
    if (!report.has_value()) return false;
    session.print_text(analytics_summary(*report));
    session.print_header(kAnalyticsHeader);
    session.begin_list();
    for (const Record& record : analytics_records(*report)) session.print(record);
    session.end_list();
    return true;
}

}  // namespace

std::vector<CommandEntry> analytics_commands() {
    return {{"analytics", run_analytics, ""}, {"top", run_top, ""}};
}

}  // namespace gnomon::cli
