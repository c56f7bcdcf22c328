#include "mgmt/runtime/telemetry_source.h"

#include <algorithm>
#include <cmath>

#include "mgmt/command/protocol.h"

namespace gnomon {
namespace {

using telemetry::Snapshot;

template <typename Report>
std::optional<Report> optional_of(command::ReportResult<Report> result) {
    if (!result) return std::nullopt;
    return std::move(result).value();
}

template <typename Report>
Report value_of(command::ReportResult<Report> result) {
    return result ? std::move(result).value() : Report{};
}

template <std::size_t N>
void count_in(telemetry::BoundedHistogram<N>& histogram, const std::array<double, N>& bounds,
              double value) {
    std::size_t i = 0;
    while (i < N && value > bounds[i]) ++i;
    ++histogram.counts[i];
    histogram.sum += value;
}

telemetry::Source gather_source(command::MonitoringReports& reports, std::uint32_t index,
                                UtcTime now) {
    telemetry::Source source;
    source.source = value_of(reports.source(index, now));
    source.stats = value_of(reports.source_stats(index, now));
    source.select = value_of(reports.select(index, now));
    source.servos = value_of(reports.servos(index, now));
    if (source.source.mode == command::SourceMode::ReferenceClock) {
        source.name = source.stats.ref_id.to_text();
        return source;
    }
    source.name = value_of(reports.source_name(source.source.address));
    source.ntp = optional_of(reports.ntp(source.source.address));
    source.auth = optional_of(reports.auth(source.source.address, now));
    return source;
}

/// Which kind of event it is, whom it concerns, and by how much.
struct Describe {
    telemetry::Event& out;

    void operator()(const ClockStateChanged&) const { out.kind = "state"; }
    void operator()(const ClockStepped& e) const {
        out.kind = "step";
        out.value = e.offset_s;
    }
    void operator()(const TimeJumpDetected& e) const {
        out.kind = "step";
        out.value = e.jump.to_seconds();
    }
    void operator()(const SourceSelected& e) const { about("selection", e.source); }
    void operator()(const CannotSynchronise&) const { out.kind = "selection"; }
    void operator()(const FalsetickerDetected& e) const { about("alarm", e.source); }
    void operator()(const SourceUnacceptable& e) const { about("alarm", e.source); }
    void operator()(const KodReceived& e) const { about("alarm", e.source); }
    void operator()(const RefclockProblem& e) const { about("alarm", e.source); }
    void operator()(const MaxChangeExceeded&) const { out.kind = "alarm"; }
    void operator()(const ClockControlFailed&) const { out.kind = "alarm"; }
    void operator()(const ClockWrong& e) const {
        out.kind = "clock";
        out.value = e.offset_s;
    }
    void operator()(const LeapEvent&) const { out.kind = "leap"; }
    void operator()(const SourceAdded& e) const { about("source", e.source); }
    void operator()(const SourceRemoved& e) const { about("source", e.source); }
    void operator()(const OnlineChanged& e) const { about("source", e.source); }
    void operator()(const SourceReplaced& e) const {
        out.kind = "source";
        out.source = e.new_address.to_string();
    }
    template <typename Other>
    void operator()(const Other&) const {
        out.kind = "log";
    }

    void about(const char* kind, const SourceLabel& source) const {
        out.kind = kind;
        out.source = source.to_string();
    }
};

}  // namespace

void ClientScan::add(const command::ClientAccess& client) {
    if (client.cmd_hits > 0) ++current_.command_clients;
    if (client.nke_hits > 0) ++current_.nts_clients;
    if (client.ntp_hits == 0) return;
    ++current_.ntp_clients;
    if (client.last_ntp_hit_ago_s != command::kNever) {
        count_in(current_.last_hit_s, telemetry::kClientSecondsBounds, client.last_ntp_hit_ago_s);
    }
    if (client.ntp_interval != command::ClientAccess::kUnknownInterval) {
        count_in(current_.interval_s, telemetry::kClientSecondsBounds,
                 std::ldexp(1.0, client.ntp_interval));
    }
    count_in(current_.drops, telemetry::kClientDropsBounds, client.ntp_drops);

    auto& talkers = current_.talkers;
    const auto busier = [](const auto& a, const auto& b) { return a.ntp_hits > b.ntp_hits; };
    if (talkers.size() >= telemetry::ClientsReport::kTalkers) {
        if (client.ntp_hits <= talkers.back().ntp_hits) return;
        talkers.pop_back();
    }
    talkers.insert(std::upper_bound(talkers.begin(), talkers.end(), client, busier), client);
}

bool ClientScan::advance(command::MonitoringReports& reports, UtcTime now) {
    command::ClientRange range;
    range.first_index = next_;
    range.min_hits = 0;
    range.reset = false;
    range.count = kPortion;
    range.max_places = kPortion;
    const auto page = reports.clients(range, now);
    if (!page) {
        result_.reset();
        return false;
    }
    for (const command::ClientAccess& client : page->clients) add(client);
    next_ = page->next_index;
    if (next_ < page->indices) return false;
    current_.at = now;
    result_ = std::move(current_);
    current_ = {};
    next_ = 0;
    return true;
}

Snapshot gather_snapshot(command::MonitoringReports& reports, UtcTime now) {
    Snapshot snapshot;
    snapshot.at = now;
    snapshot.tracking = value_of(reports.tracking(now));
    snapshot.state = value_of(reports.state());
    snapshot.activity = value_of(reports.activity());
    snapshot.server = value_of(reports.server_stats());
    snapshot.rtc = optional_of(reports.rtc());
    snapshot.smoothing = optional_of(reports.smoothing(now));
    const std::uint32_t count = reports.source_count();
    snapshot.sources.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        snapshot.sources.push_back(gather_source(reports, i, now));
    }
    return snapshot;
}

std::optional<telemetry::Event> telemetry_event(const Event& event,
                                                const std::optional<Message>& message,
                                                UtcTime now) {
    if (!message || message->severity < LogSeverity::Info) return std::nullopt;
    telemetry::Event result;
    result.at = now;
    result.severity = static_cast<std::int8_t>(message->severity);
    result.text = message->text;
    std::visit(Describe{result}, event);
    return result;
}

std::optional<telemetry::Measurement> telemetry_measurement(const Event& event) {
    const auto* record = std::get_if<MeasurementRecord>(&event);
    if (record == nullptr) return std::nullopt;
    telemetry::Measurement result;
    result.at = record->at;
    result.source = record->address.to_string();
    result.offset_s = record->offset_s;
    result.delay_s = record->peer_delay_s;
    result.dispersion_s = record->peer_dispersion_s;
    result.valid = record->valid;
    return result;
}

}  // namespace gnomon
