#pragma once

/// Which second a pulse belongs to. A pulse tells when a second (or a fraction of one, at higher
/// rates) began, but not which; that comes from another reference clock it is locked to, or from
/// the NTP clock itself when that is known well enough.
///
/// Pure functions on the NTP clock; offsets are positive when our clock is behind.

#include <cstdint>
#include <optional>

#include "servo/units/duration.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct PulseTrain {
    int rate_hz = 1;
    int max_lock_age_pulses = 2;
    /// Known length of the pulse: offsets that could come from the wrong edge are refused. ≤ 0: not
    /// checked.
    double width_s = 0.0;

    double interval_s() const noexcept { return 1.0 / rate_hz; }
};

enum class PulseDrop : std::uint8_t {
    NoReference,  ///< nothing to pair it with
    TooOld,       ///< the reference's last sample is older than `maxlockage`
    Ambiguous,    ///< reference and pulse are too far apart to be sure of the second
    WrongEdge,
    BadTime,
};

/// The newest sample of the reference clock that a pulse is locked to.
struct LockSample {
    UtcTime at;
    double offset_s = 0.0;
    double error_s = 0.0;  ///< its dispersion
};

/// The offset of a pulse within ± half an interval.
double nearest_pulse_offset(const PulseTrain& train, double offset_s) noexcept;

/// The offset of the pulse that came at `at`, moved by whole intervals next to the reference's. The
/// two may differ, errors included, by 0.4 of the interval.
Result<double, PulseDrop> lock_pulse(const PulseTrain& train, UtcTime at, double offset_s,
                                     double error_s, const LockSample& reference) noexcept;

/// Without a reference: good if the root distance of the NTP clock leaves no doubt. `distance_s`
/// empty: not synchronised.
Result<double, PulseDrop> place_pulse(const PulseTrain& train, double offset_s,
                                      std::optional<double> distance_s) noexcept;

}  // namespace gnomon
