/// The simulator's own models, checked against what they are supposed to be.

#include <cmath>

#include <gtest/gtest.h>

#include "tests/sim/path_model.h"
#include "tests/sim/sim_clock.h"

namespace gnomon::sim {
namespace {

constexpr TrueTime kSecond = 1'000'000'000;

TEST(SimClock, ConstantFrequencyErrorAddsUp) {
    OscillatorModel model;
    model.frequency = 50e-6;
    model.wander = 0.0;
    SimClock clock(model, 0, 0.25, 1);
    clock.advance_to(1000 * kSecond);
    EXPECT_NEAR(clock.error_s(), 0.25 + 0.05, 1e-12);
}

TEST(SimClock, CorrectionCancelsTheErrorUpToTheKernelsQuantum) {
    OscillatorModel model;
    model.frequency = 50e-6;
    model.wander = 0.0;
    SimClock clock(model, 0, 0.0, 1);
    const auto applied = clock.set_frequency(Frequency::from_ratio(-50e-6 / (1 + 50e-6)));
    ASSERT_TRUE(applied.has_value());
    clock.advance_to(1000 * kSecond);
    EXPECT_LT(std::abs(clock.error_s()), 1000 * 1.6e-11);
}

TEST(SimClock, WanderGrowsWithTheSquareRootOfTime) {
    OscillatorModel model;
    model.wander = 1e-8;
    double sum = 0.0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SimClock clock(model, 0, 0.0, seed);
        clock.advance_to(100 * kSecond);
        sum += clock.rate_error() * clock.rate_error();
    }
    EXPECT_NEAR(std::sqrt(sum / 400), 1e-8 * std::sqrt(101.0), 1.2e-8);
}

TEST(SimClock, WakesAtTheRequestedMonotonicTime) {
    OscillatorModel model;
    model.frequency = -80e-6;
    model.wander = 0.0;
    SimClock clock(model, 5 * kSecond, 0.0, 1);
    const MonoTime target = clock.mono() + Duration::from_s(500);
    clock.advance_to(clock.when_mono(target));
    EXPECT_GE(clock.mono(), target);
    EXPECT_LT((clock.mono() - target).ns(), 10);
}

TEST(PathModel, ExponentialJitterHasItsMeanAndIsOneSided) {
    PathModel path;
    path.base_s = 1e-3;
    path.jitter_s = 1e-4;
    SimRandom random(7);
    double sum = 0.0;
    for (int i = 0; i < 20000; ++i) {
        const auto delay_s = path.delay_s(0, random);
        ASSERT_TRUE(delay_s.has_value());
        ASSERT_GT(*delay_s, 1e-3);
        sum += *delay_s - 1e-3;
    }
    EXPECT_NEAR(sum / 20000, 1e-4, 3e-6);
}

TEST(PathModel, PartitionsAndLossDropPackets) {
    PathModel path;
    path.loss = 0.25;
    path.partitions.push_back({100, 200});
    SimRandom random(7);
    EXPECT_FALSE(path.delay_s(150, random).has_value());
    int lost = 0;
    for (int i = 0; i < 10000; ++i) lost += path.delay_s(300, random).has_value() ? 0 : 1;
    EXPECT_NEAR(lost, 2500, 200);
}

}  // namespace
}  // namespace gnomon::sim
