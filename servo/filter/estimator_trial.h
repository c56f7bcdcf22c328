#pragma once

/// `EstimatorTrial`: an estimator and a score of how well it predicts, so that several can be compared
/// on the same measurements. One of a source's trials steers the clock, the others (shadows) only
/// watch: all are told of every correction, so each one's estimate is about the same clock.
///
/// The true offset is unknown, so every new measurement is compared with what the estimator said
/// of it beforehand. A slow exchange is wrong by up to half of its queueing and tells little;
/// with δ its peer delay, δ_min the smallest in the history and σ the deviation of the history's
/// residuals it counts
///
///     w = 1 / (1 + (δ − δ_min) / (2σ))²
///
/// and the score is sqrt(Σ w·(predicted − measured)² / Σ w), forgetting 1/256 per measurement.
/// The noise of the measurements is in the score of all of them alike: the order of the scores of one
/// source means something, their ratio understates the difference.
///
/// Not thread-safe; allocates only when constructed.

#include <memory>

#include "servo/filter/estimator.h"

namespace gnomon {

struct PredictionScore {
    int predictions = 0;   ///< how many it rests on, at most those of the memory count
    double error_s = 0.0;  ///< weighted RMS of predicted minus measured offset; 0 without any
};

class EstimatorTrial {
public:
    /// Not null.
    explicit EstimatorTrial(std::unique_ptr<Estimator> estimator);

    /// `history` has got a new newest sample: judges the prediction of it, then shows it to the
    /// estimator.
    void update(const SampleHistory& history) noexcept;
    void adjust(const ClockAdjustment& adjustment) noexcept { estimator_->adjust(adjustment); }
    void shift_offsets(double offset_s) noexcept { estimator_->shift_offsets(offset_s); }
    void hear(const WanderBelief& others) noexcept { estimator_->hear(others); }
    /// The estimator forgets everything; so does the score.
    void reset() noexcept;
    /// The same from a history that is not new (dump file): nothing is judged.
    void restore(const SampleHistory& history) noexcept;

    std::optional<Estimate> estimate(UtcTime at) const noexcept { return estimator_->estimate(at); }
    const Estimator& estimator() const noexcept { return *estimator_; }
    PredictionScore score() const noexcept;

private:
    std::unique_ptr<Estimator> estimator_;
    int predictions_ = 0;
    double weights_ = 0.0;
    double squares_s2_ = 0.0;  ///< weighted
};

}  // namespace gnomon
