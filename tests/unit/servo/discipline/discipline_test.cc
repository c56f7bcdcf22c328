#include "servo/discipline/discipline.h"

#include <gtest/gtest.h>

#include "tests/unit/servo/discipline/fake_clock.h"

namespace gnomon {
namespace {

using test::Machine;

TEST(Discipline, SaysUnsynchronisedBeforeTheFirstUpdate) {
    Machine machine{DisciplineConfig{}};
    const ServerState state = machine.state();
    EXPECT_FALSE(state.synchronised);
    EXPECT_EQ(state.leap, Leap::Unsynchronised);
    EXPECT_EQ(state.stratum, kStratumUnsynchronised);
    EXPECT_EQ(machine.discipline.stratum(machine.driver.instant()), 16);
    EXPECT_FALSE(machine.driver.sync_status);
    const auto log = machine.take<TrackingLogRecord>();
    ASSERT_EQ(log.size(), 1U);
    EXPECT_FALSE(log[0].ref_id);
    EXPECT_EQ(machine.discipline.report(machine.driver.instant(), 0).stratum, 0);
}

TEST(Discipline, FollowsAnUpdateAndSlewsTheSystemClock) {
    Machine machine{DisciplineConfig{}};
    machine.driver.disturb(Duration::from_ms(-100));
    machine.follow(machine.perfect_update());
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.1, 1e-8);
    machine.run(Duration::from_s(10));
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-8);
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);

    const ServerState state = machine.state();
    EXPECT_TRUE(state.synchronised);
    EXPECT_EQ(state.stratum, 2);
    EXPECT_EQ(state.ref_id.value, 0xC0A87B01U);
    EXPECT_TRUE(machine.driver.sync_status);
    const DisciplineReport report = machine.discipline.report(machine.driver.instant(), 0);
    EXPECT_EQ(report.source, 7U);
    EXPECT_NEAR(report.last_offset_s, 0.1, 1e-8);
    EXPECT_NEAR(report.remaining_s, 0.0, 1e-8);
}

TEST(Discipline, StartCorrectsFasterThanItDoesLater) {
    Machine machine{DisciplineConfig{}};
    const auto left_of_disturbance_s = [&machine](double by_s) {
        machine.run(Duration::from_s(64));
        machine.driver.disturb(Duration::from_seconds(-by_s));
        ClockUpdate update = machine.perfect_update();
        update.estimate.offset_sd_s = 1e-5;
        update.estimate.frequency_sd = 1e-7;
        machine.follow(update);
        machine.run(Duration::from_s(4));
        return machine.driver.system_offset_s();
    };
    left_of_disturbance_s(0.0);
    EXPECT_LT(left_of_disturbance_s(4e-5), 1e-5);
    for (int i = 0; i < 8; ++i) left_of_disturbance_s(0.0);
    EXPECT_GT(left_of_disturbance_s(4e-5), 2e-5);
}

TEST(Discipline, SlewsAHundredSecondsInTheTimeExpected) {
    Machine machine{DisciplineConfig{}};
    machine.driver.disturb(Duration::from_s(-100));
    machine.wake();
    machine.take<TimeJump>();
    machine.follow(machine.perfect_update());
    machine.run(Duration::from_s(1190));
    EXPECT_GT(machine.driver.system_offset_s(), 0.1);
    machine.run(Duration::from_s(12));
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-4);
}

TEST(Discipline, CorrectsLargeFrequencyErrors) {
    for (const double error : {-5e-2, 5e-2}) {
        Machine machine(DisciplineConfig{}, error);
        machine.driver.advance(Duration::from_s(100));
        ClockUpdate update = machine.perfect_update();
        update.estimate.frequency = 1.0 / (1.0 + error) - 1.0;
        update.skew = 1e-9;
        machine.follow(update);
        EXPECT_NEAR(machine.discipline.frequency().ratio(), 1.0 / (1.0 + error) - 1.0, 1e-9);
        machine.run(Duration::from_s(200));
        EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-6);
        EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-6);
    }
}

