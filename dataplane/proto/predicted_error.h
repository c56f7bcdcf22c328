#pragma once

/// How large the error of the clock will be at a polling interval, from what the estimator knows of
/// the noise; and the interval that follows from it. Pure.
///
/// Two parts of the error depend on the interval T differently:
///
/// *Noise*, which more measurements average out. For the Gaussian part (σ: of an offset) it is the
/// steady state of the Riccati equation of offset and frequency under a random walk q of the
/// frequency, 1.4 σ^¾ q^¼ T^⅜. For queueing (λ: mean of each way, exponential) there is no such
/// equation, because the smallest delays carry the information; simulation gives
/// 0.85 λ^0.6 q^0.4 T^0.6 over six decades of q T^1.5 / λ.
///
/// *Wander* between two measurements, 0.43 q T^1.5, which no filter can know: the variance
/// q² t³/3 of the walk and that of the frequency at the last measurement, averaged over the interval.

#include "servo/units/source_view.h"

namespace gnomon {

struct PredictedError {
    double noise_s = 0.0;
    double wander_s = 0.0;

    double total_s() const noexcept;
};
PredictedError predicted_error(const SourceView::Noise& noise, double interval_s) noexcept;

/// The longest interval, log2 s, that is worth its packets:
///  * wander makes up at most an eighth of the variance. Up to there a clock polled half as often is
///    1.3 to 1.6 times worse; beyond, soon 2.8 times;
///  * the error is at most 0.23 of `distance_s`, the bound that delay and dispersion leave.
/// The two numbers make it ask no more often than chrony's rule does.
/// Between `min_log2` and `max_log2`; the former when the noise makes no sense.
double planned_interval_log2(const SourceView::Noise& noise, double distance_s, double min_log2,
                             double max_log2) noexcept;

}  // namespace gnomon
