#include <gtest/gtest.h>

#include "servo/discipline/discipline.h"
#include "tests/unit/servo/discipline/fake_clock.h"

namespace gnomon {
namespace {

using test::Machine;

enum class Shown { Source, Local, Nothing };

Shown shown(Machine& machine) {
    const ServerState state = machine.state();
    if (!state.synchronised) return Shown::Nothing;
    return state.ref_id == RefId::local() ? Shown::Local : Shown::Source;
}

/// Root distance `distance_s` now, growing by 1 ms/s.
void follow_at_distance(Machine& machine, double distance_s) {
    ClockUpdate update = machine.perfect_update();
    update.root_delay_s = 2 * distance_s;
    update.skew = 1e-12;
    machine.follow(update);
}

DisciplineConfig config_with(const LocalReference& local) {
    DisciplineConfig config;
    config.max_clock_error = 1e-3;
    config.local = local;
    return config;
}

TEST(LocalReference, ServesAtOnceByDefault) {
    Machine machine{config_with(LocalReference{})};
    EXPECT_EQ(shown(machine), Shown::Local);
    const ServerState state = machine.state();
    EXPECT_EQ(state.stratum, 10);
    EXPECT_EQ(state.leap, Leap::Normal);
    EXPECT_EQ(state.root_delay_s, 0.0);
    EXPECT_EQ(machine.discipline.report(machine.driver.instant(), 0).ref_id, RefId::local());
    EXPECT_EQ(machine.discipline.stratum(machine.driver.instant()), 10);
}

TEST(LocalReference, YieldsToASourceUntilTheDistanceIsExceeded) {
    LocalReference local;
    local.distance_s = 0.5;
    Machine machine{config_with(local)};
    follow_at_distance(machine, 1e-3);
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(490));
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(20));
    EXPECT_EQ(shown(machine), Shown::Local);
    follow_at_distance(machine, 1e-3);
    EXPECT_EQ(shown(machine), Shown::Source);
}

TEST(LocalReference, ActivateNeedsAGoodDistanceOnce) {
    LocalReference local;
    local.activate_s = 1e-1;
    Machine machine{config_with(local)};
    EXPECT_EQ(shown(machine), Shown::Nothing);
    machine.discipline.set_unsynchronised(machine.driver.instant());
    EXPECT_EQ(shown(machine), Shown::Nothing);
    follow_at_distance(machine, 0.2);
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(900));
    EXPECT_EQ(shown(machine), Shown::Source);
    follow_at_distance(machine, 1e-3);
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(1100));
    EXPECT_EQ(shown(machine), Shown::Local);
    machine.discipline.set_unsynchronised(machine.driver.instant());
    EXPECT_EQ(shown(machine), Shown::Local);
}

TEST(LocalReference, WaitsAfterSynchronisationIsLost) {
    LocalReference local;
    local.wait_unsynced_s = 300.0;
    Machine machine{config_with(local)};
    EXPECT_EQ(shown(machine), Shown::Nothing);
    machine.run(Duration::from_s(299));
    EXPECT_EQ(shown(machine), Shown::Nothing);
    machine.run(Duration::from_s(2));
    EXPECT_EQ(shown(machine), Shown::Local);
    follow_at_distance(machine, 1e-3);
    machine.discipline.set_unsynchronised(machine.driver.instant());
    EXPECT_EQ(shown(machine), Shown::Nothing);
    machine.run(Duration::from_s(301));
    EXPECT_EQ(shown(machine), Shown::Local);
}

TEST(LocalReference, WaitsWhileSynchronised) {
    LocalReference local;
    local.distance_s = 0.0;
    local.wait_synced_s = 150.0;
    Machine machine{config_with(local)};
    follow_at_distance(machine, 1e-3);
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(149));
    EXPECT_EQ(shown(machine), Shown::Source);
    machine.run(Duration::from_s(3));
    EXPECT_EQ(shown(machine), Shown::Local);
}

TEST(LocalReference, OrphanStratumOnlyWithTheOption) {
    LocalReference local;
    local.stratum = 5;
    Machine plain{config_with(local)};
    EXPECT_EQ(plain.discipline.orphan_stratum(), 16);
    local.orphan = true;
    Machine orphan{config_with(local)};
    EXPECT_EQ(orphan.discipline.orphan_stratum(), 5);
    orphan.discipline.set_local(std::nullopt);
    EXPECT_EQ(orphan.discipline.orphan_stratum(), 16);
    EXPECT_EQ(shown(orphan), Shown::Nothing);
}

TEST(LocalReference, ReferenceTimeIsKeptRecentAndInThePast) {
    Machine machine{config_with(LocalReference{})};
    for (int i = 0; i < 300; ++i) {
        machine.run(Duration::from_s(7));
        const ServerState state = machine.state();
        const UtcTime now = machine.discipline.to_utc(machine.driver.now());
        EXPECT_GE((now - state.reference_time).to_seconds(), 1.0 - 1e-9);
        EXPECT_LE((now - state.reference_time).to_seconds(), 64.0);
    }
}

}  // namespace
}  // namespace gnomon
