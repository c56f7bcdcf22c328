#include "servo/discipline/ntp_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace gnomon {
namespace {

constexpr std::int64_t kStartNs = 1'262'304'000'000'000'000;

/// A system clock that runs exactly as told: the reference for all bookkeeping. Time advances by
/// system time; the NTP clock that follows from the commands is integrated in 128-bit fixed point,
/// 2^-64 ns.
class ExactClock {
public:
    SystemTime now() const { return SystemTime::from_ns(kStartNs + since_start_ns_); }
    void advance(std::int64_t ns) { since_start_ns_ += ns; }

    static Frequency quantise(Frequency f) {
        return Frequency::from_ppm(std::nearbyint(f.ppm() * 65536.0) / 65536.0);
    }

private:
    std::int64_t since_start_ns_ = 0;
};

void apply_pending(NtpClock& clock, SystemTime at) {
    if (const auto f = clock.pending_frequency()) {
        clock.frequency_applied(at, ExactClock::quantise(*f));
    }
}

NtpClock make_clock(Frequency applied = Frequency()) {
    return NtpClock(NtpClockConfig{}, SystemTime::from_ns(kStartNs), applied);
}

TEST(NtpClock, StartsAsTheSystemClock) {
    const NtpClock clock = make_clock(Frequency::from_ppm(12.0));
    const SystemTime t = SystemTime::from_ns(kStartNs + 1'000'000'007);
    EXPECT_EQ(clock.to_utc(t).ns(), t.ns());
    EXPECT_EQ(clock.base().ppm(), 12.0);
}

TEST(NtpClock, KeepsBooksOverManyAdjustmentsLateWakeUpsAndQuantisedFrequencies) {
    std::mt19937_64 random(20240607);
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    ExactClock kernel;
    NtpClock clock = make_clock();

    // The truth: the NTP clock advances by (1 + base)/(1 + applied) per system second, plus phases.
    long double truth_ns = 0.0L;  // NTP clock minus start
    const auto advance = [&](std::int64_t ns) {
        const long double rate = (1.0L + static_cast<long double>(clock.base().ratio())) /
                                 (1.0L + static_cast<long double>(clock.applied().ratio()));
        truth_ns += rate * ns;
        kernel.advance(ns);
    };
    double worst_ns = 0.0;
    for (int i = 0; i < 100'000; ++i) {
        const bool wait_for_end = i % 3 == 0;
        std::int64_t wait_ns = static_cast<std::int64_t>(random() % 5'000'000'000ULL);
        if (wait_for_end)
            wait_ns = std::max<std::int64_t>(0, (clock.slew_end() - kernel.now()).ns());
        advance(std::min<std::int64_t>(wait_ns, 20'000'000'000) +
                static_cast<std::int64_t>(random() % 2'000'000));
        if (wait_for_end) {
            clock.tick(kernel.now());
        } else {
            const double offset_s = unit(random) * 1e-3;
            clock.adjust(kernel.now(), Frequency::from_ppm(unit(random) * 200.0), offset_s,
                         1e-3 * (unit(random) + 1.0));
            truth_ns += static_cast<long double>(offset_s) * 1e9L;
        }
        advance(static_cast<std::int64_t>(random() % 20'000));  // until the system call
        apply_pending(clock, kernel.now());
        const auto shown_ns = static_cast<long double>(clock.to_utc(kernel.now()).ns() - kStartNs);
        worst_ns = std::max(worst_ns, static_cast<double>(std::fabs(shown_ns - truth_ns)));
    }
    // Rounding of the reading is 0.5 ns; everything else must not add up.
    EXPECT_LT(worst_ns, 2.0);
}

TEST(NtpClock, ReadingIsContinuousOverCommandsWithoutPhase) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 0.5, 0.0);
    apply_pending(clock, now);
    for (int i = 0; i < 10'000; ++i) {
        now += Duration::from_ns(static_cast<std::int64_t>(random() % 1'000'000'000));
        const UtcTime before = clock.to_utc(now);
        if (i % 2 == 0) {
            clock.set_base(now, Frequency::from_ppm(unit(random) * 100.0));
        } else {
            clock.tick(now);
        }
        EXPECT_LE(abs(clock.to_utc(now) - before).ns(), 1);
        const SystemTime applied_at = now + Duration::from_us(3);
        const UtcTime before_applying = clock.to_utc(applied_at);
        apply_pending(clock, applied_at);
        EXPECT_LE(abs(clock.to_utc(applied_at) - before_applying).ns(), 1);
    }
}

TEST(NtpClock, IsMonotoneWhileSlewingBackAtFullSpeed) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, -100.0, 0.0);
    apply_pending(clock, now);
    UtcTime before = clock.to_utc(now);
    for (int i = 0; i < 1000; ++i) {
        now += Duration::from_ns(3);
        const UtcTime reading = clock.to_utc(now);
        EXPECT_GE(reading, before);
        before = reading;
    }
}

TEST(NtpClock, SlewsAHundredSecondsAtTheRateLimit) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 100.0, 0.0);
    apply_pending(clock, now);
    EXPECT_NEAR(clock.applied().ppm(), 83333.333, 0.001);
    // 1/12 faster means 1/13 of every system second.
    EXPECT_NEAR((clock.slew_end() - now).to_seconds(), 1300.0, 0.01);
    now = clock.slew_end();
    clock.tick(now);
    apply_pending(clock, now);
    EXPECT_NEAR(clock.remaining_s(now), 0.0, 1e-9);
    EXPECT_EQ(clock.applied(), ExactClock::quantise(clock.base()));
}

TEST(NtpClock, PaceFollowsTheCorrectionArea) {
    NtpClock clock = make_clock();
    const SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 1e-3, 0.1);
    apply_pending(clock, now);
    EXPECT_NEAR((clock.slew_end() - now).to_seconds(), 100.0, 0.1);
    clock.add_offset(now, 9e-3, 0.1);
    apply_pending(clock, now);
    EXPECT_NEAR((clock.slew_end() - now).to_seconds(), 10.0, 0.1);
}

TEST(NtpClock, LateEndIsCorrectedAndMakesTheNextSlewLonger) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 1e-2, 0.0);
    apply_pending(clock, now);
    now = clock.slew_end() + Duration::from_s(2);
    clock.tick(now);
    apply_pending(clock, now);
    EXPECT_LT(clock.remaining_s(now), -1e-2);
    EXPECT_NEAR((clock.slew_end() - now).to_seconds(), 10.0, 0.1);
}

