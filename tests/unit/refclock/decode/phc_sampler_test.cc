#include "refclock/decode/phc_sampler.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

namespace gnomon {
namespace {

constexpr std::int64_t kStart_ns = 1'700'000'000'000'000'000;

/// A hardware clock ahead by `offset_ns`; the answer takes `delay_ns`, of which `asymmetry_ns` more on
/// the way back.
PhcReading reading(std::int64_t at_ns, std::int64_t offset_ns, std::int64_t delay_ns,
                   std::int64_t asymmetry_ns = 0) {
    const std::int64_t stamped_ns = at_ns + (delay_ns - asymmetry_ns) / 2;
    return {SystemTime::from_ns(at_ns), PhcTime::from_ns(stamped_ns + offset_ns),
            SystemTime::from_ns(at_ns + delay_ns)};
}

std::vector<PhcReading> burst(std::int64_t at_ns, std::int64_t offset_ns, std::int64_t delay_ns,
                              std::int64_t asymmetry_ns = 0) {
    std::vector<PhcReading> readings;
    for (int i = 0; i < PhcSampler::kMaxReadings; ++i) {
        readings.push_back(reading(at_ns + i * 10'000, offset_ns, delay_ns, asymmetry_ns));
    }
    return readings;
}

TEST(PhcSampler, TheOffsetIsThatAtTheMiddleOfTheReading) {
    PhcSampler sampler(1e-8);
    const auto sample = sampler.combine(burst(kStart_ns, 12345, 2000));
    ASSERT_TRUE(sample.has_value());
    EXPECT_TRUE(sample->usable);
    EXPECT_EQ(sample->offset, Duration::from_ns(12345));
    EXPECT_NEAR(sample->error_s, 1e-6, 1e-12);
    EXPECT_EQ(sample->at, SystemTime::from_ns(kStart_ns + 120'000 + 1000));
}

TEST(PhcSampler, DelayedReadingsAreLeftOut) {
    PhcSampler sampler(1e-8);
    auto readings = burst(kStart_ns, 500, 1000);
    for (std::size_t i = 0; i < readings.size(); i += 2) {
        readings[i] = reading(kStart_ns + 1'000'000, 500, 50'000, 49'000);
    }
    const auto sample = sampler.combine(readings);
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->offset, Duration::from_ns(500));
    EXPECT_NEAR(sample->error_s, 5e-7, 1e-12);
}

TEST(PhcSampler, ABurstThatIsDelayedThroughoutIsOnlyASignOfLife) {
    PhcSampler sampler(1e-8);
    std::int64_t at_ns = kStart_ns;
    for (int i = 0; i < 20; ++i, at_ns += 1'000'000'000) {
        ASSERT_TRUE(sampler.combine(burst(at_ns, 500, 1000))->usable);
    }
    const auto delayed = sampler.combine(burst(at_ns, 500, 5000, 3000));
    ASSERT_TRUE(delayed.has_value());
    EXPECT_FALSE(delayed->usable);
    // Unless it proves that the clock has moved.
    const auto moved = sampler.combine(burst(at_ns + 1'000'000'000, 50'500, 5000, 3000));
    ASSERT_TRUE(moved.has_value());
    EXPECT_TRUE(moved->usable);
    EXPECT_NEAR(moved->error_s, 2.5e-6, 1e-12);
}

TEST(PhcSampler, LastingDelaysBecomeNormal) {
    PhcSampler sampler(1e-8);
    std::int64_t at_ns = kStart_ns;
    for (int i = 0; i < 64; ++i, at_ns += 1'000'000'000) sampler.combine(burst(at_ns, 0, 1000));
    bool usable = false;
    for (int i = 0; i < 40; ++i, at_ns += 1'000'000'000) {
        usable = sampler.combine(burst(at_ns, 0, 2000))->usable;
    }
    EXPECT_TRUE(usable);
}

TEST(PhcSampler, HardwareCrossTimestampsAreTakenAsTheyAre) {
    PhcSampler sampler(1e-7);
    const std::vector<PhcReading> one{reading(kStart_ns, -37'000'000'000, 0)};
    const auto sample = sampler.combine(one);
    ASSERT_TRUE(sample.has_value());
    EXPECT_TRUE(sample->usable);
    EXPECT_EQ(sample->offset, Duration::from_s(-37));
}

TEST(PhcSampler, AStepDuringAReadingSpoilsIt) {
    PhcSampler sampler(1e-7);
    EXPECT_FALSE(sampler.combine({}).has_value());
    EXPECT_FALSE(sampler.combine(burst(kStart_ns, 0, -100)).has_value());
}

TEST(PhcSampler, EventsAreConvertedWithOffsetAndRate) {
    PhcSampler sampler(1e-7);
    EXPECT_FALSE(sampler.to_system(PhcTime::from_ns(kStart_ns)).has_value());
    // The hardware clock gains 100 us/s.
    for (int i = 0; i < 5; ++i) {
        const std::vector<PhcReading> one{
            reading(kStart_ns + i * 1'000'000'000LL, 5'000'000 + i * 100'000LL, 0)};
        sampler.combine(one);
    }
    const auto at = sampler.to_system(PhcTime::from_ns(kStart_ns + 4'500'000'000 + 5'450'000));
    ASSERT_TRUE(at.has_value());
    EXPECT_NEAR((*at - SystemTime::from_ns(kStart_ns + 4'500'000'000)).to_seconds(), 0.0, 2e-9);
    EXPECT_FALSE(sampler.to_system(PhcTime::from_ns(kStart_ns + 500'000'000'000)).has_value());
}

TEST(PhcSampler, AnEventWantsAReadingBesideItWhileTheSystemClockIsSteered) {
    PhcSampler sampler(1e-8);
    for (int i = 0; i < 8; ++i) sampler.combine(burst(kStart_ns + i * 1'000'000'000LL, 0, 1000));
    // From here on the system clock gains 20 us/s, which no reading has seen; a pulse after 0.9 s.
    const std::int64_t pulse_ns = kStart_ns + 7'900'000'000;
    const PhcTime pulse = PhcTime::from_ns(pulse_ns - 18'000);
    EXPECT_FALSE(sampler.has_reading_near(pulse));
    EXPECT_GT(std::abs(sampler.to_system(pulse)->ns() - pulse_ns), 10'000);
    sampler.combine(burst(pulse_ns + 1'000'000, -18'000, 1000));
    EXPECT_TRUE(sampler.has_reading_near(pulse));
    EXPECT_LT(std::abs(sampler.to_system(pulse)->ns() - pulse_ns), 20);
}

}  // namespace
}  // namespace gnomon
