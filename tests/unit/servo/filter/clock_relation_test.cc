#include "servo/filter/clock_relation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace gnomon {
namespace {

using Fault = ClockRelation::Fault;

constexpr std::int64_t kStart_ns = 1'700'000'000'000'000'000;

/// A hardware clock in closed form over NTP time, optionally with an oscillator that wanders.
class World {
public:
    explicit World(double rate, double noise_s = 0.0, double wander = 0.0, unsigned seed = 1)
        : rate_(rate), noise_s_(noise_s), wander_(wander), random_(seed) {}

    void advance(double d_s) {
        // Random-walk FM: an exact pair of frequency and phase steps.
        const double u = normal_(random_);
        const double v = normal_(random_);
        const double phase = wander_ * std::pow(d_s, 1.5) * (0.5 * u + v / std::sqrt(12.0));
        now_s_ += d_s;
        gained_s_ += rate_ * d_s + phase;
        rate_ += wander_ * std::sqrt(d_s) * u;
    }
    UtcTime now() const { return UtcTime::from_ns(kStart_ns) + Duration::from_seconds(now_s_); }
    PhcTime phc() const {
        return PhcTime::from_ns(5'000'000'000) + Duration::from_seconds(now_s_) +
               Duration::from_seconds(gained_s_);
    }
    ClockReading reading() {
        ClockReading reading;
        reading.at = now();
        reading.phc = phc() + Duration::from_seconds(noise_s_ * normal_(random_));
        reading.variance_s2 = noise_s_ * noise_s_;
        return reading;
    }
    /// Of the conversion of a stamp taken now.
    std::optional<double> error_s(const ClockRelation& relation) const {
        const auto converted = relation.to_utc(phc());
        if (!converted) return std::nullopt;
        return (converted->at - now()).to_seconds();
    }
    void jump(double s) { gained_s_ += s; }
    void set_rate(double rate) { rate_ = rate; }

private:
    double rate_;
    double noise_s_;
    double wander_;
    double now_s_ = 0.0;
    double gained_s_ = 0.0;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
};

TEST(ClockRelation, TwoReadingsTellOffsetAndRate) {
    World world(3e-5);
    ClockRelation relation;
    EXPECT_FALSE(relation.to_utc(world.phc()).has_value());
    relation.update(world.reading());
    EXPECT_FALSE(relation.is_trusted());
    world.advance(1.0);
    relation.update(world.reading());
    ASSERT_TRUE(relation.is_trusted());
    EXPECT_NEAR(relation.frequency(), 3e-5, 2e-9);
    world.advance(0.5);
    EXPECT_NEAR(*world.error_s(relation), 0.0, 2e-9);
}

TEST(ClockRelation, AnAgedStampIsConvertedBackwards) {
    World world(-2e-4);
    ClockRelation relation;
    for (int i = 0; i < 5; ++i, world.advance(1.0)) relation.update(world.reading());
    const World then = world;
    world.advance(1.0);
    relation.update(world.reading());
    EXPECT_NEAR(*then.error_s(relation), 0.0, 2e-9);
}

TEST(ClockRelation, MinReadingsAreWaitedFor) {
    World world(1e-6);
    ClockRelationConfig config;
    config.min_readings = 6;
    ClockRelation relation(config);
    for (int i = 0; i < 5; ++i, world.advance(1.0)) {
        relation.update(world.reading());
        EXPECT_FALSE(relation.is_trusted());
    }
    relation.update(world.reading());
    EXPECT_TRUE(relation.is_trusted());
}

// What it says of its error is true, whatever the wander and whatever it was told of the noise.
TEST(ClockRelation, ErrorsAreAsLargeAsTheVarianceSays) {
    for (const double wander : {1e-10, 1e-9, 1e-8}) {
        for (const double noise_s : {5e-9, 5e-8}) {
            double square = 0.0;
            double error = 0.0;
            double error_square = 0.0;
            int count = 0;
            for (unsigned seed = 1; seed <= 20; ++seed) {
                World world(1e-5, noise_s, wander, seed);
                ClockRelation relation;
                for (int i = 0; i < 400; ++i) {
                    world.advance(1.0);
                    relation.update(world.reading());
                    if (i < 100) continue;
                    const auto converted = relation.to_utc(world.phc());
                    ASSERT_TRUE(converted.has_value());
                    const double e = (converted->at - world.now()).to_seconds();
                    square += e * e / converted->variance_s2;
                    error += e;
                    error_square += e * e;
                    ++count;
                }
            }
            const double nees = square / count;
            EXPECT_GT(nees, 0.5) << wander << " " << noise_s;
            EXPECT_LT(nees, 1.6) << wander << " " << noise_s;
            // And better than the reading it has just got, without bias.
            EXPECT_LT(std::sqrt(error_square / count), noise_s);
            EXPECT_LT(std::fabs(error / count), 0.1 * noise_s);
        }
    }
}

TEST(ClockRelation, QuietClocksAreAveraged) {
    World world(1e-5, 5e-8, 1e-11, 3);
    ClockRelation relation;
    double square = 0.0;
    for (int i = 0; i < 3000; ++i) {
        world.advance(1.0);
        relation.update(world.reading());
        if (i >= 1000) square += std::pow(*world.error_s(relation), 2);
    }
    EXPECT_LT(std::sqrt(square / 2000), 0.2 * 5e-8);
}

TEST(ClockRelation, NoiseThatABurstDoesNotShowIsLearned) {
    World world(1e-5, 1e-7, 1e-11, 5);
    ClockRelation relation;
    double square = 0.0;
    double promised = 0.0;
    for (int i = 0; i < 2000; ++i) {
        world.advance(1.0);
        ClockReading reading = world.reading();
        reading.variance_s2 /= 100.0;
        reading.error_s = 1e-6;
        relation.update(reading);
        if (i < 1000) continue;
        square += std::pow(*world.error_s(relation), 2);
        promised += relation.to_utc(world.phc())->variance_s2;
    }
    EXPECT_LT(std::sqrt(square / 1000), 0.3 * 1e-7);
    EXPECT_LT(square, 2.0 * promised);
}

TEST(ClockRelation, AdjustmentsOfTheNtpClockAreKnown) {
    World world(2e-5);
    ClockRelation relation;
    for (int i = 0; i < 20; ++i, world.advance(1.0)) relation.update(world.reading());
    const PhcTime stamp = world.phc();
    const double sd_s = relation.offset_sd_s();
    ClockAdjustment adjustment;
    adjustment.at = world.now();
    adjustment.frequency_change = -3e-5;
    adjustment.offset_change_s = 0.25;
    relation.adjust(adjustment);
    ASSERT_TRUE(relation.is_trusted());
    EXPECT_NEAR((relation.to_utc(stamp)->at - world.now()).to_seconds(), 0.25, 3e-9);
    EXPECT_NEAR(relation.frequency(), 5e-5, 1e-8);
    EXPECT_NEAR(relation.offset_sd_s(), sd_s, 1e-3 * sd_s);

    // From here the NTP clock runs slower: two seconds of the old one are a little less.
    ClockReading next;
    next.at = world.now() + Duration::from_seconds(0.25 + 2.0 * (1.0 - 3e-5));
    world.advance(2.0);
    next.phc = world.phc();
    EXPECT_EQ(relation.update(next), Fault::None);
    EXPECT_TRUE(relation.is_trusted());
    EXPECT_EQ(relation.faults(), 0u);
}

TEST(ClockRelation, AStepByOthersBeginsAnew) {
    World world(1e-5);
    ClockRelation relation;
    for (int i = 0; i < 5; ++i, world.advance(1.0)) relation.update(world.reading());
    ClockAdjustment adjustment;
    adjustment.kind = ClockAdjustment::Kind::UnknownStep;
    relation.adjust(adjustment);
    EXPECT_FALSE(relation.is_trusted());
    for (int i = 0; i < 2; ++i, world.advance(1.0)) relation.update(world.reading());
    EXPECT_TRUE(relation.is_trusted());
    EXPECT_EQ(relation.faults(), 0u);
}

TEST(ClockRelation, OneWildReadingIsNotBelieved) {
    World world(1e-5, 1e-8);
    ClockRelation relation;
    for (int i = 0; i < 20; ++i, world.advance(1.0)) relation.update(world.reading());
    ClockReading wild = world.reading();
    wild.phc += Duration::from_us(20);
    EXPECT_EQ(relation.update(wild), Fault::None);
    EXPECT_FALSE(relation.is_trusted());
    world.advance(1.0);
    EXPECT_EQ(relation.update(world.reading()), Fault::None);
    EXPECT_TRUE(relation.is_trusted());
    EXPECT_NEAR(*world.error_s(relation), 0.0, 5e-8);
    EXPECT_EQ(relation.faults(), 0u);
}

TEST(ClockRelation, AJumpIsToldOnceAndLearned) {
    World world(1e-5, 1e-8);
    ClockRelation relation;
    for (int i = 0; i < 20; ++i, world.advance(1.0)) relation.update(world.reading());
    world.jump(-3e-3);
    EXPECT_EQ(relation.update(world.reading()), Fault::None);
    EXPECT_FALSE(relation.is_trusted());
    world.advance(1.0);
    EXPECT_EQ(relation.update(world.reading()), Fault::Jumped);
    int readings = 0;
    while (!relation.is_trusted()) {
        world.advance(1.0);
        EXPECT_EQ(relation.update(world.reading()), Fault::None);
        ASSERT_LT(++readings, 10);
    }
    EXPECT_NEAR(*world.error_s(relation), 0.0, 1e-7);
    EXPECT_EQ(relation.faults(), 1u);
}

TEST(ClockRelation, AClockThatKeepsJumpingIsTrustedLessAndLess) {
    World world(1e-5, 1e-8);
    ClockRelation relation;
    int last = 0;
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 3; ++i, world.advance(1.0)) relation.update(world.reading());
        world.jump(1e-3);
        for (int i = 0; i < 2; ++i, world.advance(1.0)) relation.update(world.reading());
        int readings = 0;
        for (; !relation.is_trusted(); ++readings, world.advance(1.0)) {
            relation.update(world.reading());
            ASSERT_LT(readings, 2 * ClockRelation::kMaxProbation);
        }
        EXPECT_GT(readings, last);
        last = readings;
    }
}

