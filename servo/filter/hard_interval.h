#pragma once

/// What the samples prove about the offset, whatever the queues did.
///
/// A sample of an honest source proves that the true offset lay within half its root delay plus its
/// root dispersion of the measured one. Carried to a common instant all samples of the window prove
/// their intersection. An estimate is as wrong as the farther end of that interval at most: that is the
/// bound to advertise. The best sample's own distance is not enough, because the estimate may have
/// moved away from it, as it does when a path gets longer in one direction.
///
/// Carrying costs certainty. The line's frequency is known to its skew; and where lines contradicted
/// each other since the sample was taken (a source that moved tilts the line, our clock does not tilt),
/// any of them may be the right one (`Sample::least_frequency` …). Besides, the frequency may have
/// changed by `maxclockerror` unnoticed: a jump below the noise does not show in the skew for long,
/// while the old samples go wrong at once. (To count that only up to some deviations of the residuals,
/// where it would show, was tried: the simulator finds a wrong bound in every twentieth seed then.)

#include <optional>

#include "servo/filter/sample_history.h"

namespace gnomon {

struct HardInterval {
    double low_s = 0.0;  ///< offset of our clock, > 0: behind
    double high_s = 0.0;

    /// Within `slack_s` ≥ 0: what the samples claim for themselves need not cover their noise if they
    /// have no delay to speak of (reference clocks).
    bool contains(double estimate_s, double slack_s = 0.0) const noexcept {
        return low_s - slack_s <= estimate_s && estimate_s <= high_s + slack_s;
    }
    /// Largest possible error of an estimate, s.
    double bound_s(double estimate_s) const noexcept;
};

/// At time `at` (not before the newest sample); empty without samples. `wander`: random walk of our
/// oscillator's frequency as learned, s/s per √s; where it does more than `maxclockerror` promises, it
/// counts (3.29 σ). Samples that contradict each
/// other prove only that something is wrong: then the newest one alone counts.
std::optional<HardInterval> hard_interval(const SampleHistory& history, UtcTime at,
                                          double wander = 0.0) noexcept;

}  // namespace gnomon
