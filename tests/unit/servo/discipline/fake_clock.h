#pragma once

/// A machine for tests: an oscillator with a constant error, a kernel clock that a `ClockDriver` steers,
/// and a discipline on it. True time is the only independent variable.

#include <cmath>
#include <utility>
#include <vector>

#include "servo/actuator/clock_driver.h"
#include "servo/actuator/clock_executor.h"
#include "servo/discipline/discipline.h"

namespace gnomon::test {

class FakeClockDriver final : public ClockDriver {
public:
    FakeClockDriver(double start_unix_s, double oscillator_error)
        : oscillator_error_(oscillator_error),
          true_ns_(start_unix_s * 1e9L),
          system_ns_(true_ns_) {}

    SystemTime now() const override {
        return SystemTime::from_ns(static_cast<std::int64_t>(std::floor(system_ns_)));
    }
    MonoTime mono() const { return MonoTime::from_ns(static_cast<std::int64_t>(mono_ns_)); }
    UtcTime true_time() const { return UtcTime::from_ns(static_cast<std::int64_t>(true_ns_)); }
    Instant instant() const { return Instant{now(), mono()}; }
    /// > 0: the system clock is behind.
    double system_offset_s() const { return static_cast<double>((true_ns_ - system_ns_) * 1e-9L); }

    /// True time it takes for the system clock to show `system_duration` more.
    Duration true_duration(Duration system_duration) const {
        const double rate = (1.0 + oscillator_error_) * (1.0 + frequency_.ratio());
        return Duration::from_seconds(system_duration.to_seconds() / rate);
    }
    void advance(Duration true_duration) {
        const long double system = static_cast<long double>(true_duration.ns()) *
                                   (1.0L + oscillator_error_) * (1.0L + frequency_.ratio());
        true_ns_ += static_cast<long double>(true_duration.ns());
        system_ns_ += system;
        mono_ns_ += system;
    }
    /// Somebody else's hand on the clock.
    void disturb(Duration by) { system_ns_ += static_cast<long double>(by.ns()); }

    Frequency max_frequency() const override { return max_frequency_; }
    SysResult<Frequency> frequency() override { return frequency_; }
    SysResult<Frequency> set_frequency(Frequency correction) override {
        if (max_frequency_ == Frequency()) return Frequency();
        frequency_ = Frequency::from_ppm(std::nearbyint(correction.ppm() * 65536.0) / 65536.0);
        ++frequency_calls;
        return frequency_;
    }
    SysResult<void> step(Duration by) override {
        if (!can_step) return Unexpected(SysError{"step", EPERM});
        disturb(by);
        steps.push_back(by);
        return {};
    }
    SysResult<void> set_leap(Leap leap, int tai_offset_s) override {
        leaps.emplace_back(leap, tai_offset_s);
        return {};
    }
    bool can_leap() const override { return can_leap_flag; }
    SysResult<void> set_sync_status(bool synchronised, Duration, Duration maximum_error) override {
        sync_status = synchronised;
        max_error = maximum_error;
        return {};
    }

    void forbid_control() {
        max_frequency_ = Frequency();
        can_step = false;
        can_leap_flag = false;
    }

    bool can_step = true;
    bool can_leap_flag = true;
    int frequency_calls = 0;
    std::vector<Duration> steps;
    std::vector<std::pair<Leap, int>> leaps;
    bool sync_status = false;
    Duration max_error;

private:
    double oscillator_error_;
    Frequency frequency_;
    Frequency max_frequency_ = Frequency::from_ratio(0.1);
    long double true_ns_;
    long double system_ns_;
    long double mono_ns_ = 1e12L;
};

class Machine {
public:
    explicit Machine(const DisciplineConfig& config, double oscillator_error = 0.0,
                     double start_unix_s = 1'262'304'000.0, bool controlled = true)
        : driver(start_unix_s, oscillator_error),
          discipline(config, properties(controlled), driver.instant()) {
        discipline.begin_wakeup(driver.instant());
        discipline.start(driver.instant(), std::nullopt);
        settle();
    }

    void settle() {
        execute(discipline, driver, driver.mono(), nullptr);
        for (auto& event : discipline.take_events()) events.push_back(std::move(event));
        for (auto& adjustment : discipline.take_adjustments()) adjustments.push_back(adjustment);
    }

    /// Lets true time pass, waking the discipline whenever it asks for it (and 0.1 ms late).
    void run(Duration duration) {
        const UtcTime end = driver.true_time() + duration;
        while (driver.true_time() < end) {
            const Duration left = end - driver.true_time();
            const Duration wanted =
                driver.true_duration(discipline.next_timeout(driver.instant())) +
                Duration::from_us(100);
            driver.advance(wanted < left ? wanted : left);
            wake();
        }
    }
    void wake() {
        discipline.begin_wakeup(driver.instant());
        discipline.handle_timeout(driver.instant());
        settle();
    }

    /// An update as a perfect source would give it, plus `error_s`.
    ClockUpdate perfect_update(double error_s = 0.0) const {
        ClockUpdate update;
        update.estimate.at = discipline.to_utc(driver.now());
        update.estimate.offset_s = (driver.true_time() - update.estimate.at).to_seconds() + error_s;
        update.estimate.offset_sd_s = 1e-5;
        update.skew = 1e-6;
        update.stratum = 1;
        update.ref_id = RefId{0xC0A87B01};
        update.source = 7;
        update.combined = 1;
        return update;
    }
    void follow(const ClockUpdate& update) {
        discipline.update(driver.instant(), update, 0);
        settle();
    }

    template <typename Event>
    std::vector<Event> take() {
        std::vector<Event> taken;
        for (const auto& event : events) {
            if (const auto* e = std::get_if<Event>(&event)) taken.push_back(*e);
        }
        std::erase_if(events,
                      [](const auto& event) { return std::holds_alternative<Event>(event); });
        return taken;
    }
    double ntp_offset_s() const {
        return (driver.true_time() - discipline.to_utc(driver.now())).to_seconds();
    }
    ServerState state() { return discipline.server_state(driver.instant(), 0); }

    FakeClockDriver driver;
    Discipline discipline;
    std::vector<DisciplineEvent> events;
    std::vector<ClockAdjustment> adjustments;

private:
    Discipline::ClockProperties properties(bool controlled) {
        if (!controlled) driver.forbid_control();
        return {Frequency(), driver.max_frequency(), driver.can_leap()};
    }
};

}  // namespace gnomon::test
