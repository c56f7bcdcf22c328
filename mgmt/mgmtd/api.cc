#include "mgmt/mgmtd/api.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "dataplane/wire/address.h"
#include "mgmt/mgmtd/config.h"
#include "mgmt/mgmtd/exposition.h"
#include "mgmt/mgmtd/json_reports.h"
#include "mgmt/mgmtd/stream_hub.h"

namespace gnomon::mgmtd {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
/// Of one answer of the history: points times series.
constexpr int kMostValues = 400'000;
constexpr std::string_view kApiPrefix = "/api/v1/";

struct ReportEntry {
    std::string_view name;
    Json (*make)(const telemetry::Snapshot& snapshot);
};

constexpr ReportEntry kReports[] = {
    {"state", state_json},
    {"tracking", tracking_json},
    {"sources", sources_json},
    {"sourcestats", sourcestats_json},
    {"ntpdata", ntpdata_json},
    {"selection", selection_json},
    {"servos", servos_json},
    {"authdata", auth_json},
    {"serverstats", serverstats_json},
    {"activity", activity_json},
    {"clients", clients_json},
    {"rtc", rtc_json},
    {"smoothing", smoothing_json},
    {"loop", loop_json},
    {"stream_stats", stream_json},
};

Response text(int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = kText;
    response.body = std::move(body);
    return response;
}

Response json(const Json& value, int status = 200) {
    Response response;
    response.status = status;
    response.body = to_text(value) + "\n";
    return response;
}

Response error(int status, std::string_view message) {
    return json(Json{{"error", message}}, status);
}

template <typename T>
std::optional<T> number_of(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    T value{};
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (code != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return value;
}

std::vector<std::string> list_of(const std::optional<std::string>& text) {
    std::vector<std::string> list;
    if (!text) return list;
    std::size_t at = 0;
    while (at <= text->size() && list.size() < 256) {
        const std::size_t end = std::min(text->find(',', at), text->size());
        if (end > at) list.push_back(text->substr(at, end - at));
        at = end + 1;
    }
    return list;
}

Response asset_response(const Asset& asset, const Request& request) {
    Response response;
    response.content_type = asset.content_type;
    response.etag = asset.etag;
    response.cacheable = true;
    if (request.if_none_match == asset.etag) {
        response.status = 304;
        return response;
    }
    const bool gzip = request.accept_encoding.find("gzip") != std::string::npos;
    const Asset* packed = gzip ? find_asset(std::string(asset.path) + ".gz") : nullptr;
    if (packed != nullptr) response.content_encoding = "gzip";
    response.fixed_body = packed != nullptr ? packed->body : asset.body;
    return response;
}

/// "localhost", an address, or one of `names`; a browser that was lured to this machine by a name of
/// somebody else's says so here.
bool is_own_host(std::string_view host, const std::vector<std::string>& names) {
    if (!host.empty() && host[0] == '[') {
        const std::size_t end = host.find(']');
        if (end == std::string_view::npos) return false;
        host = host.substr(1, end - 1);
    } else {
        host = host.substr(0, host.find(':'));
    }
    const auto same = [host](std::string_view name) {
        return std::equal(name.begin(), name.end(), host.begin(), host.end(), [](char a, char b) {
            return std::tolower(static_cast<unsigned char>(a)) ==
                   std::tolower(static_cast<unsigned char>(b));
        });
    };
    return host.empty() || same("localhost") || IpAddress::parse(host) ||
           std::any_of(names.begin(), names.end(), same);
}

std::string csv_number(double value) {
    return std::isnan(value) ? std::string() : fmt::format("{}", value);
}

std::string history_csv(const HistoryResult& result) {
    std::string out = "time_s,metric,source,mean,min,max\n";
    for (const HistorySeries& series : result.series) {
        for (std::size_t i = 0; i < series.mean.size(); ++i) {
            if (std::isnan(series.mean[i])) continue;
            const std::int64_t at = result.from_s + static_cast<std::int64_t>(i) * result.step_s;
            // A name may hold anything.
            std::string source = series.source;
            std::replace_if(
                source.begin(), source.end(),
                [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }, '_');
            out += fmt::format("{},{},{},{},{},{}\n", at, series.metric, source,
                               csv_number(series.mean[i]), csv_number(series.min[i]),
                               csv_number(series.max[i]));
        }
    }
    return out;
}

Json numbers(const std::vector<double>& values) {
    Json list = Json::array();
    for (const double value : values) list.push_back(std::isnan(value) ? Json() : Json(value));
    return list;
}

Json history_json(const HistoryResult& result) {
    Json series = Json::array();
    for (const HistorySeries& s : result.series) {
        Json source = nullptr;
        if (!s.source.empty()) source = s.source;
        series.push_back(Json{{"metric", s.metric},
                              {"source", source},
                              {"mean", numbers(s.mean)},
                              {"min", numbers(s.min)},
                              {"max", numbers(s.max)}});
    }
    return Json{{"from_s", result.from_s},
                {"step_s", result.step_s},
                {"count", result.count},
                {"series", std::move(series)}};
}

}  // namespace

std::optional<Response> Api::refusal(const Request& request) const {
    if (!is_own_host(request.host, access_.hosts)) {
        return text(421, "This name is not known here (directive hostname of mgmtd.conf).\n");
    }
    if (request.path == "/healthz" || request.path == "/readyz") return std::nullopt;
    // From this machine, too: whom a proxy here speaks for, nobody knows.
    if (request.is_local && access_.tokens.empty()) return std::nullopt;
    if (!access_.tokens.empty()) {
        if (is_authorized(request.authorization, access_.tokens)) return std::nullopt;
        return text(401, "A token is needed: Authorization: Bearer TOKEN\n");
    }
    if (access_.allow_remote) return std::nullopt;
    return text(403, "Only for this machine (directives tokenfile and allowremote).\n");
}

Response Api::report(const std::string& name, MonoClock::time_point now) const {
    const telemetry::Snapshot* snapshot = model_.snapshot();
    const bool known = name == "snapshot" ||
                       std::any_of(std::begin(kReports), std::end(kReports),
                                   [&](const ReportEntry& entry) { return entry.name == name; });
    if (!known) return error(404, "no such report; /api/v1/openapi.json lists them");
    if (snapshot == nullptr) return error(503, "gnomond has not been heard yet");
    Json out{{"at_s", static_cast<double>(snapshot->at.ns()) * 1e-9},
             {"number", snapshot->number},
             {"fresh", model_.is_fresh(now)}};
    if (name == "snapshot") {
        out["daemon"] = daemon_json(model_, now);
        out["snapshot"] = snapshot_json(*snapshot);
        return json(out);
    }
    for (const ReportEntry& entry : kReports) {
        if (entry.name == name) out[name] = entry.make(*snapshot);
    }
    return json(out);
}

Response Api::events(const Request& request) const {
    constexpr std::size_t kDefault = 200;
    const auto limit = std::clamp<std::size_t>(
        number_of<std::size_t>(request.argument("limit")).value_or(kDefault), 1, 5000);
    const auto after = number_of<std::uint64_t>(request.argument("after")).value_or(0);
    const auto from = number_of<double>(request.argument("from"));
    const auto to = number_of<double>(request.argument("to"));
    Json list = Json::array();
    if (history_ != nullptr && history_->is_open()) {
        for (const StoredEvent& event : history_->events(after, from, to, limit)) {
            list.push_back(event_json(event));
        }
    } else {
        for (const StoredEvent& event : model_.events()) {
            const double at = static_cast<double>(event.event.at.ns()) * 1e-9;
            if (event.id <= after || (from && at < *from) || (to && at > *to)) continue;
            list.push_back(event_json(event));
        }
        while (list.size() > limit) list.erase(list.begin());
    }
    return json(Json{{"events", std::move(list)}});
}

Response Api::history(const Request& request, bool csv) const {
    if (history_ == nullptr || !history_->is_open()) {
        return error(503, "there is no history (directive history of mgmtd.conf)");
    }
    HistoryQuery query;
    query.metrics = list_of(request.argument("metric"));
    query.sources = list_of(request.argument("source"));
    for (const std::string& metric : query.metrics) {
        if (!is_history_metric(metric)) {
            return error(400, fmt::format("unknown metric; known are: {}", history_metric_list()));
        }
    }
    const double now_s = history_->now_s();
    const double to = number_of<double>(request.argument("to")).value_or(now_s);
    const double from = number_of<double>(request.argument("from")).value_or(to - 3600.0);
    if (!(from < to) || !(std::abs(from) < 1e11) || !(std::abs(to) < 1e11)) {
        return error(400, "from must be before to, in seconds since 1970");
    }
    query.from_s = static_cast<std::int64_t>(std::floor(from));
    query.to_s = static_cast<std::int64_t>(std::ceil(to));
    query.points = std::clamp(number_of<int>(request.argument("points")).value_or(600), 1, 10000);
    // Whatever is asked for, the answer stays far below what the process may use.
    const telemetry::Snapshot* snapshot = model_.snapshot();
    const std::size_t sources = snapshot != nullptr ? snapshot->sources.size() : 0;
    const auto series = static_cast<int>(std::max<std::size_t>(query.metrics.size(), 16) *
                                         (std::min<std::size_t>(sources, 1000) + 1));
    query.points = std::clamp(query.points, 1, std::max(kMostValues / series, 10));
    const HistoryResult result = history_->query(query);
    if (!csv) return json(history_json(result));
    Response response = text(200, history_csv(result));
    response.content_type = "text/csv; charset=utf-8";
    return response;
}

Response Api::ready(MonoClock::time_point now) const {
    std::string why;
    const bool ready = model_.is_ready(now, why);
    return text(ready ? 200 : 503, fmt::format("{}\n{}\n", ready ? "ready" : "not ready", why));
}

std::string Api::greeting(MonoClock::time_point now) const {
    std::string greeting = "retry: 2000\n\n";
    greeting += StreamHub::format("daemon", to_text(daemon_json(model_, now)));
    if (const telemetry::Snapshot* snapshot = model_.snapshot()) {
        greeting += StreamHub::format("snapshot", to_text(snapshot_json(*snapshot)));
    }
    return greeting;
}

Response Api::handle(const Request& request, MonoClock::time_point now) const {
    if (auto refused = refusal(request)) return std::move(*refused);
    const std::string& path = request.path;
    if (path == "/metrics") {
        const Exposition::Format format = Exposition::negotiate(request.accept);
        Response response;
        response.content_type = Exposition::content_type(format);
        response.body = render_metrics(model_, own_figures_(), now, format);
        return response;
    }
    if (path == "/healthz") {
        return text(200, model_.is_fresh(now) ? "ok\n" : "ok, but gnomond is not heard\n");
    }
    if (path == "/readyz") return ready(now);
    if (path.rfind(kApiPrefix, 0) == 0) {
        const std::string name = path.substr(kApiPrefix.size());
        if (name == "stream") {
            Response response;
            response.content_type = "text/event-stream";
            response.is_stream = true;
            return response;
        }
        if (name == "daemon") return json(Json{{"daemon", daemon_json(model_, now)}});
        if (name == "events") return events(request);
        if (name == "history") return history(request, false);
        if (name == "history.csv") return history(request, true);
        if (name == "openapi.json") {
            const Asset* document = find_asset("/openapi.json");
            return document != nullptr ? asset_response(*document, request) : error(404, "missing");
        }
        return report(name, now);
    }
    if (const Asset* asset = find_asset(path == "/" ? "/index.html" : path)) {
        return asset_response(*asset, request);
    }
    if (path == "/") {
        return text(404,
                    "gnomon-mgmtd was built without the dashboard. There are /metrics, /healthz, "
                    "/readyz and /api/v1/openapi.json.\n");
    }
    return text(404, "Not found.\n");
}

}  // namespace gnomon::mgmtd
