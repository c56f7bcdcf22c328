#pragma once

/// `ServerState`: all that a server responder needs to know of the clock. The control loop
/// publishes it, every responder reads it: in the same thread, or through `SeqLock<ServerState>` in
/// workers.

#include <cstdint>

#include "servo/units/duration.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// The NTP clock as a straight line over the system clock, valid around `epoch`:
/// utc(t) = t + offset + rate · (t − epoch) for a system time t. A slew ends with a new line.
struct ClockLine {
    SystemTime epoch;
    Duration offset;
    double rate = 0.0;  ///< s/s, change of the offset per system second
    /// What served time is ahead of the NTP clock at `epoch`, ≥ 0, so that it never runs backwards
    /// when the clock is corrected (servo/discipline/served_line.h); worked off at half speed.
    Duration lead;

    UtcTime to_utc(SystemTime t) const noexcept {
        const Duration slewed = Duration::from_seconds((t - epoch).to_seconds() * rate);
        return UtcTime::from_ns((t.since_epoch() + offset + slewed + lead_at(t)).ns());
    }
    Duration lead_at(SystemTime t) const noexcept {
        if (lead == Duration::zero() || t <= epoch) return lead;
        const Duration left = lead - (t - epoch) / 2;
        return left > Duration::zero() ? left : Duration::zero();
    }
};

/// Trivially copyable; see the field comments for the reply fields they become.
struct ServerState {
    ClockLine clock;
    bool synchronised = false;  ///< else: leap 3, stratum 0 on the wire
    Leap leap = Leap::Unsynchronised;
    Stratum stratum = kStratumUnsynchronised;
    Log2Seconds precision = -20;
    RefId ref_id;
    UtcTime reference_time;  ///< last update of the clock
    double root_delay_s = 0.0;
    /// Root dispersion at `reference_time` and its growth since.
    double root_dispersion_s = 0.0;
    double dispersion_rate = 0.0;  ///< s/s
    /// Served-time smoothing (leap smear): added to served times and reference_time, s.
    double smoothing_offset_s = 0.0;
    /// The scale that corrections of our time do not move (extension field F323): added to a receive
    /// time it takes back every offset correction since the scale began; `mono_epoch` is the random
    /// name of that beginning, 0 when there is no such scale.
    double mono_offset_s = 0.0;
    std::uint32_t mono_epoch = 0;

    double root_dispersion_at(UtcTime now) const noexcept {
        const double age_s = (now - reference_time).to_seconds();
        return root_dispersion_s + (age_s > 0.0 ? age_s * dispersion_rate : 0.0);
    }
};

}  // namespace gnomon
