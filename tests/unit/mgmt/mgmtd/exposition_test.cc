#include "mgmt/mgmtd/exposition.h"

#include <gtest/gtest.h>

#include <limits>

namespace gnomon::mgmtd {
namespace {

using Format = Exposition::Format;
using Type = Exposition::Type;

TEST(Exposition, LabelsFromOutsideCannotEndTheLine) {
    Exposition out(Format::Prometheus);
    out.family("m", Type::Gauge, "What\nit is");
    out.sample(1.5, {{"name", "a\"b\\c\nd 1\n# HELP"}});
    EXPECT_EQ(
        out.finish(),
        "# HELP m What\\nit is\n# TYPE m gauge\nm{name=\"a\\\"b\\\\c\\nd 1\\n# HELP\"} 1.5\n");
}

TEST(Exposition, CounterLosesItsSuffixInTheHeadOfOpenMetricsOnly) {
    for (const Format format : {Format::Prometheus, Format::OpenMetrics}) {
        Exposition out(format);
        out.family("packets_total", Type::Counter, "Packets");
        out.sample(std::uint64_t{1} << 60);
        const std::string text = out.finish();
        const bool open = format == Format::OpenMetrics;
        EXPECT_NE(text.find(open ? "# TYPE packets counter\n" : "# TYPE packets_total counter\n"),
                  std::string::npos);
        EXPECT_NE(text.find("packets_total 1152921504606846976\n"), std::string::npos);
        EXPECT_EQ(text.find("# EOF") != std::string::npos, open);
    }
}

TEST(Exposition, NumbersThatAreNone) {
    EXPECT_EQ(metric_number(std::numeric_limits<double>::infinity()), "+Inf");
    EXPECT_EQ(metric_number(-std::numeric_limits<double>::infinity()), "-Inf");
    EXPECT_EQ(metric_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
    EXPECT_EQ(metric_number(-0.0), "0");
    EXPECT_EQ(std::stod(metric_number(0.1 + 0.2)), 0.1 + 0.2);
}

TEST(Exposition, BoundsOfBucketsAreFloatsInOpenMetrics) {
    Exposition plain(Format::Prometheus);
    plain.family("h", Type::Histogram, "H");
    plain.bucket(5, 1);
    EXPECT_NE(plain.finish().find("h_bucket{le=\"5\"} 1\n"), std::string::npos);
    Exposition open(Format::OpenMetrics);
    open.family("h", Type::Histogram, "H");
    open.bucket(5, 1);
    open.total(2.5, 1);
    const std::string text = open.finish();
    EXPECT_NE(text.find("h_bucket{le=\"5.0\"} 1\nh_sum 2.5\nh_count 1\n"), std::string::npos)
        << text;
}

TEST(Exposition, FormatIsWhatTheClientAsksFor) {
    EXPECT_EQ(Exposition::negotiate("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
              Format::OpenMetrics);
    EXPECT_EQ(Exposition::negotiate("text/html,*/*"), Format::Prometheus);
    EXPECT_EQ(Exposition::negotiate(""), Format::Prometheus);
}

}  // namespace
}  // namespace gnomon::mgmtd
