#pragma once

/// `Measurement`: one exchange with a source, the only thing that flows from the dataplane and the
/// reference clocks into the servo.
///
/// An NTP exchange is t1 (request leaves us), t2 (reaches the server), t3 (reply leaves the
/// server), t4 (reaches us); t1 and t4 are on our NTP clock, t2 and t3 on the server's. The
/// estimator gets the two one-way differences and not merely their half sum and sum, because
/// queueing delay is one-sided: each direction tells something of its own.
///
///     forward  a = t2 − t1 = D + offset + queueing of the request    (≥ D + offset)
///     backward b = t4 − t3 = D − offset + queueing of the reply      (≥ D − offset)
///
/// Sign: offset > 0 means that our clock is *behind* the source (RFC 5905). linuxptp has it the
/// other way round; convert at the border.

#include <cstdint>

#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct Measurement {
    /// The instant on the NTP clock that the offset belongs to: the middle of t1 and t4.
    UtcTime at;

    Duration forward;   ///< a = t2 − t1
    Duration backward;  ///< b = t4 − t3
    /// Variance of the timestamping noise of each difference, s². Queueing is not in it.
    double forward_variance_s2 = 0.0;
    double backward_variance_s2 = 0.0;
    /// Parts of either difference that transparent clocks measured as residence time
    /// (already subtracted from `forward`/`backward`); kept for reports.
    Duration forward_correction;
    Duration backward_correction;

    /// Our own stamps: t1's and t4's source.
    TimestampSource tx_source = TimestampSource::Daemon;
    TimestampSource rx_source = TimestampSource::Daemon;

    /// What can have gone wrong besides queueing: reading precision of both clocks and their drift
    /// over the exchange, s.
    double peer_dispersion_s = 0.0;

    /// The source's own distance to UTC, s.
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;

    Leap leap = Leap::Normal;
    Stratum stratum = 0;
    RefId ref_id;

    /// For measurements without two ways, such as those of reference clocks: an exact delay, and the
    /// offset to the nanosecond.
    void set_offset(double offset_s, double delay_s) noexcept {
        const Duration delay = Duration::from_seconds(delay_s);
        forward = Duration::from_seconds(offset_s + 0.5 * delay_s);
        backward = delay - forward;
    }
    /// Half the difference of the ways: exact arithmetic on what may be an odd number of
    /// nanoseconds is left to double.
    double offset_s() const noexcept { return (forward - backward).to_seconds() * 0.5; }
    /// Round trip without the time in the server, s. May be ≤ 0 for clocks that misbehave.
    double peer_delay_s() const noexcept { return (forward + backward).to_seconds(); }
    double root_distance_s() const noexcept {
        return (root_delay_s + peer_delay_s()) * 0.5 + root_dispersion_s + peer_dispersion_s;
    }
};

/// What was done to the NTP clock: every holder of times on it moves them by `shift(t)`.
///
/// A correction of frequency and phase at instant `at` re-writes history as if the clock had always
/// run the new way, so that samples taken before remain comparable with samples taken after.
struct ClockAdjustment {
    enum class Kind : std::uint8_t {
        Slew,  ///< known frequency and phase change, time stays continuous on the system clock
        Step,  ///< known phase jump of the system clock too
        UnknownStep,  ///< somebody else moved the clock: older times are worthless
    };
    Kind kind = Kind::Slew;
    UtcTime at;                     ///< on the NTP clock before the adjustment
    double frequency_change = 0.0;  ///< s/s, > 0: the clock ran slow and runs faster from now on
    double offset_change_s = 0.0;   ///< s, > 0: the clock was behind and is put forward

    /// By how much the reading of the NTP clock at past instant `t` changes. An instant long past
    /// moves back by what the clock would have gained since, and forward with the phase.
    Duration shift(UtcTime t) const noexcept {
        return Duration::from_seconds(offset_change_s - (at - t).to_seconds() * frequency_change);
    }
};

}  // namespace gnomon
