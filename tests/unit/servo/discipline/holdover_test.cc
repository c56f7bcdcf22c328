#include <gtest/gtest.h>

#include <cmath>

#include "servo/discipline/discipline.h"
#include "tests/unit/servo/discipline/fake_clock.h"

namespace gnomon {
namespace {

using test::Machine;

constexpr double kPollS = 64.0;
// What a guess was scored over: 18 averages of ten minutes.
constexpr double kHorizonS = 10800.0;

/// Updates every 64 s that make the frequency drift, s/s per second.
void drift(Machine& machine, double hours, double drift_per_s) {
    for (double t = 0.0; t < hours * 3600.0; t += kPollS) {
        ClockUpdate update = machine.perfect_update();
        update.skew = 1e-9;
        update.estimate.frequency = drift_per_s * kPollS;
        update.estimate.frequency_sd = 1e-10;
        machine.follow(update);
        machine.run(Duration::from_seconds(kPollS));
    }
}

TEST(Holdover, ContinuesADrift) {
    constexpr double kDrift = 1e-8 / 3600.0;
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, kDrift);
    const double before = machine.discipline.frequency().ratio();
    machine.adjustments.clear();
    machine.run(Duration::from_s(2 * 3600));
    EXPECT_NEAR((machine.discipline.frequency().ratio() - before) / (kDrift * 2.0 * 3600.0), 1.0,
                0.1);
    // Holders of times are told, with the exact change.
    double told = 0.0;
    for (const ClockAdjustment& adjustment : machine.adjustments) {
        told += adjustment.frequency_change;
    }
    EXPECT_NEAR(told, machine.discipline.frequency().ratio() - before, 1e-12);
}

TEST(Holdover, ContinuesADriftNoLongerThanItWasScored) {
    constexpr double kDrift = 1e-8 / 3600.0;
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, kDrift);
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_seconds(kHorizonS));
    const double at_horizon = machine.discipline.frequency().ratio();
    EXPECT_NEAR((at_horizon - before) / (kDrift * kHorizonS), 1.0, 0.1);
    machine.run(Duration::from_seconds(24.0 * 3600.0 - kHorizonS));
    EXPECT_EQ(machine.discipline.frequency().ratio(), at_horizon);
}

TEST(Holdover, KeepsWhatOthersDoToTheFrequency) {
    constexpr double kDrift = 1e-8 / 3600.0;
    constexpr double kOthers = 5e-6;
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, kDrift);
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(3600));
    machine.discipline.add_frequency(machine.driver.instant(), kOthers);
    machine.settle();
    machine.run(Duration::from_s(600));
    machine.discipline.adjust_reference(machine.driver.instant(), 0.0, kOthers);
    machine.settle();
    machine.run(Duration::from_s(3000));
    EXPECT_NEAR(machine.discipline.frequency().ratio() - before - 2.0 * kOthers,
                kDrift * 2.0 * 3600.0, 0.1 * kDrift * 2.0 * 3600.0);
}

TEST(Holdover, AfterAGapSilenceIsWhatItWasBefore) {
    Machine machine{DisciplineConfig{}};
    drift(machine, 1.0, 0.0);
    machine.run(Duration::from_s(6 * 3600));
    machine.follow(machine.perfect_update());
    EXPECT_TRUE(machine.discipline.is_measured(machine.driver.mono()));
    machine.run(Duration::from_s(300));
    EXPECT_FALSE(machine.discipline.is_measured(machine.driver.mono()));
}

TEST(Holdover, BeginsAgainSoonAfterAGap) {
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, 1e-8 / 3600.0);
    machine.run(Duration::from_s(3000));
    machine.follow(machine.perfect_update());
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(300));
    EXPECT_NE(machine.discipline.frequency().ratio(), before);
}

TEST(Holdover, LeavesTheFrequencyAloneWithoutATrend) {
    Machine machine{DisciplineConfig{}};
    drift(machine, 2.0, 1e-8 / 3600.0);
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(6 * 3600));
    EXPECT_EQ(machine.discipline.frequency().ratio(), before);
}

TEST(Holdover, LeavesTheFrequencyToTheFallbackDriftThatWasAskedFor) {
    DisciplineConfig config;
    config.fallback_drift_min_log2 = 16;
    config.fallback_drift_max_log2 = 17;
    Machine machine{config};
    drift(machine, 16.0, 1e-8 / 3600.0);
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(6 * 3600));
    EXPECT_EQ(machine.discipline.frequency().ratio(), before);
}

TEST(Holdover, EndsWithTheNextUpdate) {
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, 1e-8 / 3600.0);
    machine.run(Duration::from_s(3600));
    machine.follow(machine.perfect_update());
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(200));
    EXPECT_EQ(machine.discipline.frequency().ratio(), before);
}

TEST(Holdover, ForeignStepsEndIt) {
    Machine machine{DisciplineConfig{}};
    drift(machine, 16.0, 1e-8 / 3600.0);
    machine.driver.disturb(Duration::from_s(100));
    machine.wake();
    const double before = machine.discipline.frequency().ratio();
    machine.run(Duration::from_s(3600));
    EXPECT_EQ(machine.discipline.frequency().ratio(), before);
}

TEST(Holdover, BoundGrowsAsAWanderingOscillatorDoes) {
    Machine machine{DisciplineConfig{}};
    ClockUpdate update = machine.perfect_update();
    update.skew = 0.0;
    update.wander = 1e-7;
    machine.follow(update);
    constexpr double kSilentS = 6 * 3600;
    machine.run(Duration::from_seconds(kSilentS));
    const double wander_s = 1e-7 * std::sqrt(kSilentS * kSilentS * kSilentS / 3.0);
    const ServerState state = machine.state();
    const UtcTime now = machine.discipline.to_utc(machine.driver.now());
    const double bound_s = state.root_dispersion_at(now);
    EXPECT_GT(bound_s, 3.2 * wander_s);
    EXPECT_LT(bound_s, 5.0 * wander_s);
    EXPECT_NEAR(machine.discipline.report(machine.driver.instant(), 0).root_dispersion_s, bound_s,
                1e-3 * bound_s);
}

TEST(Holdover, BoundOfACalmOscillatorIsTheClockErrorAllowed) {
    Machine machine{DisciplineConfig{}};
    ClockUpdate update = machine.perfect_update();
    update.skew = 0.0;
    update.wander = 1e-10;
    machine.follow(update);
    constexpr double kSilentS = 6 * 3600;
    const double skew = machine.discipline.skew();
    machine.run(Duration::from_seconds(kSilentS));
    const UtcTime now = machine.discipline.to_utc(machine.driver.now());
    EXPECT_NEAR(machine.state().root_dispersion_at(now), (1e-6 + skew) * kSilentS, 1e-4);
}

}  // namespace
}  // namespace gnomon