TEST(Discipline, TellsHoldersOfTimesExactlyWhatItDid) {
    Machine machine(DisciplineConfig{}, 1e-5);
    machine.driver.advance(Duration::from_s(100));
    const UtcTime past = machine.discipline.to_utc(machine.driver.now()) - Duration::from_s(50);
    ClockUpdate update = machine.perfect_update();
    update.estimate.frequency = -1e-5;
    update.skew = 0.0;
    machine.adjustments.clear();
    machine.follow(update);
    ASSERT_EQ(machine.adjustments.size(), 1U);
    const ClockAdjustment& adjustment = machine.adjustments[0];
    EXPECT_EQ(adjustment.kind, ClockAdjustment::Kind::Slew);
    EXPECT_NEAR(adjustment.frequency_change, -1e-5, 1e-12);
    // 50 s ago the clock, had it always run right, would have shown the true time.
    EXPECT_NEAR(adjustment.shift(past).to_seconds(), -1e-3 + 50 * 1e-5, 1e-7);
}

TEST(Discipline, KeepsFrequencyWhenTheSkewIsTooLarge) {
    Machine machine{DisciplineConfig{}};
    ClockUpdate update = machine.perfect_update(0.01);
    update.estimate.frequency = 1e-4;
    update.skew = 2e-3;
    machine.follow(update);
    EXPECT_EQ(machine.discipline.frequency().ratio(), 0.0);
    EXPECT_NEAR(machine.ntp_offset_s(), -0.01, 1e-8);
    EXPECT_NEAR(machine.discipline.report(machine.driver.instant(), 0).residual_frequency_ppm,
                -100.0, 1e-6);
}

TEST(Discipline, WeighsFrequencyByItsDeviation) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.start(machine.driver.instant(), DriftRecord{Frequency(), 1e-6});
    ClockUpdate update = machine.perfect_update();
    update.estimate.frequency = 4e-6;
    update.estimate.frequency_sd = 1e-6;
    update.skew = 1e-6;
    machine.follow(update);
    EXPECT_NEAR(machine.discipline.frequency().ppm(), 3.0, 1e-6);
    // The disagreement of 3 and 1 ppm, weighted 1 : 3, widens the skew.
    EXPECT_NEAR(machine.discipline.skew(), 1e-6 + std::sqrt(9.0 * 0.25 + 1.0 * 0.75) * 1e-6, 1e-11);
}

struct StepCase {
    MakeStep make_step;
    double offset_s;
    int updates_before;
    bool steps;
};

TEST(Discipline, MakestepTruthTable) {
    const StepCase cases[] = {
        {{0.0, 0}, 5.0, 0, false},  {{1.0, 1}, 5.0, 0, true},    {{1.0, 1}, -5.0, 0, true},
        {{1.0, 1}, 0.5, 0, false},  {{1.0, 1}, 5.0, 1, false},   {{1.0, 2}, 5.0, 1, true},
        {{1.0, -1}, 5.0, 50, true}, {{1.0, -1}, 0.9, 50, false},
    };
    for (const StepCase& c : cases) {
        DisciplineConfig config;
        config.make_step = c.make_step;
        Machine machine{config};
        for (int i = 0; i < c.updates_before; ++i) machine.follow(machine.perfect_update());
        machine.driver.disturb(Duration::from_seconds(-c.offset_s));
        machine.follow(machine.perfect_update());
        EXPECT_EQ(machine.driver.steps.size(), c.steps ? 1U : 0U) << c.offset_s;
        EXPECT_EQ(machine.take<ClockStepped>().size(), c.steps ? 1U : 0U);
        EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
        if (c.steps) {
            EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-8);
        }
    }
}

TEST(Discipline, StepTakesTheRemainingSlewWithIt) {
    Machine machine{DisciplineConfig{}};
    machine.driver.disturb(Duration::from_s(-5));
    machine.follow(machine.perfect_update());
    machine.run(Duration::from_s(10));
    EXPECT_GT(machine.driver.system_offset_s(), 1.0);
    EXPECT_TRUE(machine.discipline.make_step(machine.driver.instant()));
    machine.settle();
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-8);
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    double moved_s = 0.0;
    machine.adjustments.erase(machine.adjustments.begin());
    for (const auto& a : machine.adjustments) moved_s += a.offset_change_s;
    EXPECT_NEAR(moved_s, 0.0, 1.1);
}

