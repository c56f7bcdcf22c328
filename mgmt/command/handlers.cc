#include "mgmt/command/handlers.h"

namespace gnomon::command {

namespace {
constexpr Status kRefused = Status::NotEnabled;
const Unexpected<Status> kNoReport(Status::NotEnabled);
const Unexpected<Status> kNoSource(Status::NoSuchSource);
}  // namespace

ReportResult<TrackingReport> MonitoringReports::tracking(UtcTime) { return kNoReport; }
ReportResult<SourceReport> MonitoringReports::source(std::uint32_t, UtcTime) { return kNoSource; }
ReportResult<SourceStatsReport> MonitoringReports::source_stats(std::uint32_t, UtcTime) {
    return kNoSource;
}
ReportResult<SelectReport> MonitoringReports::select(std::uint32_t, UtcTime) { return kNoSource; }
ReportResult<StateReport> MonitoringReports::state() { return Unexpected(Status::NotEnabled); }
ReportResult<ServosReport> MonitoringReports::servos(std::uint32_t, UtcTime) { return kNoSource; }
ReportResult<NtpReport> MonitoringReports::ntp(const IpAddress&) { return kNoSource; }
ReportResult<AuthReport> MonitoringReports::auth(const IpAddress&, UtcTime) { return kNoSource; }
ReportResult<std::string> MonitoringReports::source_name(const IpAddress&) { return kNoSource; }
ReportResult<ActivityReport> MonitoringReports::activity() { return kNoReport; }
ReportResult<ServerStatsReport> MonitoringReports::server_stats() { return kNoReport; }
ReportResult<DataplaneReport> MonitoringReports::dataplane(const DataplaneQuery&) {
    return kNoReport;
}
ReportResult<RtcReport> MonitoringReports::rtc() { return Unexpected(Status::NoRtc); }
ReportResult<SmoothingReport> MonitoringReports::smoothing(UtcTime) { return kNoReport; }
ReportResult<ManualReport> MonitoringReports::manual_samples() { return ManualReport{}; }
ReportResult<ClientAccessReport> MonitoringReports::clients(const ClientRange&, UtcTime) {
    return Unexpected(Status::Inactive);
}
ReportResult<TopReport> MonitoringReports::top_clients(std::uint32_t) { return kNoReport; }
ReportResult<AnalyticsReport> MonitoringReports::analytics() { return kNoReport; }

Status SourceCommands::add_source(const AddSourceRequest&) { return kRefused; }
Status SourceCommands::delete_source(const IpAddress&) { return kRefused; }
Status SourceCommands::set_online(const SourceRange&) { return kRefused; }
Status SourceCommands::set_offline(const SourceRange&) { return kRefused; }
Status SourceCommands::set_online_by_route() { return kRefused; }
Status SourceCommands::burst(const BurstRequest&) { return kRefused; }
Status SourceCommands::modify_minpoll(const IpAddress&, std::int32_t) { return kRefused; }
Status SourceCommands::modify_maxpoll(const IpAddress&, std::int32_t) { return kRefused; }
Status SourceCommands::modify_minstratum(const IpAddress&, std::int32_t) { return kRefused; }
Status SourceCommands::modify_polltarget(const IpAddress&, std::int32_t) { return kRefused; }
Status SourceCommands::modify_maxdelay(const IpAddress&, double) { return kRefused; }
Status SourceCommands::modify_maxdelayratio(const IpAddress&, double) { return kRefused; }
Status SourceCommands::modify_maxdelaydevratio(const IpAddress&, double) { return kRefused; }
Status SourceCommands::modify_select_options(const SelectOptionsRequest&) { return kRefused; }
Status SourceCommands::modify_offset(const SourceOffsetRequest&) { return kRefused; }
Status SourceCommands::reselect() { return kRefused; }
Status SourceCommands::set_reselect_distance(double) { return kRefused; }
Status SourceCommands::reset_sources(UtcTime) { return kRefused; }
Status SourceCommands::refresh_addresses() { return kRefused; }
Status SourceCommands::reload_sources() { return kRefused; }

Status ClockCommands::make_step() { return kRefused; }
Status ClockCommands::modify_makestep(const MakestepLimits&) { return kRefused; }
Status ClockCommands::modify_maxupdateskew(double) { return kRefused; }
Status ClockCommands::adjust_offset(double) { return kRefused; }
Status ClockCommands::adjust_frequency(double) { return kRefused; }
Status ClockCommands::set_local(const LocalRequest&) { return kRefused; }
Status ClockCommands::smoothing_reset(UtcTime) { return kRefused; }
Status ClockCommands::smoothing_activate(UtcTime) { return kRefused; }
Status ClockCommands::manual_enable() { return kRefused; }
Status ClockCommands::manual_disable() { return kRefused; }
Status ClockCommands::manual_reset() { return kRefused; }
Status ClockCommands::manual_delete(std::int32_t) { return Status::BadSample; }
ReportResult<SettimeReport> ClockCommands::set_time(UtcTime, UtcTime) { return kNoReport; }
Status ClockCommands::trim_rtc() { return Status::NoRtc; }
Status ClockCommands::write_rtc() { return Status::NoRtc; }

Status AccessCommands::allow(Port, const AccessRule&, bool) { return kRefused; }
Status AccessCommands::deny(Port, const AccessRule&, bool) { return kRefused; }
bool AccessCommands::is_allowed(Port, const IpAddress&) { return false; }

Status DaemonCommands::cycle_logs() { return kRefused; }
Status DaemonCommands::dump() { return kRefused; }
Status DaemonCommands::rekey() { return kRefused; }
Status DaemonCommands::shutdown() { return kRefused; }
ReportResult<CaptureReport> DaemonCommands::capture_start(const CaptureRequest&) {
    return kNoReport;
}
ReportResult<CaptureReport> DaemonCommands::capture_stop() { return kNoReport; }
ReportResult<CaptureReport> DaemonCommands::capture_status() { return kNoReport; }

}  // namespace gnomon::command
