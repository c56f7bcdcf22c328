#pragma once

/// What a daemon offers to the command protocol, grouped by what it touches. The dispatcher
/// (dispatcher.h) calls these from the control loop's thread, one call per request.
///
/// Every method has a default that refuses (`Status::NotEnabled`, or an empty answer), so a daemon
/// implements what it has. Actions return `Status::Success` or the status to answer with. `now` is the
/// time of the request. Arguments come from the network of the Unix socket's clients: every value of
/// their type can arrive, ranges are the implementation's to check.

#include <string>

#include "mgmt/command/protocol.h"
#include "mgmt/command/reports.h"
#include "mgmt/command/requests.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon::command {

template <typename Report>
using ReportResult = Result<Report, Status>;

/// Queries. Indices are 0 … `source_count()` − 1 in one stable order for all reports; a bad one is
/// `NoSuchSource`, as is an address that is no source's.
class MonitoringReports {
public:
    virtual ~MonitoringReports() = default;

    virtual ReportResult<TrackingReport> tracking(UtcTime now);
    virtual ReportResult<StateReport> state();
    virtual std::uint32_t source_count() { return 0; }
    virtual ReportResult<SourceReport> source(std::uint32_t index, UtcTime now);
    virtual ReportResult<SourceStatsReport> source_stats(std::uint32_t index, UtcTime now);
    virtual ReportResult<SelectReport> select(std::uint32_t index, UtcTime now);
    virtual ReportResult<ServosReport> servos(std::uint32_t index, UtcTime now);
    virtual ReportResult<NtpReport> ntp(const IpAddress& source);
    virtual ReportResult<AuthReport> auth(const IpAddress& source, UtcTime now);
    /// The name as configured (an address if it was one).
    virtual ReportResult<std::string> source_name(const IpAddress& source);
    virtual ReportResult<ActivityReport> activity();
    virtual ReportResult<ServerStatsReport> server_stats();
    /// `NotEnabled` without polled ports; `Invalid` for a port or worker that there is not.
    virtual ReportResult<DataplaneReport> dataplane(const DataplaneQuery& query);
    /// `NoRtc` without a driver.
    virtual ReportResult<RtcReport> rtc();
    virtual ReportResult<SmoothingReport> smoothing(UtcTime now);
    virtual ReportResult<ManualReport> manual_samples();
    /// From `range.first_index` at most `range.count` clients (already cut to
    /// `kMaxClientsPerReply`) with at least `range.min_hits` packets of any kind; with `range.reset`
    /// their counters restart. `Inactive` when clients are not logged.
    virtual ReportResult<ClientAccessReport> clients(const ClientRange& range, UtcTime now);
    /// From the `first`th on the clients that ask most. The order is that of the time when `first` 0
    /// was asked for.
    virtual ReportResult<TopReport> top_clients(std::uint32_t first);
    virtual ReportResult<AnalyticsReport> analytics();
};

/// NTP sources and their selection.
class SourceCommands {
public:
    virtual ~SourceCommands() = default;

    virtual Status add_source(const AddSourceRequest& request);
    virtual Status delete_source(const IpAddress& source);
    virtual Status set_online(const SourceRange& range);
    virtual Status set_offline(const SourceRange& range);
    /// All sources, by whether there is a route to them.
    virtual Status set_online_by_route();
    virtual Status burst(const BurstRequest& request);
    virtual Status modify_minpoll(const IpAddress& source, std::int32_t poll);
    virtual Status modify_maxpoll(const IpAddress& source, std::int32_t poll);
    virtual Status modify_minstratum(const IpAddress& source, std::int32_t stratum);
    virtual Status modify_polltarget(const IpAddress& source, std::int32_t target);
    virtual Status modify_maxdelay(const IpAddress& source, double max_delay_s);
    virtual Status modify_maxdelayratio(const IpAddress& source, double ratio);
    virtual Status modify_maxdelaydevratio(const IpAddress& source, double ratio);
    virtual Status modify_select_options(const SelectOptionsRequest& request);
    virtual Status modify_offset(const SourceOffsetRequest& request);
    virtual Status reselect();
    virtual Status set_reselect_distance(double distance_s);
    /// Drops all samples; the clock counts as unsynchronised.
    virtual Status reset_sources(UtcTime now);
    /// Resolves all names anew.
    virtual Status refresh_addresses();
    /// Reads the *.sources files again.
    virtual Status reload_sources();
};

/// The system clock, manual time, the RTC and what is served when unsynchronised.
class ClockCommands {
public:
    virtual ~ClockCommands() = default;

    /// Steps by what remains to be slewed.
    virtual Status make_step();
    virtual Status modify_makestep(const MakestepLimits& limits);
    virtual Status modify_maxupdateskew(double skew_ppm);
    /// To be slewed; > 0: the clock is behind and goes forward (wire: negated).
    virtual Status adjust_offset(double offset_s);
    /// > 0: the clock is found to gain that much more, and is slowed.
    virtual Status adjust_frequency(double error_ppm);
    virtual Status set_local(const LocalRequest& request);
    virtual Status smoothing_reset(UtcTime now);
    virtual Status smoothing_activate(UtcTime now);
    virtual Status manual_enable();
    virtual Status manual_disable();
    virtual Status manual_reset();
    /// `BadSample` when there is none.
    virtual Status manual_delete(std::int32_t index);
    /// `NotEnabled` unless manual input is on.
    virtual ReportResult<SettimeReport> set_time(UtcTime time, UtcTime now);
    virtual Status trim_rtc();
    virtual Status write_rtc();
};

/// Who may use the NTP port and the command port.
class AccessCommands {
public:
    enum class Port : std::uint8_t { Ntp, Command };

    virtual ~AccessCommands() = default;

    /// `all`: also for subnets of it that have rules of their own. `BadSubnet` for impossible bits.
    virtual Status allow(Port port, const AccessRule& rule, bool all);
    virtual Status deny(Port port, const AccessRule& rule, bool all);
    virtual bool is_allowed(Port port, const IpAddress& address);
};

/// The process itself.
class DaemonCommands {
public:
    virtual ~DaemonCommands() = default;

    virtual Status cycle_logs();
    /// Samples, NTS keys and cookies to files.
    virtual Status dump();
    /// Reads the key files again.
    virtual Status rekey();
    virtual Status shutdown();

    // A capture that cannot begin or end is a report too: `refused` says why.
    virtual ReportResult<CaptureReport> capture_start(const CaptureRequest& request);
    virtual ReportResult<CaptureReport> capture_stop();
    virtual ReportResult<CaptureReport> capture_status();
};

/// What the dispatcher works with; all outlive it.
struct CommandHandlers {
    MonitoringReports& monitoring;
    SourceCommands& sources;
    ClockCommands& clock;
    AccessCommands& access;
    DaemonCommands& daemon;
};

}  // namespace gnomon::command
