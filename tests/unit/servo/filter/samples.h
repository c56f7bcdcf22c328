#pragma once

#include "servo/units/measurement.h"

namespace gnomon::testing {

inline const UtcTime kEpoch = UtcTime::from_ns(1'700'000'000'000'000'000);

/// A measurement at `t_s` after the epoch of the tests.
inline Measurement measured(double t_s, double offset_s, double delay_s = 1e-3) {
    Measurement m;
    m.at = kEpoch + Duration::from_seconds(t_s);
    m.forward = Duration::from_seconds(delay_s / 2 + offset_s);
    m.backward = Duration::from_seconds(delay_s / 2 - offset_s);
    m.peer_dispersion_s = 1e-6;
    m.root_delay_s = 2e-3;
    m.root_dispersion_s = 5e-4;
    m.stratum = 2;
    return m;
}

inline UtcTime at(double t_s) { return kEpoch + Duration::from_seconds(t_s); }

}  // namespace gnomon::testing
