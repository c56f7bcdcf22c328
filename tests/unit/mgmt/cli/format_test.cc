#include "mgmt/cli/format.h"
#include "mgmt/cli/format_dataplane.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mgmt/cli/text_units.h"

namespace gnomon::cli {
namespace {

TEST(TextUnits, SecondsScaleAtTheirThresholds) {
    EXPECT_EQ(seconds_text(0), "   0");
    EXPECT_EQ(seconds_text(1199), "1199");
    EXPECT_EQ(seconds_text(1200), " 20m");
    EXPECT_EQ(seconds_text(35999), "599m");
    EXPECT_EQ(seconds_text(36000), " 10h");
    EXPECT_EQ(seconds_text(345599), " 95h");
    EXPECT_EQ(seconds_text(345600), "  4d");
    EXPECT_EQ(seconds_text(999U * 86400), "999d");
    EXPECT_EQ(seconds_text(1000U * 86400), "  2y");
    EXPECT_EQ(seconds_text(command::kNever), "   -");
}

TEST(TextUnits, SpansScaleAtTheirThresholds) {
    EXPECT_EQ(span_text(0.0), "   0ns");
    EXPECT_EQ(span_text(-9999.4e-9), "9999ns");
    EXPECT_EQ(span_text(9999.5e-9), "  10us");
    EXPECT_EQ(span_text(0.0123), "  12ms");
    EXPECT_EQ(span_text(9.9995), " 10.0s");
    EXPECT_EQ(span_text(1000.0), " 1000s");
    EXPECT_EQ(span_text(1e6), "16667m");
    EXPECT_EQ(span_text(1e12), "31710y");
    EXPECT_EQ(signed_span_text(-1.5e-6), "-1500ns");
    EXPECT_EQ(signed_span_text(0.0), "   +0ns");
    EXPECT_EQ(signed_span_text(12.34), " +12.3s");
    EXPECT_EQ(signed_span_text(-86400.0 * 200), " -4800h");
}

TEST(TextUnits, FrequenciesLoseDecimalsWhenLarge) {
    EXPECT_EQ(ppm_text(1.2345), "     1.234");
    EXPECT_EQ(signed_ppm_text(-0.0004), "    -0.000");
    EXPECT_EQ(ppm_text(99999.5), "    100000");
}

TEST(Format, TrackingIsTheFamiliarText) {
    command::TrackingReport report;
    report.ref_id = RefId{0xC0000201};
    report.address = *IpAddress::parse("192.0.2.1");
    report.stratum = 3;
    report.leap = Leap::Normal;
    report.reference_time = UtcTime::from_ns(1'795'366'800'250'000'000);
    report.system_offset_s = -0.000001501;
    report.last_offset_s = 0.25;
    report.frequency_ppm = -12.5;
    report.update_interval_s = 64.2;
    const Record record = tracking_record(report, "ntp1.example.net");
    EXPECT_EQ(record.text(),
              "Reference ID    : C0000201 (ntp1.example.net)\n"
              "Stratum         : 3\n"
              "Ref time (UTC)  : Sun Nov 22 17:00:00 2026\n"
              "System time     : 0.000001501 seconds fast of NTP time\n"
              "Last offset     : -0.250000000 seconds\n"
              "RMS offset      : 0.000000000 seconds\n"
              "Frequency       : 12.500 ppm slow\n"
              "Residual freq   : +0.000 ppm\n"
              "Skew            : 0.000 ppm\n"
              "Root delay      : 0.000000000 seconds\n"
              "Root dispersion : 0.000000000 seconds\n"
              "Update interval : 64.2 seconds\n"
              "Leap status     : Normal\n");
    EXPECT_EQ(record.csv(),
              "C0000201,ntp1.example.net,3,1795366800.250000000,-0.000001501,-0.250000000,"
              "0.000000000,-12.500,0.000,0.000,0.000000000,0.000000000,64.2,Normal");
    EXPECT_EQ(record.json()["last_offset_s"], -0.25);
    EXPECT_EQ(record.json()["stratum"], 3);
}

TEST(Format, ASourceIsOneLine) {
    command::SourceReport report;
    report.state = command::SourceState::Selected;
    report.stratum = 1;
    report.poll = 6;
    report.reach = 0377;
    report.last_sample_ago_s = 23;
    report.adjusted_offset_s = 0.000012;
    report.measured_offset_s = 0.0;
    report.error_s = 0.003;
    EXPECT_EQ(source_record(report, "192.0.2.1", 0).text(),
              "^* 192.0.2.1                     1   6   377    23    -12us[   +0ns] +/- 3000us\n");
    EXPECT_EQ(source_record(report, "192.0.2.1", 0).csv(),
              "^,*,192.0.2.1,1,6,377,23,-0.000012000,0.000000000,0.003000000");
    const auto unknown = static_cast<command::SourceState>(99);
    report.state = unknown;
    EXPECT_EQ(source_record(report, "x", 14).text().substr(0, 2), "^ ");
}

TEST(Format, SelectionSpreadsItsOptions) {
    command::SelectReport report;
    report.state = '*';
    report.authenticated = true;
    report.configured.prefer = true;
    report.effective.trust = report.effective.require = true;
    report.last_sample_ago_s = 5;
    report.score = 1.0;
    report.offset_low_s = -2e-3;
    report.offset_high_s = 1e-3;
    report.leap = Leap::Normal;
    EXPECT_EQ(select_record(report, "a", 0).text(),
              "* a                         Y -P--- --TR-    5   1.0 -1000us +2000us  N\n");
    EXPECT_EQ(select_record(report, "a", 0).csv(),
              "*,a,Y,-,P,-,-,-,-,-,T,R,-,5,1.0,-0.001000000,0.002000000,Normal");
}

TEST(Format, WidthsOfHeadersMatchTheirRows) {
    for (const TableHead* head : {&kSourcesHead, &kSourceStatsHead, &kSelectHead, &kAuthHead}) {
        EXPECT_EQ(head->wide_header.size(), head->header.size() + 14);
    }
    EXPECT_EQ(clients_header(false, 0).size(), clients_header(true, 0).size());
}

TEST(Format, CsvHasItsDocumentedNumberOfFields) {
    const auto fields = [](const Record& record) {
        return 1 + std::count(record.csv().begin(), record.csv().end(), ',');
    };
    EXPECT_EQ(fields(tracking_record({}, "")), 14);
    EXPECT_EQ(fields(waitsync_record({}, 1)), 4);
    EXPECT_EQ(fields(source_record({}, "", 0)), 10);
    EXPECT_EQ(fields(source_stats_record({}, "", 0)), 8);
    EXPECT_EQ(fields(select_record({}, "", 0)), 18);
    EXPECT_EQ(fields(activity_record({})), 5);
    EXPECT_EQ(fields(auth_record({}, "", 0)), 10);
    EXPECT_EQ(fields(ntp_record({})), 38);
    EXPECT_EQ(fields(client_record({}, "", false, 0)), 10);
    EXPECT_EQ(fields(server_stats_record({})), 17);
    EXPECT_EQ(fields(smoothing_record({})), 7);
    EXPECT_EQ(fields(rtc_record({})), 6);
    EXPECT_EQ(fields(manual_record({}, 0)), 5);
}

TEST(Dataplane, QuantilesOfTheLatencyLieInTheirBuckets) {
    std::array<std::uint64_t, command::kLatencyBuckets> histogram{};
    EXPECT_EQ(latency_quantile_s(histogram, 0.5), 0.0);
    histogram[10] = 98;  // 1.024 to 2.048 us
    histogram[20] = 2;   // 1.05 to 2.1 ms
    const double median_s = latency_quantile_s(histogram, 0.5);
    EXPECT_GT(median_s, 1.024e-6);
    EXPECT_LT(median_s, 2.048e-6);
    EXPECT_GT(latency_quantile_s(histogram, 0.99), 1e-3);
    EXPECT_LE(latency_quantile_s(histogram, 1.0), 2.1e-3);
}

}  // namespace
}  // namespace gnomon::cli
