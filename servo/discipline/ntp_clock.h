#pragma once

/// `NtpClock`: the split between the NTP clock and the system clock.
///
/// The NTP clock is our estimate of UTC. It is defined over the system clock as a straight line,
///
///     utc(t) = t + remaining − slew · (t − start)        t: system time
///
/// whose slope is what is left between two frequencies: the *base* correction, at which the system
/// clock would keep pace with the NTP clock, and the *applied* one, which the kernel really runs at
/// now. A slew is a bounded time during which they differ, so that `remaining` goes to zero. Nothing
/// needs to end on time: the line stays true however late the wake-up is, because the clock itself
/// says how long the slew lasted.
///
/// The frequency that the kernel applies is quantised; the base is not. The difference is a very
/// slow slew like any other, hence no rounding is ever lost (`remaining` keeps the fractions of a
/// nanosecond).
///
/// A driver that cannot change anything (`max_frequency` zero, as for -x) makes the NTP clock run away
/// from the system clock by the whole base correction; all else is the same.
///
/// Protocol: every mutating call may leave a frequency to be set (`pending_frequency`). Until
/// `frequency_applied` the old one is taken to be in force, which is exact at any delay.
///
/// Signs: a frequency correction is positive when it makes the clock faster; `remaining` is positive
/// when the system clock is behind the NTP clock. Sans-IO, one thread.

#include <cstdint>
#include <optional>

#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/server_state.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct NtpClockConfig {
    /// `maxslewrate`: bound on the frequency of a slew, relative to the base.
    Frequency max_slew_rate = Frequency::from_ppm(1e6 / 12.0);
    /// What the driver can apply at most, either sign.
    Frequency max_frequency = Frequency::from_ratio(0.1);
    /// System and monotonic clock drifting apart by more than this between two wake-ups is a step
    /// made by somebody else. Above one second, so that the kernel's own leap second is none.
    Duration foreign_step_threshold = Duration::from_s(10);
};

class NtpClock {
public:
    /// `applied`: the correction in force when we start, taken as the base.
    NtpClock(const NtpClockConfig& config, SystemTime now, Frequency applied);

    /// The NTP clock at system time `t`; continuous within a nanosecond over every command but a
    /// phase change and a step. The same as `line().to_utc(t)`.
    UtcTime to_utc(SystemTime t) const noexcept { return line().to_utc(t); }
    /// The system time at which the NTP clock shows `t`, to the nanosecond.
    SystemTime to_system(UtcTime t) const noexcept;
    /// NTP clock minus system clock at `t`: what is still to be slewed (`System time` in reports).
    double remaining_s(SystemTime t) const noexcept;
    /// For `ServerState`. Open-ended: it stays true past the planned end of the slew.
    ClockLine line() const noexcept;

    Frequency base() const noexcept { return base_; }
    Frequency applied() const noexcept { return applied_; }
    /// d(utc)/d(system) − 1 at present, s/s.
    double rate() const noexcept { return -slew_; }

    /// From `now` on the NTP clock runs with correction `base` and shows `offset_s` more.
    /// `correction_area_s2` asks for the pace: offset × time to correct it, s²; 0 is as fast as
    /// `max_slew_rate` allows (but never less than a second). It replaces the one of the slew in
    /// progress.
    void adjust(SystemTime now, Frequency base, double offset_s, double correction_area_s2);
    /// Phase only, or base only.
    void add_offset(SystemTime now, double offset_s, double correction_area_s2);
    void set_base(SystemTime now, Frequency base);
    /// What remains is given up: the NTP clock becomes the system clock (foreign step).
    void drop_remaining(SystemTime now);
    /// Ends the slew when its time has come; harmless otherwise.
    void tick(SystemTime now);
    /// Runs at the base frequency from now on: the state in which to leave the clock at exit.
    void stop_slewing(SystemTime now);

    /// The frequency that the driver shall apply, once.
    std::optional<Frequency> pending_frequency() const noexcept { return pending_; }
    /// The driver did so at `at`; `actual` is what is in force now. A driver that failed passes
    /// `applied()`.
    void frequency_applied(SystemTime at, Frequency actual);
    /// The system clock was stepped by us, and the NTP clock with it: what remains stays.
    void step_applied(Duration by) noexcept;

    /// When `tick` wants to be called.
    SystemTime slew_end() const noexcept { return slew_end_; }

    /// Call once per wake-up, before anything else. By how much somebody else has moved the system
    /// clock since the last call, if more than the threshold.
    std::optional<Duration> check_foreign_step(SystemTime now, MonoTime mono) noexcept;

private:
    void rebase(SystemTime now) noexcept;
    void add_remaining(double offset_s) noexcept;
    void plan(SystemTime now);
    void note_lateness(SystemTime now) noexcept;
    double remaining_at_start_s() const noexcept;
    void update_slew_rate() noexcept;

    NtpClockConfig config_;
    Frequency base_;
    Frequency applied_;

    SystemTime start_;
    Duration remaining_;
    double remaining_fraction_ns_ = 0.0;  ///< in [−0.5, 0.5]
    double slew_ = 0.0;                   ///< s of remaining worked off per system second
    SystemTime slew_end_;                 ///< as planned
    double correction_area_s2_ = 0.0;
    double lateness_s_ = 0.0;  ///< decaying maximum of how late slews ended
    std::optional<Frequency> pending_;

    SystemTime last_system_;
    MonoTime last_mono_;
};

}  // namespace gnomon