TEST(ClockRelation, AStoppedClockIsNoticedAtOnce) {
    World world(1e-5, 1e-9);
    ClockRelation relation;
    for (int i = 0; i < 10; ++i, world.advance(1.0)) relation.update(world.reading());
    ClockReading frozen = world.reading();
    relation.update(frozen);
    frozen.at += Duration::from_s(1);
    EXPECT_EQ(relation.update(frozen), Fault::Stopped);
    EXPECT_FALSE(relation.to_utc(frozen.phc).has_value());
    for (int i = 0; i < 20; ++i) {
        frozen.at += Duration::from_s(1);
        EXPECT_EQ(relation.update(frozen), Fault::None);
        EXPECT_FALSE(relation.is_trusted());
    }
}

TEST(ClockRelation, AClockThatRunsTwoAndAHalfTimesTooFastIsNeverTrusted) {
    World world(1.5, 1e-8);
    ClockRelation relation;
    int told = 0;
    for (int i = 0; i < 100; ++i, world.advance(1.0)) {
        if (relation.update(world.reading()) == Fault::WrongRate) ++told;
        EXPECT_FALSE(relation.is_trusted());
    }
    EXPECT_EQ(told, 1);
    // It may be repaired.
    world.set_rate(1e-6);
    for (int i = 0; i < 20; ++i, world.advance(1.0)) relation.update(world.reading());
    EXPECT_TRUE(relation.is_trusted());
}