TEST(Discipline, FailedStepBecomesASlew) {
    DisciplineConfig config;
    config.make_step = {1.0, -1};
    Machine machine{config};
    machine.driver.can_step = false;
    machine.driver.disturb(Duration::from_s(-5));
    machine.follow(machine.perfect_update());
    EXPECT_EQ(machine.take<StepFailed>().size(), 1U);
    EXPECT_TRUE(machine.take<ClockStepped>().empty());
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    machine.run(Duration::from_s(100));
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-6);
}

TEST(Discipline, WithoutControlTheNtpClockFollowsAndTheSystemClockIsLeftAlone) {
    DisciplineConfig config;
    config.make_step = {0.01, -1};
    Machine machine(config, 1e-5, 1'262'304'000.0, false);
    for (int i = 0; i < 50; ++i) {
        machine.run(Duration::from_s(64));
        ClockUpdate update = machine.perfect_update(i == 0 ? 5.0 : 0.0);
        if (i > 1) update.estimate.frequency = machine.ntp_offset_s() / 64.0;
        machine.follow(update);
    }
    EXPECT_EQ(machine.driver.frequency_calls, 0);
    EXPECT_NEAR(machine.driver.system_offset_s(), -50 * 64 * 1e-5, 1e-6);
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-6);
    EXPECT_GT(machine.take<StepFailed>().size(), 0U);
    EXPECT_EQ(machine.discipline.leap_mode(), LeapMode::Step);
}

TEST(Discipline, MaxchangeIgnoresThenGivesUp) {
    DisciplineConfig config;
    config.max_change = MaxChange{0.1, 1, 2};
    Machine machine{config};
    machine.driver.disturb(Duration::from_s(-5));
    machine.follow(machine.perfect_update());  // not yet checked
    EXPECT_TRUE(machine.take<ChangeTooLarge>().empty());
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    for (int i = 0; i < 3; ++i) {
        const double before_s = machine.ntp_offset_s();
        machine.follow(machine.perfect_update(5.0));
        EXPECT_NEAR(machine.ntp_offset_s(), before_s, 1e-8);
    }
    const auto refused = machine.take<ChangeTooLarge>();
    ASSERT_EQ(refused.size(), 3U);
    EXPECT_FALSE(refused[0].fatal);
    EXPECT_FALSE(refused[1].fatal);
    EXPECT_TRUE(refused[2].fatal);
    const auto ended = machine.take<ModeEnded>();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_FALSE(ended[0].success);
    EXPECT_EQ(machine.discipline.mode(), DisciplineMode::Ignore);
}

TEST(Discipline, MaxchangeWithNegativeIgnoreNeverGivesUp) {
    DisciplineConfig config;
    config.max_change = MaxChange{0.1, 0, -1};
    Machine machine{config};
    for (int i = 0; i < 10; ++i) machine.follow(machine.perfect_update(5.0));
    EXPECT_EQ(machine.take<ChangeTooLarge>().size(), 10U);
    EXPECT_TRUE(machine.take<ModeEnded>().empty());
}

TEST(Discipline, LogsLargeOffsetsOnly) {
    DisciplineConfig config;
    config.log_change_s = 0.1;
    Machine machine{config};
    machine.follow(machine.perfect_update(0.09));
    EXPECT_TRUE(machine.take<ClockWrong>().empty());
    machine.follow(machine.perfect_update(-0.2));
    const auto wrong = machine.take<ClockWrong>();
    ASSERT_EQ(wrong.size(), 1U);
    EXPECT_NEAR(wrong[0].offset_s, -0.2 - 0.09, 0.02);
}

TEST(Discipline, RefusesInsaneOffsets) {
    Machine machine{DisciplineConfig{}};
    EXPECT_FALSE(machine.discipline.add_offset(machine.driver.instant(), std::nan("")));
    EXPECT_FALSE(machine.discipline.add_offset(machine.driver.instant(), -2e9));
    EXPECT_FALSE(machine.discipline.add_offset(machine.driver.instant(), 4e9));
    EXPECT_TRUE(machine.discipline.add_offset(machine.driver.instant(), 1.0));
    machine.settle();
    EXPECT_EQ(machine.take<AdjustmentInvalid>().size(), 3U);
}

