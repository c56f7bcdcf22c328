#include "mgmt/cli/commands.h"
#include "mgmt/cli/format_dataplane.h"

namespace gnomon::cli {

namespace {

using command::DataplanePart;
using command::DataplaneQuery;
using command::DataplaneReport;

std::optional<DataplaneReport> query_part(Session& session, const DataplaneQuery& query) {
    return session.query<DataplaneReport>(command::Command::DataplaneData, query);
}

bool add_drops(Session& session, DataplaneQuery query, std::size_t total,
               DataplaneWorkerView& view) {
    query.part = DataplanePart::Drops;
    while (view.drops.size() < total) {
        query.first = static_cast<std::uint32_t>(view.drops.size());
        const auto page = query_part(session, query);
        if (!page.has_value()) return false;
        if (page->dropped.empty()) return true;
        view.drops.insert(view.drops.end(), page->dropped.begin(), page->dropped.end());
    }
    return true;
}

bool add_workers(Session& session, DataplaneQuery query, std::size_t total,
                 DataplanePortView& view) {
    query.part = DataplanePart::Worker;
    for (query.worker = 0; query.worker < total; ++query.worker) {
        const auto part = query_part(session, query);
        if (!part.has_value()) return false;
        DataplaneWorkerView worker{part->worker, {}};
        if (!add_drops(session, query, part->drops, worker)) return false;
        view.workers.push_back(std::move(worker));
    }
    return true;
}

void print_port(Session& session, const DataplanePortView& view, std::size_t index) {
    switch (session.settings().format) {
        case Format::Text:
            session.print_text((index > 0 ? "\n" : "") + dataplane_text(view));
            return;
        case Format::Csv:
            for (const std::string& row : dataplane_csv(view, index)) {
                session.terminal().out(row + "\n");
            }
            return;
        case Format::Json: break;
    }
    Record record;
    const nlohmann::ordered_json json = dataplane_json(view);
    for (const auto& [key, value] : json.items()) record.json_only(key.c_str(), value);
    session.print(record);
}

bool run_dataplane(Session& session, const Arguments&) {
    session.begin_list();
    std::size_t ports = 1;
    for (std::size_t i = 0; i < ports; ++i) {
        DataplaneQuery query;
        query.port = static_cast<std::uint32_t>(i);
        const auto part = query_part(session, query);
        if (!part.has_value()) return false;
        ports = part->ports;
        DataplanePortView view{part->port, {}};
        if (!add_workers(session, query, part->workers, view)) return false;
        print_port(session, view, i);
    }
    session.end_list();
    return true;
}

}  // namespace

std::vector<CommandEntry> dataplane_commands() { return {{"dataplane", run_dataplane, ""}}; }

}  // namespace gnomon::cli