TEST(ClockRelation, FarStampsAreNotConverted) {
    World world(1e-5);
    ClockRelation relation;
    for (int i = 0; i < 3; ++i, world.advance(1.0)) relation.update(world.reading());
    ASSERT_TRUE(relation.to_utc(world.phc()).has_value());
    const Duration far = ClockRelation::kMaxReach + Duration::from_s(2);
    EXPECT_FALSE(relation.to_utc(world.phc() + far).has_value());
    EXPECT_FALSE(relation.to_utc(world.phc() - far).has_value());
    EXPECT_FALSE(relation.to_utc(PhcTime::max()).has_value());
    EXPECT_FALSE(
        relation.to_utc(PhcTime::from_ns(std::numeric_limits<std::int64_t>::min())).has_value());
}

TEST(ClockRelation, AnythingFiniteOrNotLeavesItSane) {
    ClockRelation relation;
    std::mt19937_64 random(7);
    const double values[] = {0.0,   1e-300,
                             1e-9,  1.0,
                             1e300, std::numeric_limits<double>::infinity(),
                             -1e-9, std::numeric_limits<double>::quiet_NaN()};
    for (int i = 0; i < 20000; ++i) {
        ClockReading reading;
        reading.at = UtcTime::from_ns(static_cast<std::int64_t>(random()) >> (random() % 64));
        reading.phc = PhcTime::from_ns(static_cast<std::int64_t>(random()) >> (random() % 64));
        reading.variance_s2 = values[random() % 8];
        reading.error_s = values[random() % 8];
        relation.update(reading);
        ClockAdjustment adjustment;
        adjustment.at = reading.at;
        adjustment.frequency_change = values[random() % 5] * 1e-3;
        adjustment.offset_change_s = values[random() % 4];
        if (random() % 4 == 0) relation.adjust(adjustment);
        if (const auto converted = relation.to_utc(reading.phc)) {
            EXPECT_TRUE(std::isfinite(converted->variance_s2) && converted->variance_s2 > 0.0);
        }
        EXPECT_TRUE(std::isfinite(relation.frequency()));
    }
}

}  // namespace
}  // namespace gnomon
