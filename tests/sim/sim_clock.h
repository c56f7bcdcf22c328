#pragma once

/// A computer's clock over a drifting oscillator, in true time.
///
/// The oscillator's frequency error is a constant + random-walk FM (the `wander`, s/s per √s) +
/// white FM + a temperature sine + scripted jumps; it is piecewise constant over `kGrain` of true
/// time. The kernel clock runs at (1 + error) · (1 + correction) and is quantised like Linux's
/// (2^-16 ppm). CLOCK_MONOTONIC shares the rate and ignores steps.

#include <cstdint>
#include <functional>
#include <vector>

#include "servo/actuator/clock_driver.h"
#include "tests/sim/sim_random.h"

namespace gnomon::sim {

/// True time: nanoseconds of real UTC since 1970; the simulator alone knows it.
using TrueTime = std::int64_t;

struct OscillatorModel {
    double frequency = 0.0;  ///< s/s, > 0: runs fast
    double wander = 1e-9;    ///< s/s per √s
    double white = 0.0;      ///< s/s at 1 s
    double temperature_amplitude = 0.0;
    double temperature_period_s = 3600.0;
    struct Jump {
        TrueTime at = 0;
        double frequency = 0.0;
    };
    std::vector<Jump> jumps;  ///< frequency changes at once (a crystal's activity dip)
    /// Every second stretch of this length the wander is `other_wander`; 0: always `wander`.
    double wander_period_s = 0.0;
    double other_wander = 0.0;
};

class SimClock final : public ClockDriver {
public:
    SimClock(const OscillatorModel& model, TrueTime start, double initial_offset_s,
             std::uint64_t seed);

    /// Moves true time on; never back.
    void advance_to(TrueTime now);

    /// System clock minus true UTC, s (> 0: fast).
    double error_s() const noexcept;
    /// Rate error of the running system clock, s/s.
    double rate_error() const noexcept { return effective_rate() - 1.0; }
    MonoTime mono() const noexcept;
    /// True time at which the monotonic clock will read `t` if nothing changes (for wake-ups).
    TrueTime when_mono(MonoTime t) const noexcept;

    /// Somebody else's hand on the clock: not told to the daemon.
    void foreign_step(double by_s) noexcept { phase_s_ += by_s; }
    /// The machine has slept until now: CLOCK_MONOTONIC did not run, and the system clock was set from
    /// another one, which is wrong by `error_s` more.
    void slept(double for_s, double error_s) noexcept {
        mono_phase_s_ -= for_s;
        phase_s_ += error_s;
    }

    SystemTime now() const override;
    Frequency max_frequency() const override { return Frequency::from_ratio(0.1); }
    SysResult<Frequency> frequency() override { return correction_; }
    SysResult<Frequency> set_frequency(Frequency correction) override;
    SysResult<void> step(Duration by) override;
    SysResult<void> set_leap(Leap leap, int tai_offset_s) override;
    bool can_leap() const override { return true; }
    SysResult<void> set_sync_status(bool synchronised, Duration estimated_error,
                                    Duration maximum_error) override;

    int steps() const noexcept { return steps_; }
    bool synchronised() const noexcept { return synchronised_; }

private:
    double effective_rate() const noexcept {
        return (1.0 + oscillator_) * (1.0 + correction_.ratio());
    }
    void next_grain();

    static constexpr TrueTime kGrain = 1'000'000'000;

    OscillatorModel model_;
    SimRandom random_;
    TrueTime now_;
    TrueTime start_;
    TrueTime grain_end_;
    double walk_ = 0.0;
    double oscillator_ = 0.0;
    Frequency correction_;
    /// Phase against true time, kept as a difference so that doubles keep picoseconds.
    double phase_s_;
    double mono_phase_s_ = 0.0;
    int steps_ = 0;
    bool synchronised_ = false;
};

}  // namespace gnomon::sim