TEST(Discipline, ClampsFrequencyToMaxdrift) {
    DisciplineConfig config;
    config.max_drift = Frequency::from_ppm(100.0);
    Machine machine{config};
    machine.discipline.add_frequency(machine.driver.instant(), 200e-6);
    machine.settle();
    EXPECT_NEAR(machine.discipline.frequency().ppm(), 100.0, 1e-9);
    const auto clamped = machine.take<FrequencyClamped>();
    ASSERT_EQ(clamped.size(), 1U);
    EXPECT_NEAR(clamped[0].frequency_ppm, -200.0, 1e-6);
}

TEST(Discipline, ForeignStepLosesSynchronisation) {
    Machine machine{DisciplineConfig{}};
    machine.follow(machine.perfect_update());
    machine.driver.advance(Duration::from_s(1));
    machine.wake();
    machine.adjustments.clear();
    machine.driver.disturb(Duration::from_s(1000));
    EXPECT_TRUE(machine.discipline.begin_wakeup(machine.driver.instant()));
    machine.settle();
    ASSERT_EQ(machine.adjustments.size(), 1U);
    EXPECT_EQ(machine.adjustments[0].kind, ClockAdjustment::Kind::UnknownStep);
    EXPECT_NEAR(machine.adjustments[0].offset_change_s, 1000.0, 1e-6);
    EXPECT_FALSE(machine.state().synchronised);
    EXPECT_EQ(machine.take<TimeJump>().size(), 1U);
}

TEST(Discipline, UpdateOnceStepsAndEnds) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.set_mode(DisciplineMode::UpdateOnce);
    machine.driver.disturb(Duration::from_ms(-500));
    machine.follow(machine.perfect_update());
    EXPECT_EQ(machine.driver.steps.size(), 1U);
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-8);
    const auto ended = machine.take<ModeEnded>();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_TRUE(ended[0].success);
    machine.follow(machine.perfect_update(3.0));
    EXPECT_EQ(machine.driver.steps.size(), 1U);
}

TEST(Discipline, PrintOnceLeavesTheClockAlone) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.set_mode(DisciplineMode::PrintOnce);
    machine.driver.disturb(Duration::from_ms(-500));
    machine.follow(machine.perfect_update());
    EXPECT_TRUE(machine.driver.steps.empty());
    EXPECT_NEAR(machine.driver.system_offset_s(), 0.5, 1e-8);
    EXPECT_NEAR(machine.take<InitialOffset>().at(0).offset_s, 0.5, 1e-8);
}

TEST(Discipline, InitStepSlewChoosesByThreshold) {
    for (const double threshold_s : {0.1, 1.0}) {
        DisciplineConfig config;
        config.init_step_threshold_s = threshold_s;
        Machine machine{config};
        machine.discipline.set_mode(DisciplineMode::InitStepSlew);
        machine.driver.disturb(Duration::from_ms(-500));
        machine.follow(machine.perfect_update());
        EXPECT_EQ(machine.driver.steps.size(), threshold_s < 0.5 ? 1U : 0U);
        machine.run(Duration::from_s(20));
        EXPECT_NEAR(machine.driver.system_offset_s(), 0.0, 1e-6);
    }
}

TEST(Discipline, NoSourceEndsTheSpecialModes) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.set_mode(DisciplineMode::UpdateOnce);
    machine.discipline.set_unsynchronised(machine.driver.instant());
    machine.settle();
    EXPECT_EQ(machine.take<NoSuitableSource>().size(), 1U);
    EXPECT_FALSE(machine.take<ModeEnded>().at(0).success);
}

TEST(Discipline, DispersionGrowsWithSkewAndClockError) {
    DisciplineConfig config;
    config.max_clock_error = 1e-3;
    Machine machine{config};
    ClockUpdate update = machine.perfect_update();
    update.root_delay_s = 0.01;
    update.root_dispersion_s = 0.002;
    machine.follow(update);
    machine.run(Duration::from_s(100));
    const ServerState state = machine.state();
    const double rate = machine.discipline.skew() + 1e-3;
    EXPECT_NEAR(state.dispersion_rate, rate, 1e-9);
    EXPECT_NEAR(state.root_dispersion_at(machine.discipline.to_utc(machine.driver.now())),
                0.002 + 100 * rate, 1e-4);
}

