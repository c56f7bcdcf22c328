#pragma once

/// How fast an offset shall be corrected: the law by which `Discipline` steers.
///
/// A frequency error is corrected at once; an offset by running at another frequency for a while,
/// which is itself a frequency error. Fast corrections pass the noise of every estimate on to the
/// frequency, slow ones leave the clock off for longer. The compromise is the linear-quadratic one:
/// with r what remains to be corrected and u = −dr/dt, minimise
///
///     E ∫ (r²/P + u²·κ²/F) dt,
///
/// P and F being the variances that the estimate has anyway: neither the offset nor the frequency
/// shall be made much worse than it is known. Only τ = κ·√(P/F) matters, the time over which the two
/// errors weigh the same. Since r is the sum of what the estimates brought, which are not correlated
/// (innovations), certainty equivalence holds, and the gain is that of a problem without noise.
///
/// * τ not short against the interval T between the updates: u is constant from one update to the
///   next, r' = r − uT. Cost of an interval: T·(r² − ruT + u²T²/3 + τ²u²). The Riccati equation of
///   this scalar problem has a closed solution; the correction takes
///       D = T/2 + √(τ² + T²/12).
/// * τ short: the correction is over before the next update. An offset w costs w²·(D/3 + τ²/D),
///   least for D = √3·τ.
///
/// D is the smaller of the two. P and F are means over the interval, because between two updates
/// the uncertainty of the frequency turns into one of the offset.
///
/// An offset that is large against √P is no noise but a real error (start, jump, suspend), and is
/// corrected proportionally faster. At the start that holds for all that exceeds √P, and by the square:
/// there is no calm yet to be kept, and the next measurement is long in coming. D is bounded by a
/// number of intervals, because beyond that there is no calm left to be gained and every error of the
/// model would last. Limits of the clock (`maxslewrate`, shortest slew) are `NtpClock`'s. Pure
/// functions; all times in seconds.

#include "servo/filter/estimator.h"

namespace gnomon {

struct SteeringConfig {
    /// κ: more is a calmer frequency and a less accurate time. The default was found in simulated
    /// networks: time errors grow by 0 … 9 %, those of frequency fall to a half … a third.
    double frequency_weight = 0.35;
    /// Offsets beyond so many √P are corrected faster.
    double noise_sigmas = 3.0;
    double max_intervals = 10.0;
    /// One of the first corrections after a start.
    bool starting = false;
};

/// Duration of the correction of `remaining_s` (either sign), of which the newest part comes from
/// `estimate`; the next update is expected after `interval_s` ≥ 0, 0: not known. Never negative,
/// never NaN; 0 asks for as fast as possible.
double correction_duration_s(const Estimate& estimate, double remaining_s, double interval_s,
                             const SteeringConfig& config = {}) noexcept;

}  // namespace gnomon
