/// The command protocol's parsers: the input as a request to the server side (from every origin) and
/// as a reply to the client side. What a reply decodes to must survive being encoded again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mgmt/command/dispatcher.h"
#include "mgmt/command/wire.h"
#include "servo/units/assert.h"

namespace {

using namespace gnomon;
using namespace gnomon::command;

/// Answers every query, so that every reply is encoded.
class FakeReports : public MonitoringReports {
public:
    ReportResult<TrackingReport> tracking(UtcTime) override { return TrackingReport{}; }
    std::uint32_t source_count() override { return 3; }
    ReportResult<SourceReport> source(std::uint32_t, UtcTime) override { return SourceReport{}; }
    ReportResult<SourceStatsReport> source_stats(std::uint32_t, UtcTime) override {
        return SourceStatsReport{};
    }
    ReportResult<SelectReport> select(std::uint32_t, UtcTime) override { return SelectReport{}; }
    ReportResult<NtpReport> ntp(const IpAddress& source) override {
        NtpReport report;
        report.remote_address = source;
        return report;
    }
    ReportResult<AuthReport> auth(const IpAddress&, UtcTime) override { return AuthReport{}; }
    ReportResult<std::string> source_name(const IpAddress& source) override {
        return source.to_string();
    }
    ReportResult<ActivityReport> activity() override { return ActivityReport{}; }
    ReportResult<ServerStatsReport> server_stats() override { return ServerStatsReport{}; }
    ReportResult<RtcReport> rtc() override { return RtcReport{}; }
    ReportResult<SmoothingReport> smoothing(UtcTime) override { return SmoothingReport{}; }
    ReportResult<ClientAccessReport> clients(const ClientRange& range, UtcTime) override {
        ClientAccessReport report;
        report.clients.resize(range.count);
        return report;
    }
};

void try_request(std::span<const std::uint8_t> input) {
    FakeReports monitoring;
    SourceCommands sources;
    ClockCommands clock;
    AccessCommands access;
    DaemonCommands daemon;
    const CommandHandlers handlers{monitoring, sources, clock, access, daemon};
    for (const Origin origin : {Origin::UnixSocket, Origin::Loopback, Origin::OtherHost}) {
        std::array<std::uint8_t, kMaxReplySize> reply{};
        const auto size =
            handle_command(input, origin, CommandSet::defaults(),
                           UtcTime::from_ns(1'800'000'000'000'000'000), handlers, reply);
        if (size) GNOMON_ASSERT(*size >= kReplyHeaderSize && *size <= input.size());
    }
}

void try_reply(std::span<const std::uint8_t> input) {
    const auto header = decode_reply_header(input);
    if (!header) return;
    const auto body = decode_reply_body(*header, input);
    if (!body) return;
    std::array<std::uint8_t, kMaxReplySize> again{};
    const std::size_t size = encode_reply(*header, *body, again);
    GNOMON_ASSERT(size == reply_size((*header).type));
    GNOMON_ASSERT(decode_reply_body(*header, std::span(again).first(size)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try_request({data, size});
    try_reply({data, size});
    return 0;
}
