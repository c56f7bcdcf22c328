#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "servo/actuator/clock_reader.h"
#include "servo/actuator/leap_zone.h"
#include "servo/actuator/linux_kernel_clock.h"
#include "servo/actuator/null_clock.h"

namespace gnomon {
namespace {

TEST(KernelFrequency, NominalIsZero) {
    const KernelFrequency kernel = KernelFrequency::from_correction(Frequency(), 100);
    EXPECT_EQ(kernel.tick, 10'000);
    EXPECT_EQ(kernel.freq, 0);
}

TEST(KernelFrequency, IsNearestOverTheWholeRange) {
    for (double ppm = -100'000.0; ppm <= 100'000.0; ppm += 13.37) {
        const auto kernel = KernelFrequency::from_correction(Frequency::from_ppm(ppm), 100);
        EXPECT_NEAR(kernel.correction(100).ppm(), ppm, 0.5 / 65536.0 + 1e-9);
        EXPECT_LE(std::labs(kernel.freq), 500L << 16);
        EXPECT_GE(kernel.tick, 9'000);
        EXPECT_LE(kernel.tick, 11'000);
    }
}

TEST(KernelFrequency, ClampsBeyondTenPercent) {
    for (const double ppm : {2e5, 1e9}) {
        EXPECT_NEAR(
            KernelFrequency::from_correction(Frequency::from_ppm(ppm), 100).correction(100).ppm(),
            1e5, 1e-6);
        EXPECT_NEAR(
            KernelFrequency::from_correction(Frequency::from_ppm(-ppm), 100).correction(100).ppm(),
            -1e5, 1e-6);
    }
}

TEST(KernelFrequency, OddTickRatesWork) {
    for (const long hz : {100L, 128L, 250L, 1000L, 1024L}) {
        const auto kernel = KernelFrequency::from_correction(Frequency::from_ppm(12'345.678), hz);
        EXPECT_NEAR(kernel.correction(hz).ppm(), 12'345.678, 0.5 / 65536.0 + 1e-9) << hz;
    }
}

TEST(ClockPrecision, IsMeasuredWithinReason) {
    const ClockPrecision precision = measure_clock_precision();
    EXPECT_GE(precision.seconds, 1e-9);
    EXPECT_LE(precision.log2, -10);
    EXPECT_GE(precision.log2, -30);
    EXPECT_EQ(clock_precision_from(119e-9).log2, -23);
    EXPECT_EQ(clock_precision_from(0.0).log2, -30);
    EXPECT_EQ(clock_precision_from(7.0).log2, 0);
}

TEST(NullClock, ReadsAndRefusesToStep) {
    NullClock clock;
    EXPECT_GT(clock.now().ns(), 0);
    EXPECT_FALSE(clock.step(Duration::from_s(1)));
    EXPECT_EQ(clock.set_frequency(Frequency::from_ppm(5.0)).value(), Frequency());
    EXPECT_FALSE(clock.can_leap());
}

TEST(LeapZone, RefusesNamesThatLeadAway) {
    EXPECT_EQ(load_leap_zone("").error().code, EINVAL);
    EXPECT_EQ(load_leap_zone("../../etc/passwd").error().code, EINVAL);
    EXPECT_EQ(load_leap_zone("/etc/passwd").error().code, EINVAL);
    EXPECT_EQ(load_leap_zone("No/Such").error().code, ENOENT);
}

TEST(LeapZone, ReadsTheSystemsTable) {
    if (access("/usr/share/zoneinfo/right/UTC", R_OK) != 0) {
        GTEST_SKIP() << "no right/UTC in the time zone database";
    }
    const auto table = load_leap_zone("right/UTC");
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_TRUE(table->is_plausible());
    EXPECT_EQ(table->lookup(1'483'228'799).leap, Leap::InsertSecond);  // 2016-12-31
    EXPECT_EQ(table->lookup(1'483'228'800).tai_offset_s, 37);
    const auto without = load_leap_zone("UTC");
    EXPECT_FALSE(without);
}

TEST(LeapList, AgreesWithTheZone) {
    const std::string path = "/usr/share/zoneinfo/leap-seconds.list";
    if (access(path.c_str(), R_OK) != 0) GTEST_SKIP() << "no " << path;
    const auto list = load_leap_list(path);
    ASSERT_TRUE(list) << list.error().message();
    EXPECT_TRUE(list->is_plausible());
    EXPECT_EQ(list->lookup(1'483'228'799).leap, Leap::InsertSecond);
}

}  // namespace
}  // namespace gnomon
