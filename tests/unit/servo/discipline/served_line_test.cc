#include "servo/discipline/served_line.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

const SystemTime kNow = SystemTime::from_ns(1'000'000'000'000);

ClockLine line_with_offset(Duration offset, double rate = 0.0) {
    ClockLine line;
    line.epoch = kNow - Duration::from_s(10);
    line.offset = offset;
    line.rate = rate;
    return line;
}

TEST(ServedLine, ForwardCorrectionsAreServedAtOnce) {
    const ClockLine before = line_with_offset(Duration::zero());
    const ClockLine after = line_with_offset(Duration::from_ms(1));
    const ClockLine served = keep_monotone(before, after, kNow);
    EXPECT_EQ(served.to_utc(kNow), after.to_utc(kNow));
}

TEST(ServedLine, BackwardCorrectionsAreCaughtUpAtHalfSpeed) {
    const ClockLine before = line_with_offset(Duration::from_ms(1));
    const ClockLine after = line_with_offset(Duration::zero());
    const ClockLine served = keep_monotone(before, after, kNow);
    EXPECT_EQ(served.to_utc(kNow), before.to_utc(kNow));
    EXPECT_EQ(served.to_utc(kNow + Duration::from_ms(1)) - served.to_utc(kNow),
              Duration::from_us(500));
    EXPECT_EQ(served.to_utc(kNow + Duration::from_ms(2)),
              after.to_utc(kNow + Duration::from_ms(2)));
    EXPECT_EQ(served.to_utc(kNow + Duration::from_s(9)), after.to_utc(kNow + Duration::from_s(9)));
}

TEST(ServedLine, StampsFromBeforeTheCorrectionKeepTheirReading) {
    const ClockLine before = line_with_offset(Duration::from_ms(1));
    const ClockLine served = keep_monotone(before, line_with_offset(Duration::zero()), kNow);
    const SystemTime earlier = kNow - Duration::from_us(30);
    EXPECT_EQ(served.to_utc(earlier), before.to_utc(earlier));
}

TEST(ServedLine, NeverRunsBackThroughAnySequenceOfCorrections) {
    ClockLine served = line_with_offset(Duration::zero());
    UtcTime last = served.to_utc(kNow);
    std::uint64_t random = 1;
    for (int i = 0; i < 100'000; ++i) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        const SystemTime at = kNow + Duration::from_us(100) * i;
        const auto offset = Duration::from_ns(static_cast<std::int64_t>(random >> 40) % 1'000'000);
        ClockLine corrected = line_with_offset(offset, 1e-4);
        corrected.epoch = at - Duration::from_s(1);
        served = keep_monotone(served, corrected, at);
        for (const int us : {0, 20, 99}) {
            const UtcTime now = served.to_utc(at + Duration::from_us(us));
            ASSERT_GE(now, last) << i;
            last = now;
        }
    }
}

TEST(ServedLine, CorrectionsBeyondASecondAreServedAtOnce) {
    const ClockLine before = line_with_offset(Duration::from_s(5));
    const ClockLine after = line_with_offset(Duration::zero());
    EXPECT_EQ(keep_monotone(before, after, kNow).to_utc(kNow), after.to_utc(kNow));
}

}  // namespace
}  // namespace gnomon