TEST(Discipline, DispersionGrowsWithAnUncertainFrequencyToo) {
    DisciplineConfig config;
    config.max_clock_error = 0.0;
    Machine machine{config};
    ClockUpdate update = machine.perfect_update();
    update.skew = 1e-9;
    update.estimate.frequency_sd = 1e-6;
    machine.follow(update);
    EXPECT_GT(machine.state().dispersion_rate, 3e-6);
}

TEST(Discipline, ManualReferenceSteersButDoesNotSynchronise) {
    Machine machine{DisciplineConfig{}};
    machine.driver.disturb(Duration::from_ms(-100));
    machine.discipline.set_manual_reference(machine.driver.instant(),
                                            machine.discipline.to_utc(machine.driver.now()), 0.1,
                                            1e-5, 1e-3, 0);
    machine.settle();
    EXPECT_NEAR(machine.ntp_offset_s(), 0.0, 1e-8);
    EXPECT_NEAR(machine.discipline.frequency().ppm(), 10.0, 1e-6);
    EXPECT_FALSE(machine.state().synchronised);
    EXPECT_EQ(machine.take<TrackingLogRecord>().back().ref_id->to_text(), "MANU");
}

TEST(Discipline, TemperatureCompensationIsNotShownInTheFrequency) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.set_temperature_compensation(machine.driver.instant(), 5e-6);
    machine.settle();
    EXPECT_EQ(machine.discipline.frequency().ratio(), 0.0);
    EXPECT_NEAR(machine.driver.frequency().value().ppm(), 5.0, 1e-4);
    EXPECT_TRUE(machine.adjustments.empty() || machine.adjustments.back().frequency_change == 0.0);
}

TEST(Discipline, ExitLeavesTheClockAtItsBaseFrequency) {
    Machine machine{DisciplineConfig{}};
    machine.discipline.start(machine.driver.instant(),
                             DriftRecord{Frequency::from_ppm(20.0), 1e-6});
    machine.driver.disturb(Duration::from_s(-5));
    machine.follow(machine.perfect_update());
    EXPECT_GT(machine.driver.frequency().value().ppm(), 1000.0);
    machine.discipline.prepare_exit(machine.driver.instant());
    machine.settle();
    EXPECT_NEAR(machine.driver.frequency().value().ppm(), 20.0, 1e-3);
}

TEST(Discipline, DriftFileIsDueByUpdateIntervals) {
    DisciplineConfig config;
    config.drift_file_interval = Duration::from_s(200);
    Machine machine{config};
    for (int i = 0; i < 9; ++i) {
        machine.follow(machine.perfect_update());
        machine.run(Duration::from_s(64));
    }
    EXPECT_EQ(machine.take<WriteDriftFile>().size(), 2U);
}

TEST(Discipline, FallbackDriftTakesOverWithTheAverage) {
    DisciplineConfig config;
    config.fallback_drift_min_log2 = 6;
    config.fallback_drift_max_log2 = 8;
    Machine machine{config};
    for (int i = 0; i < 200; ++i) {
        ClockUpdate update = machine.perfect_update();
        update.skew = 1e-9;
        update.estimate.frequency = i % 2 == 0 ? 1e-6 : -1e-6;
        machine.follow(update);
        machine.run(Duration::from_s(16));
    }
    machine.discipline.set_unsynchronised(machine.driver.instant());
    machine.settle();
    const double last_ppm = machine.discipline.frequency().ppm();
    machine.run(Duration::from_s(100));
    EXPECT_NE(machine.discipline.frequency().ppm(), last_ppm);
    EXPECT_LT(std::fabs(machine.discipline.frequency().ppm()), 1.0);
    const auto used = machine.take<FallbackDriftUsed>();
    ASSERT_FALSE(used.empty());
    EXPECT_EQ(used.front().interval_log2_s, 6);
    EXPECT_EQ(used.back().frequency_ppm, -machine.discipline.frequency().ppm());
}

}  // namespace
}  // namespace gnomon
