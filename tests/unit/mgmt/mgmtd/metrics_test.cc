#include "mgmt/mgmtd/metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/unit/mgmt/mgmtd/sample.h"

namespace gnomon::mgmtd {
namespace {

const MonoClock::time_point kNow = MonoClock::time_point(std::chrono::hours(1));

std::string render(const Model& model, MonoClock::time_point now = kNow) {
    return render_metrics(model, OwnFigures{}, now, Exposition::Format::Prometheus);
}

void expect_line(const std::string& text, const std::string& line) {
    EXPECT_NE(("\n" + text).find("\n" + line + "\n"), std::string::npos) << line;
}

TEST(Metrics, SignsAndUnitsAreThoseOfTheExporter) {
    const std::string text = render(sample_model(kNow, sample_snapshot()));
    expect_line(text, "chrony_up 1");
    // Ours: behind is positive; the command protocol has these the other way round.
    expect_line(text, "chrony_tracking_last_offset_seconds 2e-06");
    expect_line(text, "chrony_tracking_system_time_seconds 3e-06");
    expect_line(text, "chrony_tracking_frequency_ppms -12.5");
    const std::string labels = "{source_address=\"192.0.2.1\",source_name=\"ntp.example.net\"}";
    expect_line(text, "chrony_sources_last_sample_offset_seconds" + labels + " -4e-06");
    expect_line(text, "chrony_sources_peer_offset_seconds" + labels + " 8e-06");
    expect_line(text, "chrony_sourcestats_offset" + labels + " -7e-06");
    expect_line(text, "chrony_sources_polling_interval_seconds" + labels + " 64");
    expect_line(text,
                "chrony_sources_reachability_ratio"
                "{source_address=\"192.0.2.2\",source_name=\"192.0.2.2\"} 0.5");
    expect_line(text,
                "chrony_tracking_info{tracking_address=\"192.0.2.1\",tracking_name="
                "\"ntp.example.net\",tracking_refid=\"C0000201\"} 1");
    expect_line(text, "chrony_tracking_remote_reference 1");
    expect_line(text,
                "chrony_sources_state_info{source_address=\"192.0.2.2\",source_name="
                "\"192.0.2.2\",source_state=\"candidate\",source_mode=\"client\"} 1");
    expect_line(text, "gnomon_clock_state{state=\"LOCKED\"} 1");
    expect_line(text, "gnomon_clock_state{state=\"HOLDOVER\"} 0");
    expect_line(text, "gnomon_clock_error_bound_seconds 0.001");
}

TEST(Metrics, NothingOldIsShownOfADaemonThatIsNotHeard) {
    Model model = sample_model(kNow, sample_snapshot());
    model.disconnected();
    const std::string text = render(model);
    expect_line(text, "chrony_up 0");
    expect_line(text, "gnomon_ready 0");
    EXPECT_EQ(text.find("chrony_tracking"), std::string::npos);
    const Model silent = sample_model(kNow, sample_snapshot());
    expect_line(render(silent, kNow + std::chrono::seconds(30)), "chrony_up 0");
}

TEST(Metrics, UnresolvedSourcesAreOnlyInSourcestats) {
    telemetry::Snapshot snapshot = sample_snapshot(1);
    snapshot.sources[0].source.address = IpAddress::id(5);
    const std::string text = render(sample_model(kNow, snapshot));
    EXPECT_EQ(text.find("chrony_sources_stratum{"), std::string::npos);
    EXPECT_NE(text.find("chrony_sourcestats_samples{source_address=\"ID#"), std::string::npos);
}

TEST(Metrics, ReferenceClockIsCalledByItsReferenceId) {
    telemetry::Snapshot snapshot = sample_snapshot(1);
    telemetry::Source& source = snapshot.sources[0];
    source.source.mode = command::SourceMode::ReferenceClock;
    source.source.address = IpAddress::v4(RefId::from_text("PPS").value);
    source.stats.ref_id = RefId::from_text("PPS");
    source.ntp.reset();
    const std::string text = render(sample_model(kNow, snapshot));
    EXPECT_NE(text.find("source_address=\"PPS\",source_name=\"PPS\",source_state=\"sync\","
                        "source_mode=\"reference clock\""),
              std::string::npos);
    EXPECT_EQ(text.find("chrony_sources_peer_delay_seconds{"), std::string::npos);
}

TEST(Metrics, UnknownBoundIsInfinite) {
    telemetry::Snapshot snapshot = sample_snapshot(0);
    snapshot.state.bound_known = false;
    expect_line(render(sample_model(kNow, snapshot)), "gnomon_clock_error_bound_seconds +Inf");
}

TEST(Metrics, ClientHistogramsAreCumulative) {
    telemetry::Snapshot snapshot = sample_snapshot(0);
    snapshot.clients.emplace();
    snapshot.clients->drops.counts = {4, 3, 0, 0, 0, 0, 0, 2};
    snapshot.clients->drops.sum = 305;
    const std::string text = render(sample_model(kNow, snapshot));
    expect_line(text, "chrony_clients_ntp_drops_bucket{le=\"0\"} 4");
    expect_line(text, "chrony_clients_ntp_drops_bucket{le=\"1\"} 7");
    expect_line(text, "chrony_clients_ntp_drops_bucket{le=\"100\"} 7");
    expect_line(text, "chrony_clients_ntp_drops_bucket{le=\"+Inf\"} 9");
    expect_line(text, "chrony_clients_ntp_drops_sum 305");
    expect_line(text, "chrony_clients_ntp_drops_count 9");
}

TEST(Metrics, NoSampleComesTwiceAndEveryFamilyHasItsHead) {
    std::istringstream lines(render(sample_model(kNow, sample_snapshot(3))));
    std::set<std::string> seen;
    std::set<std::string> heads;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("# TYPE ", 0) == 0) {
            EXPECT_TRUE(heads.insert(line.substr(7, line.find(' ', 7) - 7)).second) << line;
        } else if (line[0] != '#') {
            EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
            std::string name = line.substr(0, line.find_first_of("{ "));
            for (const char* suffix : {"_bucket", "_sum", "_count"}) {
                const std::string end = suffix;
                if (name.size() > end.size() && heads.count(name) == 0 &&
                    name.compare(name.size() - end.size(), end.size(), end) == 0) {
                    name.resize(name.size() - end.size());
                }
            }
            EXPECT_EQ(heads.count(name), 1U) << line;
        }
    }
    EXPECT_GT(seen.size(), 150U);
}

}  // namespace
}  // namespace gnomon::mgmtd
