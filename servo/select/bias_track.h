#pragma once

/// `BiasTrack`: where a source stands against the combination in the long run. Biases are constant
/// where noise is not: the mean of many estimates, each weighted by its precision, tells more of them
/// than the newest one. When the source moves against the others (another path, another server), the
/// past is void.

#include <algorithm>

namespace gnomon {

class BiasTrack {
public:
    /// One combination: the source's offset less the combined one, and the variance of its noise, > 0.
    void add(double away_s, double variance_s2) noexcept {
        information_ = kForgetting * information_ + 1.0 / variance_s2;
        away_s_ += (away_s - away_s_) / (variance_s2 * information_);
        if (count_ < kEstimatorMemory) ++count_;
    }
    void reset() noexcept { *this = BiasTrack(); }

    bool known() const noexcept { return count_ > 0; }
    /// This new place, whose noise has that variance, is not where it used to be.
    bool contradicts(double away_s, double new_variance_s2) const noexcept {
        const double moved_s = away_s - away_s_;
        return count_ >= kJudged &&
               moved_s * moved_s > kSigmas2 * (new_variance_s2 + variance_s2());
    }
    double away_s() const noexcept { return away_s_; }
    /// Of away_s(), when known.
    double variance_s2() const noexcept { return count_ / information_; }

private:
    static constexpr double kForgetting = 1.0 - 1.0 / 64.0;  ///< per combination
    /// An estimator remembers for many measurements; so many of its estimates are worth one.
    static constexpr int kEstimatorMemory = 16;
    static constexpr int kJudged = 8;
    static constexpr double kSigmas2 = 25.0;

    double away_s_ = 0.0;
    double information_ = 0.0;
    int count_ = 0;
};

}  // namespace gnomon
