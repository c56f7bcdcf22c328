#pragma once

/// Reports to records, and the headers and legends of the tables. Pure functions.
///
/// Signs are shown as chronyc shows them, in all three renderings: offsets of sources and the last
/// offset are > 0 when the local clock is ahead, `System time` when it is behind.

#include <string>
#include <string_view>
#include <vector>

#include "mgmt/cli/record.h"
#include "mgmt/command/reports.h"

namespace gnomon::cli {

/// By how much a clock is ahead that is behind by `offset_s`; never a negative zero.
inline double ahead(double offset_s) { return 0.0 - offset_s; }

/// A table of sources: its header, and what `-v` explains above it. `extra` columns for names.
struct TableHead {
    std::string_view header;
    std::string_view wide_header;
    std::string (*legend)(int extra);
};
extern const TableHead kSourcesHead;
extern const TableHead kSourceStatsHead;
extern const TableHead kSelectHead;
extern const TableHead kServosHead;
extern const TableHead kAuthHead;
inline constexpr std::string_view kManualHeader =
    "#    Date     Time(UTC)    Slewed   Original   Residual";
std::string clients_header(bool nts_ke, int extra);

Record state_record(const command::StateReport& report);
Record tracking_record(const command::TrackingReport& report, std::string_view name);
Record waitsync_record(const command::TrackingReport& report, int attempt);
Record source_record(const command::SourceReport& report, std::string_view name, int extra);
Record source_stats_record(const command::SourceStatsReport& report, std::string_view name,
                           int extra);
Record select_record(const command::SelectReport& report, std::string_view name, int extra);
/// `steers`: the first of a source's servos.
Record servo_record(const command::ServoReport& servo, bool steers, std::string_view name,
                    int extra);
Record auth_record(const command::AuthReport& report, std::string_view name, int extra);
Record ntp_record(const command::NtpReport& report);
Record activity_record(const command::ActivityReport& report);
Record server_stats_record(const command::ServerStatsReport& report);
/// `nts_ke`: the right half shows NTS-KE instead of command packets.
Record client_record(const command::ClientAccess& client, std::string_view name, bool nts_ke,
                     int extra);
/// What a table of top clients or of analytics is over.
std::string top_summary(const command::TopReport& report);
std::string top_header(int extra);
Record top_record(const command::TopClient& client, std::string_view name, double total, int extra);
std::string analytics_summary(const command::AnalyticsReport& report);
inline constexpr std::string_view kAnalyticsHeader =
    "Property     Value              Amount    Share";
/// A record per value that occurs: requests per second, or clients for "clients-poll".
std::vector<Record> analytics_records(const command::AnalyticsReport& report);
Record capture_record(const command::CaptureReport& report);
Record rtc_record(const command::RtcReport& report);
Record smoothing_record(const command::SmoothingReport& report);
Record manual_record(const command::ManualSample& sample, int index);
Record settime_record(const command::SettimeReport& report);

}  // namespace gnomon::cli
