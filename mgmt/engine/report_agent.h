#pragma once

/// `ReportAgent`: answers the monitoring requests of the command protocol. Reads, changes nothing (but
/// the counters that `clients -r` resets).

#include "mgmt/command/handlers.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/manual_input.h"
#include "mgmt/engine/polled_port_reports.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/server_agent.h"
#include "mgmt/engine/source_manager.h"
#include "mgmt/engine/state_agent.h"

namespace gnomon {

class ReportAgent final : public command::MonitoringReports {
public:
    /// `now`: the time of the request being answered. Everything outlives the agent.
    ReportAgent(const Now& now, ClockAgent& clock, SelectionAgent& selection,
                SourceManager& sources, ServerAgent& server, const ManualInput& manual,
                const StateAgent& state, PolledPortReports* polled_ports);

    command::ReportResult<command::TrackingReport> tracking(UtcTime now) override;
    command::ReportResult<command::StateReport> state() override;
    std::uint32_t source_count() override;
    command::ReportResult<command::SourceReport> source(std::uint32_t index, UtcTime now) override;
    command::ReportResult<command::SourceStatsReport> source_stats(std::uint32_t index,
                                                                   UtcTime now) override;
    command::ReportResult<command::SelectReport> select(std::uint32_t index, UtcTime now) override;
    command::ReportResult<command::ServosReport> servos(std::uint32_t index, UtcTime now) override;
    command::ReportResult<command::NtpReport> ntp(const IpAddress& source) override;
    command::ReportResult<command::AuthReport> auth(const IpAddress& source, UtcTime now) override;
    command::ReportResult<std::string> source_name(const IpAddress& source) override;
    command::ReportResult<command::ActivityReport> activity() override;
    command::ReportResult<command::ServerStatsReport> server_stats() override;
    command::ReportResult<command::DataplaneReport> dataplane(
        const command::DataplaneQuery& query) override;
    command::ReportResult<command::RtcReport> rtc() override;
    command::ReportResult<command::SmoothingReport> smoothing(UtcTime now) override;
    command::ReportResult<command::ManualReport> manual_samples() override;
    command::ReportResult<command::ClientAccessReport> clients(const command::ClientRange& range,
                                                               UtcTime now) override;
    command::ReportResult<command::TopReport> top_clients(std::uint32_t first) override;
    command::ReportResult<command::AnalyticsReport> analytics() override;

private:
    const SelectableSource* at(std::uint32_t index) const;

    const Now& now_;
    ClockAgent& clock_;
    SelectionAgent& selection_;
    SourceManager& sources_;
    ServerAgent& server_;
    const ManualInput& manual_;
    const StateAgent& state_;
    AnalyticsSnapshot top_;  ///< as the first page of `top_clients` was made from
    PolledPortReports* polled_ports_;
};

}  // namespace gnomon