TEST(NtpClock, InverseIsExact) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 1234.567891234, 0.0);
    apply_pending(clock, now);
    for (int i = 0; i < 1000; ++i) {
        now += Duration::from_ns(123'456'789);
        const UtcTime utc = clock.to_utc(now);
        EXPECT_LE(abs(clock.to_utc(clock.to_system(utc)) - utc).ns(), 1);
        EXPECT_LE(abs(clock.to_system(utc) - now).ns(), 1);
    }
}

TEST(NtpClock, DriverWithoutControlLeavesEverythingToTheReading) {
    NtpClockConfig config;
    config.max_frequency = Frequency();
    SystemTime now = SystemTime::from_ns(kStartNs);
    NtpClock clock(config, now, Frequency());
    clock.adjust(now, Frequency::from_ppm(100.0), 0.25, 0.0);
    ASSERT_TRUE(clock.pending_frequency());
    EXPECT_EQ(clock.pending_frequency()->ratio(), 0.0);
    clock.frequency_applied(now, Frequency());
    now += Duration::from_s(1000);
    EXPECT_NEAR(clock.remaining_s(now), 0.25 + 0.1, 1e-9);
}

TEST(NtpClock, StepMovesBothClocks) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    clock.add_offset(now, 0.5, 0.0);
    apply_pending(clock, now);
    now += Duration::from_s(2);
    const double remaining_s = clock.remaining_s(now);
    const UtcTime before = clock.to_utc(now);
    clock.step_applied(Duration::from_s(-30));
    EXPECT_NEAR(clock.remaining_s(now - Duration::from_s(30)), remaining_s, 1e-12);
    EXPECT_EQ((clock.to_utc(now - Duration::from_s(30)) - before).ns(), -30'000'000'000);
}

TEST(NtpClock, NoticesForeignStepsAndForgivesItsOwn) {
    NtpClock clock = make_clock();
    SystemTime now = SystemTime::from_ns(kStartNs);
    MonoTime mono = MonoTime::from_ns(5'000'000'000);
    EXPECT_FALSE(clock.check_foreign_step(now + Duration::from_s(100), mono));  // first call
    now += Duration::from_s(164);
    mono += Duration::from_s(64);
    EXPECT_FALSE(clock.check_foreign_step(now, mono));
    clock.step_applied(Duration::from_s(1000));
    now += Duration::from_s(1001);
    mono += Duration::from_s(1);
    EXPECT_FALSE(clock.check_foreign_step(now, mono));
    now += Duration::from_s(-99);
    mono += Duration::from_s(1);
    EXPECT_EQ(clock.check_foreign_step(now, mono), Duration::from_s(-100));
    EXPECT_FALSE(clock.check_foreign_step(now, mono));
    // The kernel's own leap second is none.
    EXPECT_FALSE(clock.check_foreign_step(now, mono + Duration::from_s(1)));
}

}  // namespace
}  // namespace gnomon
