#include "mgmt/cli/date.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace gnomon::cli {
namespace {

class Date : public ::testing::Test {
protected:
    Date() {
        setenv("TZ", "UTC", 1);
        tzset();
    }
    // 2026-11-22 17:00:00 UTC, a Sunday.
    static constexpr std::int64_t kNow = 1'795'366'800;
    static constexpr std::int64_t kMidnight = kNow - 17 * 3600;
};

TEST_F(Date, TimeOfDayIsToday) {
    EXPECT_EQ(parse_date("16:30", kNow), kMidnight + 16 * 3600 + 1800);
    EXPECT_EQ(parse_date("16:30:05", kNow), kMidnight + 16 * 3600 + 1805);
    EXPECT_EQ(parse_date("4:30 pm", kNow), kMidnight + 16 * 3600 + 1800);
    EXPECT_EQ(parse_date("12:00 am", kNow), kMidnight);
}

TEST_F(Date, DaysComeInManyShapes) {
    constexpr std::int64_t kExpected = 1'448'123'405;  // 2015-11-21 16:30:05
    for (const char* text :
         {"Nov 21, 2015 16:30:05", "2015-11-21 16:30:05", "2015-11-21T16:30:05Z",
          "11/21/2015 16:30:05", "16:30:05 21 Nov 2015", "Sat Nov 21 16:30:05 2015",
          "November 21 2015 17:30:05 +0100", "@1448123405"}) {
        EXPECT_EQ(parse_date(text, kNow), kExpected) << text;
    }
    EXPECT_EQ(parse_date("nov 21", kNow), kMidnight - 86400);
}

TEST_F(Date, DistancesCountFromNow) {
    EXPECT_EQ(parse_date("now", kNow), kNow);
    EXPECT_EQ(parse_date("3 seconds", kNow), kNow + 3);
    EXPECT_EQ(parse_date("2 hours ago", kNow), kNow - 7200);
    EXPECT_EQ(parse_date("-1 day", kNow), kNow - 86400);
    EXPECT_EQ(parse_date("tomorrow", kNow), kNow + 86400);
}

TEST_F(Date, WhatIsNoDateIsRefused) {
    for (const char* text : {"", "nonsense", "25:00", "16:60", "2015-13-01", "1", "@", "@x",
                             "12:30:99", "Nov", "16:30 16:31", "-", "+", "::", "//", "--"}) {
        EXPECT_EQ(parse_date(text, kNow), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace gnomon::cli
