#pragma once

/// `Estimator`: turns the measurements of one source into an estimate of our clock's offset and
/// frequency against it. One instance per source. Pure: no clock, no I/O; every time is an
/// argument.
///
/// All times are on the NTP clock. Whatever is done to that clock is told by `adjust()`, exactly
/// and as a known input, so that corrections are never mistaken for noise.
///
/// An estimator sees the source through its `SampleHistory`, which `SourceFilter` updates first:
/// the newest sample is the new information, older ones serve statistics of delay and
/// re-initialisation.
///
/// Implementations: `EmgEstimator` (the default: the two ways separately, one-sided delay; the most
/// accurate in docs/benchmarks/accuracy.md), `KalmanEstimator` (offsets with Gaussian noise, next
/// best), `RegressionEstimator` (the history's own line, as chrony steers), `PiEstimator` (linuxptp's
/// servo, for comparison and for sources polled many times a second).

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "servo/filter/sample_history.h"
#include "servo/filter/wander_belief.h"
#include "servo/units/measurement.h"
#include "servo/units/source_view.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// Our clock against one source, or against the combination of several, at one instant.
struct Estimate {
    UtcTime at;
    double offset_s = 0.0;                     ///< > 0: our clock is behind
    double offset_sd_s = 0.0;                  ///< one sigma, never negative, never NaN
    double frequency = 0.0;                    ///< s/s, d(offset)/dt: > 0: our clock runs slow
    double frequency_sd = 0.0;                 ///< one sigma, s/s
    double offset_frequency_covariance = 0.0;  ///< s²/s

    /// Propagated to `t` (also backwards); `wander` is the oscillator's random walk of frequency,
    /// s/s per √s.
    Estimate at_time(UtcTime t, double wander) const noexcept;
};

class Estimator {
public:
    virtual ~Estimator() = default;

    /// `history` has got a new newest sample, accepted by the protocol tests. Never throws, never
    /// allocates.
    virtual void update(const SampleHistory& history) noexcept = 0;

    /// The NTP clock was adjusted (the history already is). `UnknownStep` forgets the offset;
    /// frequency may survive.
    virtual void adjust(const ClockAdjustment& adjustment) noexcept = 0;

    /// All measured offsets have changed by this constant.
    virtual void shift_offsets(double offset_s) noexcept = 0;

    /// Forget everything.
    virtual void reset() noexcept = 0;

    /// The estimate propagated to `at` (≥ the newest measurement); empty until there is one.
    virtual std::optional<Estimate> estimate(UtcTime at) const noexcept = 0;

    /// What was learned of path and oscillator, for poll control; empty: nothing.
    virtual std::optional<SourceView::Noise> noise() const noexcept { return std::nullopt; }

    /// What the measurements say of our oscillator's wander; empty: nothing, or not yet.
    virtual std::optional<WanderBelief> wander_belief() const noexcept { return std::nullopt; }
    /// What other sources say of it (as `WanderBelief::tempered`), in force until told anew.
    virtual void hear(const WanderBelief&) noexcept {}

    /// Name in configuration and reports: "kalman", "pi", "regression", "emg".
    virtual const char* name() const noexcept = 0;
};

/// By `name()`; empty or "default" gives the default. Null for an unknown name.
std::unique_ptr<Estimator> make_estimator(std::string_view name);
/// One for each name; unknown ones are left out.
std::vector<std::unique_ptr<Estimator>> make_estimators(const std::vector<std::string>& names);

}  // namespace gnomon
