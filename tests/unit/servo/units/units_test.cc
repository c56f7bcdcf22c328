#include <random>

#include <gtest/gtest.h>

#include "servo/units/duration.h"
#include "servo/units/measurement.h"
#include "servo/units/ntp_time.h"
#include "servo/units/seqlock.h"
#include "servo/units/server_state.h"
#include "servo/units/time_point.h"

namespace gnomon {
namespace {

TEST(Duration, SaturatesInsteadOfOverflowing) {
    EXPECT_EQ(Duration::max() + Duration::from_ns(1), Duration::max());
    EXPECT_EQ(Duration::min() - Duration::from_ns(1), Duration::min());
    EXPECT_EQ(Duration::max() * 2, Duration::max());
    EXPECT_EQ(Duration::max() * -2, Duration::min());
    EXPECT_EQ(-Duration::min(), Duration::max());
    EXPECT_EQ(Duration::from_seconds(1e30), Duration::max());
    EXPECT_EQ(Duration::from_seconds(-1e30), Duration::min());
}

TEST(Duration, RoundsToNearestNotTowardsZero) {
    EXPECT_EQ(Duration::from_seconds(0.6e-9).ns(), 1);
    EXPECT_EQ(Duration::from_seconds(-0.6e-9).ns(), -1);
    EXPECT_EQ(Duration::from_seconds(0.4e-9).ns(), 0);
    EXPECT_EQ(Duration::from_seconds(std::nan("")).ns(), 0);
}

TEST(TimePoint, TimespecOfNegativeTimesHasPositiveNanoseconds) {
    const timespec ts = UtcTime::from_ns(-1).to_timespec();
    EXPECT_EQ(ts.tv_sec, -1);
    EXPECT_EQ(ts.tv_nsec, 999'999'999);
    EXPECT_EQ(UtcTime::from_timespec(ts).ns(), -1);
}

TEST(NtpTimestamp, EveryNanosecondSurvivesTheRoundTrip) {
    std::mt19937_64 random(20260101);
    for (int i = 0; i < 1'000'000; ++i) {
        // Any nanosecond between 1902 and 2096.
        const auto ns = static_cast<std::int64_t>(random() >> 2) - 2'147'000'000'000'000'000;
        const UtcTime t = UtcTime::from_ns(ns);
        ASSERT_EQ(NtpTimestamp::from_utc(t).resolve(t + Duration::from_s(1000)).ns(), ns);
    }
}

TEST(NtpTimestamp, FractionThatRoundsUpCarriesIntoTheSecond) {
    const UtcTime t = UtcTime::from_ns(999'999'999);
    EXPECT_EQ(NtpTimestamp::from_utc(t).resolve(t).ns(), t.ns());
}

TEST(NtpTimestamp, ResolvesAcrossTheEraOf2036) {
    const UtcTime before =
        UtcTime::from_ns(2'085'978'495LL * 1'000'000'000);  // 2036-02-07 06:28:15
    const UtcTime after = before + Duration::from_s(2);
    EXPECT_EQ(NtpTimestamp::from_utc(before).bits() >> 32, 0xffff'ffffU);
    EXPECT_EQ(NtpTimestamp::from_utc(after).bits() >> 32, 1U);
    EXPECT_EQ(NtpTimestamp::from_utc(after).resolve(before), after);
    EXPECT_EQ(NtpTimestamp::from_utc(before).resolve(after), before);
}

TEST(NtpShort, NeverAdvertisesLessThanTheTrueValue) {
    for (const double s : {0.0, 1e-9, 1.5e-5, 0.1, 1.0, 65535.9}) {
        EXPECT_GE(NtpShort::from_seconds_up(s).to_seconds(), s);
    }
    EXPECT_EQ(NtpShort::from_seconds_up(1e9).bits(), 0xffff'ffffU);
    EXPECT_EQ(NtpShort::from_seconds_up(-1.0).bits(), 0U);
    EXPECT_EQ(NtpShort::from_seconds_up(std::nan("")).bits(), 0U);
}

TEST(NtpShort, DelayAndDispersionTogetherNeverAdvertiseLessThanTheTrueBound) {
    const double unit_s = 1.0 / 65536.0;
    for (const double delay_s : {-1e-3, 0.0, 1e-9, 2e-4, 3.3 * unit_s, 0.1, 5.0}) {
        for (const double dispersion_s : {0.0, 1e-7, 9e-6, 1.2e-4, 7.0 * unit_s, 2.0}) {
            const double true_s = 0.5 * std::max(delay_s, 0.0) + dispersion_s;
            const double told_s = 0.5 * NtpShort::from_seconds_up(delay_s).to_seconds() +
                                  NtpShort::dispersion_beside(delay_s, dispersion_s).to_seconds();
            EXPECT_GE(told_s, true_s - 1e-15) << delay_s << ' ' << dispersion_s;
            EXPECT_LE(told_s, true_s + unit_s) << delay_s << ' ' << dispersion_s;
        }
    }
    EXPECT_EQ(NtpShort::dispersion_beside(1e9, 1.0), NtpShort::from_seconds_up(1.0));
    EXPECT_EQ(NtpShort::dispersion_beside(std::nan(""), 1.0), NtpShort::from_seconds_up(1.0));
}

TEST(Measurement, OffsetIsPositiveWhenTheLocalClockIsBehind) {
    Measurement m;
    m.forward = Duration::from_ms(110);  // server's clock 100 ms ahead, 10 ms each way
    m.backward = Duration::from_ms(-90);
    EXPECT_DOUBLE_EQ(m.offset_s(), 0.1);
    EXPECT_DOUBLE_EQ(m.peer_delay_s(), 0.02);
}

TEST(ClockAdjustment, PhaseMovesEveryTimeForwardAndFrequencyMovesThePastBack) {
    ClockAdjustment a;
    a.at = UtcTime::from_ns(1'000'000'000'000);
    a.offset_change_s = 0.5;
    EXPECT_EQ(a.shift(a.at), Duration::from_ms(500));
    a.offset_change_s = 0.0;
    a.frequency_change = 1e-6;
    EXPECT_EQ(a.shift(a.at - Duration::from_s(100)), Duration::from_us(-100));
}

TEST(ClockLine, OffsetChangesAlongTheLine) {
    ClockLine line;
    line.epoch = SystemTime::from_ns(1'000'000'000);
    line.offset = Duration::from_ms(10);
    line.rate = -1e-3;
    EXPECT_EQ(line.to_utc(line.epoch).ns(), 1'010'000'000);
    EXPECT_EQ(line.to_utc(line.epoch + Duration::from_s(10)).ns(), 11'000'000'000);
}

TEST(SeqLock, ReturnsWhatWasStored) {
    SeqLock<ServerState> lock;
    ServerState state;
    state.stratum = 3;
    state.root_delay_s = 0.25;
    lock.store(state);
    EXPECT_EQ(lock.load().stratum, 3);
    EXPECT_EQ(lock.load().root_delay_s, 0.25);
}

}  // namespace
}  // namespace gnomon
