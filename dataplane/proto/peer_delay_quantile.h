#pragma once

/// `PeerDelayQuantile`: a long-term quantile of the peer delay (`maxdelayquant`) in constant
/// memory, by stochastic approximation ("Frugal-2U": Ma, Muthukrishnan, Sandler, "Frugal Streaming
/// for Estimating Quantiles", 2013). Several estimates run side by side; their median is less
/// noisy.

#include <array>

#include "servo/units/random_source.h"

namespace gnomon {

class PeerDelayQuantile {
public:
    /// `quantile` in (0, 1); `min_step_s` > 0 is the finest movement of an estimate.
    PeerDelayQuantile(double quantile, double min_step_s) noexcept;

    void reset() noexcept;
    void add(double delay_s, RandomSource& random);
    /// The estimate; 0 before the first value.
    double value() const noexcept;
    /// Test C: not above the estimate, give or take half a step.
    bool passes(double delay_s) const noexcept { return delay_s <= value() + min_step_s_ / 2.0; }

private:
    struct Estimate {
        double value_s = 0.0;
        double step_s = 0.0;
        int direction = 1;
    };
    void update(Estimate& estimate, double delay_s, double chance) const noexcept;

    double quantile_;
    double min_step_s_;
    bool empty_ = true;
    std::array<Estimate, 7> estimates_{};
};

}  // namespace gnomon
