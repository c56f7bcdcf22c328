#include "refclock/decode/pulse_pairing.h"

#include <gtest/gtest.h>

#include "refclock/decode/raw_sample.h"

namespace gnomon {
namespace {

constexpr double kEps = 1e-12;
const UtcTime kAt = UtcTime::from_ns(1'700'000'000'000'000'000);

TEST(RawSample, APulseSaysHowFarTheClockIsFromTheSecond) {
    EXPECT_EQ(pulse_at(SystemTime::from_ns(1'700'000'000'200'000'000)).offset,
              Duration::from_ms(-200));
}

TEST(PulsePairing, OffsetsLieWithinHalfAnInterval) {
    EXPECT_NEAR(nearest_pulse_offset({}, -0.3), -0.3, kEps);
    EXPECT_NEAR(nearest_pulse_offset({}, -0.7), 0.3, kEps);
    EXPECT_NEAR(nearest_pulse_offset({}, 12.5), -0.5, kEps);
    EXPECT_NEAR(nearest_pulse_offset({.rate_hz = 5}, 0.19), -0.01, kEps);
}

TEST(PulsePairing, APulseIsMovedNextToTheLockedSample) {
    const LockSample reference{kAt, 3.2, 0.001};
    const auto paired = lock_pulse({}, kAt + Duration::from_ms(500), 0.01, 1e-6, reference);
    ASSERT_TRUE(paired.has_value());
    EXPECT_NEAR(*paired, 3.01, kEps);
}

TEST(PulsePairing, ADistanceOfFourTenthsOfTheIntervalIsTooFar) {
    EXPECT_TRUE(lock_pulse({}, kAt, 0.0, 0.0, {kAt, 0.399, 0.0}).has_value());
    EXPECT_EQ(lock_pulse({}, kAt, 0.0, 0.0, {kAt, 0.401, 0.0}).error(), PulseDrop::Ambiguous);
    // Errors of both count.
    EXPECT_EQ(lock_pulse({}, kAt, 0.0, 0.2, {kAt, 0.1, 0.15}).error(), PulseDrop::Ambiguous);
    EXPECT_EQ(lock_pulse({.rate_hz = 10}, kAt, 0.0, 0.0, {kAt, 0.041, 0.0}).error(),
              PulseDrop::Ambiguous);
}

TEST(PulsePairing, AnOldReferenceIsNone) {
    const PulseTrain train{.rate_hz = 1, .max_lock_age_pulses = 2};
    EXPECT_TRUE(lock_pulse(train, kAt + Duration::from_ms(1999), 0.0, 0.0, {kAt}).has_value());
    EXPECT_EQ(lock_pulse(train, kAt + Duration::from_s(2), 0.0, 0.0, {kAt}).error(),
              PulseDrop::TooOld);
    EXPECT_EQ(lock_pulse(train, kAt - Duration::from_s(2), 0.0, 0.0, {kAt}).error(),
              PulseDrop::TooOld);
}

TEST(PulsePairing, TheOtherEdgeIsRecognisedByTheWidth) {
    const PulseTrain train{.width_s = 0.2};
    EXPECT_TRUE(lock_pulse(train, kAt, 0.0, 0.0, {kAt, 0.09}).has_value());
    EXPECT_EQ(lock_pulse(train, kAt, 0.0, 0.0, {kAt, 0.2}).error(), PulseDrop::WrongEdge);
    EXPECT_EQ(place_pulse(train, 0.2, 0.01).error(), PulseDrop::WrongEdge);
    EXPECT_EQ(place_pulse(train, 0.0, 0.15).error(), PulseDrop::WrongEdge);
    EXPECT_TRUE(place_pulse(train, 0.05, 0.05).has_value());
}

TEST(PulsePairing, WithoutALockTheNtpClockMustKnowTheSecond) {
    EXPECT_TRUE(place_pulse({}, 0.3, 0.49).has_value());
    EXPECT_EQ(place_pulse({}, 0.3, 0.5).error(), PulseDrop::Ambiguous);
    EXPECT_EQ(place_pulse({}, 0.3, std::nullopt).error(), PulseDrop::NoReference);
}

}  // namespace
}  // namespace gnomon
