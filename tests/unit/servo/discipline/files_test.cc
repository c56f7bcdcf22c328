#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "servo/discipline/drift_file.h"
#include "servo/discipline/leap_table.h"

namespace gnomon {
namespace {

TEST(DriftFile, FormatIsChronys) {
    DriftRecord record;
    record.correction = Frequency::from_ppm(-12.3456787);
    record.skew = 0.25e-6;
    EXPECT_EQ(format_drift_file(record), "           12.345679             0.250000\n");
    record.correction = Frequency();
    EXPECT_EQ(format_drift_file(record).substr(0, 20), "            0.000000");
}

TEST(DriftFile, RoundTrips) {
    for (const double ppm : {-99999.5, -500.0, -0.000123, 0.0, 1.5, 12345.678901}) {
        DriftRecord record;
        record.correction = Frequency::from_ppm(ppm);
        record.skew = 3.5e-6;
        const auto parsed = parse_drift_file(format_drift_file(record));
        ASSERT_TRUE(parsed);
        EXPECT_NEAR(parsed->correction.ppm(), ppm, 1e-6);
        EXPECT_NEAR(parsed->skew, 3.5e-6, 1e-12);
    }
}

TEST(DriftFile, SkewHasAFloor) {
    const auto parsed = parse_drift_file("1.0 0.0");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->skew, 1e-12);
}

TEST(DriftFile, AcceptsHugeButSaneNumbers) {
    const auto parsed = parse_drift_file("-1e+4 100000\n");
    ASSERT_TRUE(parsed);
    EXPECT_NEAR(parsed->correction.ppm(), 1e4, 1e-9);
    EXPECT_NEAR(parsed->skew, 0.1, 1e-12);
}

TEST(DriftFile, CorruptContentHasAReason) {
    const auto error_of = [](std::string_view text) { return parse_drift_file(text).error(); };
    EXPECT_EQ(error_of(""), DriftFileError::Incomplete);
    EXPECT_EQ(error_of("12.5"), DriftFileError::Incomplete);
    EXPECT_EQ(error_of("12.5 x"), DriftFileError::Incomplete);
    EXPECT_EQ(error_of("12.5x 1"), DriftFileError::Incomplete);
    EXPECT_EQ(error_of("nan 1"), DriftFileError::NotFinite);
    EXPECT_EQ(error_of("1 inf"), DriftFileError::NotFinite);
    EXPECT_EQ(error_of("1e6 1"), DriftFileError::OutOfRange);
    EXPECT_EQ(error_of("1 -1"), DriftFileError::OutOfRange);
    EXPECT_EQ(error_of(std::string(1000, '1') + " 1"), DriftFileError::Incomplete);
    EXPECT_EQ(error_of(std::string_view("\0\0\0 1", 6)), DriftFileError::Incomplete);
}

TEST(DriftFile, IsDueAfterItsIntervalOfUpdates) {
    DriftFileSchedule schedule(Duration::from_s(100));
    EXPECT_FALSE(schedule.update(Duration::from_s(64)));
    EXPECT_TRUE(schedule.update(Duration::from_s(64)));
    EXPECT_FALSE(schedule.update(Duration::from_s(64)));
}

constexpr const char* kList =
    "#\tcomment\n"
    "\n"
    "#$\t3676924800\n"
    "#@\t3928521600\n"
    "3345062400\t33\t# 1 Jan 2006\n"
    "3439756800\t34\t# 1 Jan 2009\n"
    "3550089600\t35\t# 1 Jul 2012\n"
    "#h\tdeadbeef\n";

TEST(LeapTable, ListAnnouncesTheLeapSecondAllDay) {
    const auto table = LeapTable::parse_list(kList);
    ASSERT_TRUE(table);
    constexpr std::int64_t kMidnight = 1'230'768'000;  // 2009-01-01
    EXPECT_EQ(table->lookup(kMidnight - 1).leap, Leap::InsertSecond);
    EXPECT_EQ(table->lookup(kMidnight - 1).tai_offset_s, 33);
    EXPECT_EQ(table->lookup(kMidnight - 86'400).leap, Leap::InsertSecond);
    EXPECT_EQ(table->lookup(kMidnight - 86'401).leap, Leap::Normal);
    EXPECT_EQ(table->lookup(kMidnight).leap, Leap::Normal);
    EXPECT_EQ(table->lookup(kMidnight).tai_offset_s, 34);
    EXPECT_EQ(table->lookup(0).tai_offset_s, 0);
    EXPECT_TRUE(table->is_plausible());
}

TEST(LeapTable, ListKnowsDeletions) {
    const auto table = LeapTable::parse_list("#$ 1\n#@ 9\n3345062400 33\n3439756800 32\n");
    ASSERT_TRUE(table);
    EXPECT_EQ(table->lookup(1'230'767'999).leap, Leap::DeleteSecond);
    EXPECT_FALSE(table->is_plausible());
}

TEST(LeapTable, ExpiryIsReportedButTheOffsetStays) {
    const auto table = LeapTable::parse_list(kList);
    ASSERT_TRUE(table);
    constexpr std::int64_t kExpires = 3'928'521'600 - 2'208'988'800;
    EXPECT_FALSE(table->lookup(kExpires - 86'401).expired);
    EXPECT_TRUE(table->lookup(kExpires).expired);
    EXPECT_EQ(table->lookup(kExpires).tai_offset_s, 35);
}

TEST(LeapTable, BadListsAreRefused) {
    const auto error_of = [](const std::string& text) {
        return LeapTable::parse_list(text).error();
    };
    EXPECT_EQ(error_of(""), LeapTableError::NoUpdateLine);
    EXPECT_EQ(error_of("#$ 1\n"), LeapTableError::NoExpiryLine);
    EXPECT_EQ(error_of("#$ x\n"), LeapTableError::BadEntry);
    EXPECT_EQ(error_of("#$ 1\n#@ 2\n3345062400\n"), LeapTableError::BadEntry);
    EXPECT_EQ(error_of("#$ 1\n#@ 2\n9999999999999999999999 1\n"), LeapTableError::BadEntry);
    EXPECT_EQ(error_of("#$ 1\n#@ 2\n3345062400 99999\n"), LeapTableError::BadEntry);
    EXPECT_EQ(error_of(std::string(2000, '#') + "\n"), LeapTableError::TooLong);
    std::string many = "#$ 1\n#@ 2\n";
    for (int i = 0; i < 1001; ++i) many += "1 1\n";
    EXPECT_EQ(error_of(many), LeapTableError::TooLong);
}

std::string big_endian(std::uint64_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        text.push_back(static_cast<char>(value >> shift));
    }
    return text;
}

std::string tzif_block(char version, const std::vector<std::pair<std::int64_t, int>>& leaps,
                       int time_size) {
    std::string block = "TZif";
    block += version;
    block += std::string(15, '\0');
    for (const std::uint64_t count : {0UL, 0UL, leaps.size(), 0UL, 1UL, 4UL}) {
        block += big_endian(count, 4);
    }
    block += std::string(6, '\0') + std::string("UTC\0", 4);
    for (const auto& [when, total] : leaps) {
        block += big_endian(static_cast<std::uint64_t>(when), time_size);
        block += big_endian(static_cast<std::uint64_t>(static_cast<std::int64_t>(total)), 4);
    }
    return block;
}

TEST(LeapTable, TzifRecordsBecomeMidnights) {
    // 1972-07-01 and 1973-01-01 as in right/UTC.
    const std::vector<std::pair<std::int64_t, int>> leaps = {{78'796'800, 1}, {94'694'401, 2}};
    for (const char version : {'\0', '2'}) {
        std::string bytes = tzif_block(version, version == '\0' ? leaps : decltype(leaps){}, 4);
        if (version != '\0') bytes += tzif_block(version, leaps, 8);
        const auto table = LeapTable::parse_tzif(bytes);
        ASSERT_TRUE(table);
        EXPECT_EQ(table->entries(),
                  (std::vector<LeapTable::Entry>{{78'796'800, 11}, {94'694'400, 12}}));
    }
}

TEST(LeapTable, TzifDeletionAndExpiry) {
    // A deleted second: 23:59:59 of the last day of 1972 does not exist. Then the expiry record.
    const std::string bytes =
        tzif_block('4', {}, 4) +
        tzif_block('4', {{78'796'800, 1}, {94'694'400, 0}, {200'000'000, 0}}, 8);
    const auto table = LeapTable::parse_tzif(bytes);
    ASSERT_TRUE(table);
    EXPECT_EQ(table->lookup(94'694'399).leap, Leap::DeleteSecond);
    EXPECT_EQ(table->entries().size(), 2U);
    EXPECT_TRUE(table->lookup(200'100'000).expired);
    EXPECT_FALSE(table->lookup(190'000'000).expired);
}

TEST(LeapTable, EveryTruncationOfTzifIsRefused) {
    const std::string bytes =
        tzif_block('2', {}, 4) + tzif_block('2', {{78'796'800, 1}, {94'694'401, 2}}, 8);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        EXPECT_FALSE(LeapTable::parse_tzif(bytes.substr(0, length))) << length;
    }
    std::string huge = bytes;
    for (std::size_t i = 20; i < 44; ++i) huge[i] = '\xff';
    EXPECT_FALSE(LeapTable::parse_tzif(huge));
}

}  // namespace
}  // namespace gnomon
