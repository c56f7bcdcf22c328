#pragma once

/// `PiEstimator`: a proportional-integral loop behind the estimator's interface, for comparison and
/// for sources polled several times a second with little jitter (PPS, PHC).
///
/// A servo of this kind steers frequency by  u = kp·offset + Σ ki·offset. Behind an estimator the
/// same loop is an alpha–beta filter: between samples T seconds apart it predicts offset and
/// frequency and takes the share  α = kp·T  of the innovation into the offset and  β = ki·T  of it,
/// per T, into the frequency. Gains follow linuxptp's defaults for hardware stamps: kp =
/// min(0.7·T^−0.3, 0.7/T) and ki = min(0.3·T^0.4, 0.3/T), so that α ≤ 0.7 and β ≤ 0.3. The first
/// two samples set offset and frequency, as linuxptp's start does.

#include <optional>

#include "servo/filter/estimator.h"

namespace gnomon {

struct PiConfig {
    double kp_scale = 0.7;
    double kp_exponent = -0.3;
    double ki_scale = 0.3;
    double ki_exponent = 0.4;
};

class PiEstimator final : public Estimator {
public:
    explicit PiEstimator(const PiConfig& config = {});

    void update(const SampleHistory& history) noexcept override;
    void adjust(const ClockAdjustment& adjustment) noexcept override;
    void shift_offsets(double offset_s) noexcept override;
    void reset() noexcept override;
    std::optional<Estimate> estimate(UtcTime at) const noexcept override;
    const char* name() const noexcept override { return "pi"; }

private:
    void take(const Sample& sample) noexcept;

    PiConfig config_;
    int samples_ = 0;
    UtcTime at_;
    double offset_s_ = 0.0;
    double frequency_ = 0.0;
    double innovation_variance_s2_ = 0.0;  ///< moving average
    double interval_s_ = 0.0;
    double alpha_ = 1.0;
    double beta_ = 1.0;
};

}  // namespace gnomon
