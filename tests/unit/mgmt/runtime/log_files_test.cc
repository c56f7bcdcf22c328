#include "mgmt/runtime/log_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "mgmt/runtime/storage.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

constexpr UtcTime kTime = UtcTime::from_ns(1'262'304'259'700'000'000);  // 2010-01-01 00:04:19.7

TEST(LogFiles, MeasurementRow_HasTheColumnsThatAnalysersParse) {
    MeasurementRecord record;
    record.at = kTime;
    record.address = *IpAddress::parse("192.168.123.1");
    record.stratum = 1;
    record.tests = 0x3ff;
    record.local_poll = 6;
    record.remote_poll = 6;
    record.offset_s = 4.536e-05;
    record.peer_delay_s = 3.663e-04;
    record.peer_dispersion_s = 2.232e-07;
    record.ref_id = 0x7f7f0101;
    record.mode = 4;
    record.tx_source = TimestampSource::Kernel;
    record.rx_source = TimestampSource::Kernel;
    EXPECT_EQ(measurement_row(record),
              "2010-01-01 00:04:19 192.168.123.1   N  1 111 111 1111   6  6 0.00  4.536e-05  "
              "3.663e-04  2.232e-07  0.000e+00  0.000e+00 7F7F0101 4B K K");
    record.tests = 0x3fe;
    EXPECT_NE(measurement_row(record).find(" 111 111 1110 "), std::string::npos);
}

TEST(LogFiles, TrackingRow_CountsFastClocksAsPositive) {
    TrackingRecord record;
    record.at = kTime;
    record.source.address = *IpAddress::parse("192.168.123.1");
    record.stratum = 2;
    record.frequency_ppm = 99.868;
    record.skew_ppm = 1.554;
    record.offset_s = 1.832e-05;  // behind
    record.leap = Leap::Normal;
    record.combined = 1;
    record.offset_sd_s = 3.546e-05;
    record.uncorrected_offset_s = 9.350e-06;
    record.root_delay_s = 3.663e-04;
    record.root_dispersion_s = 1.298e-04;
    record.max_error_s = 4.807e-04;
    EXPECT_EQ(tracking_row(record),
              "2010-01-01 00:04:19 192.168.123.1    2     99.868      1.554 -1.832e-05 N  1  "
              "3.546e-05  9.350e-06  3.663e-04  1.298e-04  4.807e-04");
}

TEST(LogFiles, StatisticsAndSelectionRows_TurnTheSignOfOffsets) {
    StatisticsRecord statistics;
    statistics.at = kTime;
    statistics.source.ref_id = RefId::from_text("PHC0");
    statistics.stddev_s = 2.388e-07;
    statistics.offset_s = -1.103e-01;
    statistics.offset_sd_s = 1.627e-07;
    statistics.frequency = -9.998e-05;
    statistics.skew = 1.937e-08;
    statistics.stress = 0.48;
    statistics.samples = 7;
    statistics.runs = 3;
    EXPECT_EQ(statistics_row(statistics),
              "2010-01-01 00:04:19 PHC0             2.388e-07  1.103e-01  1.627e-07  9.998e-05  "
              "1.937e-08 4.8e-01   7   0   3  0.00");

    SelectionRecord selection;
    selection.at = kTime;
    selection.source.ref_id = RefId::from_text("PHC0");
    selection.state = 'N';
    selection.noselect = true;
    selection.reach = 3;
    selection.score = 1.0;
    selection.low_s = -2e-3;
    selection.high_s = 1e-3;
    EXPECT_EQ(selection_row(selection),
              "2010-01-01 00:04:19 PHC0            N -N---    3  1.00  0.000e+00 -1.000e-03  "
              "2.000e-03");
}

TEST(LogFiles, RowsOfReferenceClocksShowSamplesAndWhatTheyMergeInto) {
    RefclockRecord record;
    record.at = UtcTime::from_ns(1'262'304'004'100'003'999);
    record.source.ref_id = RefId::from_text("PHC0");
    record.driver_poll = 4;
    record.raw_offset_s = -1.004014e-01;
    record.offset_s = -1.004014e-01;
    record.dispersion_s = 1.010e-07;
    EXPECT_EQ(refclock_row(record),
              "2010-01-01 00:00:04.100003 PHC0    4 N 0 -1.004014e-01 -1.004014e-01  1.010e-07");
    record.merged = true;
    EXPECT_EQ(refclock_row(record),
              "2010-01-01 00:00:04.100003 PHC0    - N -       -       -1.004014e-01  1.010e-07");
}

TEST(LogFiles, File_AppearsWithItsFirstRowAndRepeatsItsBanner) {
    const TemporaryDirectory directory;
    LogConfig config;
    config.directory = directory.path();
    config.tracking = true;
    config.banner_entries = 2;
    LogFiles files(config);
    const std::string path = directory.path() + "/tracking.log";
    files.write(StatisticsRecord{});  // not configured
    struct stat status {};
    EXPECT_NE(stat(path.c_str(), &status), 0);

    for (int i = 0; i < 5; ++i) files.write(TrackingRecord{});
    const std::string text = *read_file(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3 * 3 + 5);
    EXPECT_EQ(text.substr(0, 3), "===");
    EXPECT_EQ(text.substr(text.find('\n') + 1, 24), "   Date (UTC) Time     I");

    rename(path.c_str(), (path + ".1").c_str());
    files.cycle();
    files.write(TrackingRecord{});
    const std::string fresh = *read_file(path);
    EXPECT_EQ(std::count(fresh.begin(), fresh.end(), '\n'), 4);
}

TEST(LogFiles, RawMeasurements_IncludeWhatFailedTheTests) {
    const TemporaryDirectory directory;
    LogConfig config;
    config.directory = directory.path();
    config.measurements = true;
    config.banner_entries = 0;
    MeasurementRecord bad;
    MeasurementRecord good;
    good.valid = true;
    {
        LogFiles files(config);
        files.write(bad);
        files.write(good);
    }
    const std::string path = directory.path() + "/measurements.log";
    std::string text = *read_file(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    config.raw_measurements = true;
    {
        LogFiles files(config);
        files.write(bad);
    }
    text = *read_file(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

}  // namespace
}  // namespace gnomon
