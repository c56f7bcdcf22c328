#include <gtest/gtest.h>

#include "servo/discipline/discipline.h"
#include "tests/unit/servo/discipline/fake_clock.h"

namespace gnomon {
namespace {

using test::Machine;

constexpr double kMidnight = 1'230'768'000.0;  // 2009-01-01

LeapTable table(int after_s = 34) {
    return LeapTable({{1'136'073'600, 33}, {1'230'768'000, after_s}}, std::nullopt);
}

Machine machine_before_leap(LeapMode mode, double seconds_before = 3600.0) {
    DisciplineConfig config;
    config.leap_mode = mode;
    return Machine(config, 0.0, kMidnight - seconds_before);
}

/// What the kernel or the source does at the leap second: true time goes back (insert).
double offset_from_utc_s(const Machine& machine, double leap_s) {
    return machine.ntp_offset_s() - leap_s;
}

TEST(LeapSecond, SystemModeArmsTheKernelOnceAndSetsTai) {
    Machine machine = machine_before_leap(LeapMode::System);
    machine.discipline.set_leap_table(table());
    machine.follow(machine.perfect_update());
    ASSERT_FALSE(machine.driver.leaps.empty());
    EXPECT_EQ(machine.driver.leaps.back(), std::make_pair(Leap::InsertSecond, 33));
    EXPECT_EQ(machine.state().leap, Leap::InsertSecond);
    EXPECT_EQ(machine.take<TaiOffsetSet>().at(0).tai_offset_s, 33);
    EXPECT_EQ(machine.take<LeapEvent>().at(0).action, LeapAction::SetToInsert);
    machine.follow(machine.perfect_update());
    EXPECT_EQ(machine.driver.leaps.size(), 1U);

    machine.run(Duration::from_seconds(3599.8));
    EXPECT_EQ(machine.state().leap, Leap::Unsynchronised);  // in progress
    EXPECT_TRUE(machine.state().synchronised);
    EXPECT_EQ(machine.state().stratum, 2);
    machine.driver.disturb(Duration::from_s(-1));  // the kernel
    machine.run(Duration::from_s(4));
    EXPECT_EQ(machine.driver.leaps.back(), std::make_pair(Leap::Normal, 34));
    EXPECT_EQ(machine.state().leap, Leap::Normal);
    EXPECT_TRUE(machine.take<TaiOffsetSet>().empty());
    EXPECT_EQ(machine.take<LeapEvent>().at(0).action, LeapAction::ResetAfter);
    EXPECT_TRUE(machine.take<TimeJump>().empty());
}

TEST(LeapSecond, StepModeMovesBothClocksAndTellsNobody) {
    for (const int leap_s : {1, -1}) {
        Machine machine = machine_before_leap(LeapMode::Step);
        machine.discipline.set_leap_table(table(33 + leap_s));
        machine.follow(machine.perfect_update());
        machine.adjustments.clear();
        machine.run(Duration::from_s(3610));
        ASSERT_EQ(machine.driver.steps.size(), 1U);
        EXPECT_EQ(machine.driver.steps[0], Duration::from_s(-leap_s));
        EXPECT_NEAR(offset_from_utc_s(machine, leap_s), 0.0, 1e-8);
        EXPECT_NEAR(machine.driver.system_offset_s() - leap_s, 0.0, 1e-8);
        EXPECT_TRUE(machine.adjustments.empty());
        EXPECT_TRUE(machine.take<ClockStepped>().at(0).for_leap_second);
        EXPECT_EQ(machine.state().leap, Leap::Normal);
        EXPECT_TRUE(machine.driver.leaps.empty());
    }
}

TEST(LeapSecond, SlewModeMovesTheNtpClockAtOnceAndTheSystemClockSlowly) {
    for (const int leap_s : {1, -1}) {
        Machine machine = machine_before_leap(LeapMode::Slew);
        machine.discipline.set_leap_table(table(33 + leap_s));
        machine.follow(machine.perfect_update());
        machine.adjustments.clear();
        machine.run(Duration::from_s(3601));
        EXPECT_NEAR(offset_from_utc_s(machine, leap_s), 0.0, 1e-8);
        EXPECT_GT(std::fabs(machine.driver.system_offset_s() - leap_s), 0.5);
        machine.run(Duration::from_s(20));
        EXPECT_NEAR(machine.driver.system_offset_s() - leap_s, 0.0, 1e-6);
        EXPECT_TRUE(machine.adjustments.empty());
        EXPECT_EQ(machine.take<LeapEvent>().at(0).action, LeapAction::SlewStarted);
    }
}

TEST(LeapSecond, IgnoreModeLeavesTheClocksAlone) {
    Machine machine = machine_before_leap(LeapMode::Ignore);
    machine.discipline.set_leap_table(table());
    machine.follow(machine.perfect_update());
    machine.run(Duration::from_s(3610));
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    EXPECT_EQ(machine.take<LeapEvent>().at(0).action, LeapAction::Ignored);
}

TEST(LeapSecond, VoteOfSourcesIsEnough) {
    Machine machine = machine_before_leap(LeapMode::System);
    ClockUpdate update = machine.perfect_update();
    update.leap = Leap::DeleteSecond;
    machine.follow(update);
    EXPECT_EQ(machine.driver.leaps.back(), std::make_pair(Leap::DeleteSecond, 0));
    machine.discipline.update_leap(machine.driver.instant(), Leap::Normal);
    machine.settle();
    EXPECT_EQ(machine.driver.leaps.back(), std::make_pair(Leap::Normal, 0));
    EXPECT_EQ(machine.take<LeapEvent>().back().action, LeapAction::Cancelled);
}

TEST(LeapSecond, IsRefusedOnOtherDays) {
    Machine machine = machine_before_leap(LeapMode::System, 86'400.0 + 60.0);
    ClockUpdate update = machine.perfect_update();
    update.leap = Leap::InsertSecond;
    machine.follow(update);
    EXPECT_TRUE(machine.driver.leaps.empty());
    EXPECT_EQ(machine.state().leap, Leap::Normal);
}

TEST(LeapSecond, JuneIsAllowed) {
    DisciplineConfig config;
    Machine machine(config, 0.0, 1'341'100'800.0 - 7200.0);  // 2012-07-01
    ClockUpdate update = machine.perfect_update();
    update.leap = Leap::InsertSecond;
    machine.follow(update);
    EXPECT_EQ(machine.state().leap, Leap::InsertSecond);
}

TEST(LeapSecond, IsCloseForFiveSecondsEitherSide) {
    Machine machine = machine_before_leap(LeapMode::Step);
    machine.discipline.set_leap_table(table());
    machine.follow(machine.perfect_update());
    const auto at = [](double s) {
        return UtcTime::from_ns(static_cast<std::int64_t>(s) * 1'000'000'000);
    };
    EXPECT_FALSE(machine.discipline.is_leap_close(at(kMidnight - 6)));
    EXPECT_TRUE(machine.discipline.is_leap_close(at(kMidnight - 5)));
    EXPECT_TRUE(machine.discipline.is_leap_close(at(kMidnight + 4)));
    EXPECT_FALSE(machine.discipline.is_leap_close(at(kMidnight + 5)));
}

TEST(LeapSecond, ExpiredTableIsReportedOncePerSlot) {
    Machine machine = machine_before_leap(LeapMode::Step);
    machine.discipline.set_leap_table(LeapTable({{1'136'073'600, 33}}, 1'200'000'000));
    machine.follow(machine.perfect_update());
    machine.follow(machine.perfect_update());
    EXPECT_EQ(machine.take<LeapTableExpired>().size(), 1U);
    EXPECT_EQ(machine.discipline.tai_offset(machine.driver.true_time()), 33);
}

TEST(LeapSecond, SmearHidesTheLeapFromClients) {
    DisciplineConfig config;
    config.leap_mode = LeapMode::Slew;
    config.smoothing.max_frequency = 1000e-6;
    config.smoothing.max_wander = 1e-6;
    config.smoothing.leap_only = true;
    Machine machine(config, 0.0, kMidnight - 3600.0);
    machine.discipline.set_leap_table(table());
    ClockUpdate update = machine.perfect_update();
    machine.follow(update);
    EXPECT_EQ(machine.state().leap, Leap::Normal);
    const UtcTime served_before = machine.discipline.to_utc(machine.driver.now()) +
                                  Duration::from_seconds(machine.state().smoothing_offset_s);
    machine.run(Duration::from_seconds(3600.5));
    const ServerState state = machine.state();
    const UtcTime served =
        state.clock.to_utc(machine.driver.now()) + Duration::from_seconds(state.smoothing_offset_s);
    EXPECT_NEAR((served - served_before).to_seconds(), 3600.5, 1e-3);
    EXPECT_EQ(state.ref_id, RefId::smoothing());
    machine.run(Duration::from_s(4000));
    EXPECT_NEAR(machine.state().smoothing_offset_s, 0.0, 1e-6);
}

}  // namespace
}  // namespace gnomon
