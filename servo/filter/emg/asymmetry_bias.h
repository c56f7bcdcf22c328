#pragma once

/// `AsymmetryBias`: the error of the offset that no likelihood can see, when both ways jitter almost
/// normally but one more than the other.
///
/// The bank finds the offset between the two ways' edges. For jitter with a visible edge that is
/// right. Jitter that is the sum of many small queues looks normal, its edge is far below anything
/// observed, and its mean is taken for base delay; if the means of the two ways differ, half of the
/// difference goes into the offset. The means cannot be observed, but they can be inferred if both
/// ways have the same kind of one-sided jitter, of different size: for the Gamma family, which spans
/// from the exponential to the normal distribution, mean/sd = 2/skewness. So from sd σᵢ and pooled
/// skewness s of the residuals of either way
///
///     bias = ½ [ (2/s) (σ₁ − σ₂) − (λ₁ − λ₂) ]
///
/// where λᵢ is the queueing that the bank already accounts for. The residuals are those of the
/// prediction, so the variance of the predicted offset is taken off; a constant error of the offset
/// does not matter to central moments. Moments forget 1/800 per measurement, because a
/// skewness is learned slowly.
///
/// It is a correction by risk and not by evidence: made only as far as skewness and difference of the
/// sd are significant, and only for skewness well below that of an exponential (elsewhere the bank
/// sees the edge itself) and well above none (noise of timestamps has none, and what its mean would
/// be cannot be inferred).
///
/// What cannot be inferred is claimed as uncertainty wherever σ₁ and σ₂ differ significantly: a third
/// of the correction, because the family may be another; half of σ₁ − σ₂, unless the skewness is that
/// of a visible edge; and half of λ₁ − λ₂ if there is hardly any skewness, for then the bank takes the
/// wider noise of one way for queueing that does not exist.

#include <cmath>

namespace gnomon {

class AsymmetryBias {
public:
    void reset() noexcept { *this = AsymmetryBias(); }

    /// Residuals a − e and b + e against the predicted offset e with that variance; `queue_difference`
    /// λ₁ − λ₂ as the bank has it after the measurement.
    void add(double forward_s, double backward_s, double offset_variance_s2,
             double queue_difference_s) noexcept;

    /// To subtract from the bank's offset, s.
    double bias_s() const noexcept { return bias_s_; }
    /// What remains in doubt, one sigma, s.
    double sd_s() const noexcept { return std::hypot(kDoubt * bias_s_, doubt_s_); }

private:
    static constexpr double kDoubt = 1.0 / 3.0;

    struct Moments {
        double mean = 0.0;
        double second = 0.0;
        double third = 0.0;
        void add(double value, double gain, bool clip) noexcept;
    };

    Moments forward_;
    Moments backward_;
    double offset_variance_s2_ = 0.0;
    double bias_s_ = 0.0;
    double doubt_s_ = 0.0;
    int count_ = 0;
};

}  // namespace gnomon
