#include "servo/filter/estimator_trial.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr double kForgetting = 1.0 / 256.0;
constexpr int kMaxPredictions = 1 << 30;

double weight_of(const Sample& sample, const SampleHistory& history) noexcept {
    const double queueing_s = 0.5 * (sample.peer_delay_s - history.min_delay_s());
    const double softness_s = std::max(history.line().stddev_s, kMinDeviation_s);
    const double slowness = 1.0 + std::max(queueing_s, 0.0) / softness_s;
    return 1.0 / (slowness * slowness);
}

}  // namespace

EstimatorTrial::EstimatorTrial(std::unique_ptr<Estimator> estimator)
    : estimator_(std::move(estimator)) {
    GNOMON_ASSERT(estimator_ != nullptr);
}

void EstimatorTrial::update(const SampleHistory& history) noexcept {
    if (history.empty()) return;
    const Sample& sample = history.newest();
    const std::optional<Estimate> predicted = estimator_->estimate(sample.at);
    if (predicted && history.has_line()) {
        const double error_s = predicted->offset_s - sample.offset_s;
        const double weight = weight_of(sample, history);
        if (std::isfinite(error_s) && std::isfinite(weight)) {
            weights_ = (1.0 - kForgetting) * weights_ + weight;
            squares_s2_ = (1.0 - kForgetting) * squares_s2_ + weight * error_s * error_s;
            predictions_ = std::min(predictions_ + 1, kMaxPredictions);
        }
    }
    estimator_->update(history);
}

void EstimatorTrial::reset() noexcept {
    estimator_->reset();
    predictions_ = 0;
    weights_ = squares_s2_ = 0.0;
}

void EstimatorTrial::restore(const SampleHistory& history) noexcept { estimator_->update(history); }

PredictionScore EstimatorTrial::score() const noexcept {
    PredictionScore score;
    score.predictions = predictions_;
    if (weights_ > 0.0) score.error_s = std::sqrt(squares_s2_ / weights_);
    return score;
}

}  // namespace gnomon
