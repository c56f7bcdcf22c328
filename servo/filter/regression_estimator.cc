#include "servo/filter/regression_estimator.h"

namespace gnomon {

void RegressionEstimator::update(const SampleHistory& history) noexcept {
    if (history.empty()) return;
    const HistoryLine& line = history.line();
    estimate_ = Estimate{line.at,        line.offset_s,     line.offset_sd_s,
                         line.frequency, line.frequency_sd, line.offset_frequency_covariance};
}

void RegressionEstimator::adjust(const ClockAdjustment& adjustment) noexcept {
    if (!estimate_) return;
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        estimate_.reset();
        return;
    }
    const Duration shift = adjustment.shift(estimate_->at);
    estimate_->at += shift;
    estimate_->offset_s -= shift.to_seconds();
    estimate_->frequency =
        (estimate_->frequency - adjustment.frequency_change) / (1.0 + adjustment.frequency_change);
}

void RegressionEstimator::shift_offsets(double offset_s) noexcept {
    if (estimate_) estimate_->offset_s += offset_s;
}

std::optional<Estimate> RegressionEstimator::estimate(UtcTime at) const noexcept {
    if (!estimate_) return std::nullopt;
    return estimate_->at_time(at, 0.0);
}

}  // namespace gnomon
