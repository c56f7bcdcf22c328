#pragma once

/// `RegressionEstimator`: the weighted least-squares line of the history as the estimate, which is
/// how chrony steers. Kept as the comparator that every other estimator has to beat.

#include <optional>

#include "servo/filter/estimator.h"

namespace gnomon {

class RegressionEstimator final : public Estimator {
public:
    void update(const SampleHistory& history) noexcept override;
    void adjust(const ClockAdjustment& adjustment) noexcept override;
    void shift_offsets(double offset_s) noexcept override;
    void reset() noexcept override { estimate_.reset(); }
    std::optional<Estimate> estimate(UtcTime at) const noexcept override;
    const char* name() const noexcept override { return "regression"; }

private:
    std::optional<Estimate> estimate_;
};

}  // namespace gnomon
