#pragma once

/// `Estimator`: turns the measurements of one source into an estimate of our clock's offset and
/// frequency against it. One instance per source. Pure: no clock, no I/O; every time is an argument.
///
/// All times are on the NTP clock. Whatever is done to that clock is told by `adjust()`, exactly and
/// as a known input, so that corrections are never mistaken for noise.
///
/// Implementations: `KalmanEstimator`, `PiEstimator`, `RegressionEstimator`.

#include <optional>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// Our clock against one source, or against the combination of several, at one instant.
struct Estimate {
    UtcTime at;
    double offset_s = 0.0;       ///< > 0: our clock is behind
    double offset_sd_s = 0.0;    ///< one sigma, never negative, never NaN
    double frequency = 0.0;      ///< s/s, d(offset)/dt: > 0: our clock runs slow
    double frequency_sd = 0.0;   ///< one sigma, s/s
    double offset_frequency_covariance = 0.0;  ///< s²/s

    /// Propagated to `t`; `wander` is the oscillator's random walk of frequency, s/s per √s.
    Estimate at_time(UtcTime t, double wander) const noexcept;
};

class Estimator {
public:
    virtual ~Estimator() = default;

    /// Takes a measurement that the protocol tests have accepted. Older than the newest one seen, or
    /// not finite: ignored. Never throws, never allocates beyond its fixed bound.
    virtual void update(const Measurement& measurement) = 0;

    /// The NTP clock was adjusted. `UnknownStep` forgets the offset; frequency survives.
    virtual void adjust(const ClockAdjustment& adjustment) = 0;

    /// Forget everything.
    virtual void reset() = 0;

    /// The estimate propagated to `at` (≥ the newest measurement); empty until there is one.
    virtual std::optional<Estimate> estimate(UtcTime at) const = 0;

    /// Name in configuration and reports: "kalman", "pi", "regression".
    virtual const char* name() const noexcept = 0;
};

}  // namespace gnomon
