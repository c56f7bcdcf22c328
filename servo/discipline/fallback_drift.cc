#include "servo/discipline/fallback_drift.h"

#include <cmath>

#include "servo/units/assert.h"

namespace gnomon {

FallbackDrift::FallbackDrift(int min_log2, int max_log2)
    : min_log2_(min_log2), max_log2_(max_log2) {
    constexpr int kMaxLog2 = 30;
    if (max_log2_ > kMaxLog2) max_log2_ = kMaxLog2;
    if (min_log2_ > 0 && max_log2_ >= min_log2_) {
        averages_.resize(static_cast<std::size_t>(max_log2_ - min_log2_ + 1));
    }
}

const FallbackDrift::Average& FallbackDrift::average(int log2_s) const noexcept {
    GNOMON_ASSERT(log2_s >= min_log2_ && log2_s <= max_log2_);
    return averages_[static_cast<std::size_t>(log2_s - min_log2_)];
}

void FallbackDrift::update(Frequency correction, Duration interval) {
    next_log2_ = 0;
    deadline_.reset();
    const double interval_s = interval.to_seconds();
    if (interval_s < 1.0) return;

    double period_s = std::ldexp(1.0, min_log2_);
    for (Average& average : averages_) {
        if (average.weight_s < period_s) {
            // Until it is worth an exponential average, a plain one over the first 2 · period.
            const double weight_s = interval_s * 0.5;
            average.correction =
                (average.correction * average.weight_s + weight_s * correction.ratio()) /
                (weight_s + average.weight_s);
            average.weight_s += weight_s;
        } else {
            average.correction += (1.0 - std::exp(-interval_s / period_s)) *
                                  (correction.ratio() - average.correction);
        }
        period_s *= 2.0;
    }
}

std::optional<Frequency> FallbackDrift::schedule(MonoTime now, Duration unsynchronised) {
    if (!enabled() || deadline_) return std::nullopt;
    const double unsynchronised_s = unsynchronised.to_seconds();
    int best = 0;
    int waiting = 0;
    for (int log2_s = min_log2_; log2_s <= max_log2_; ++log2_s) {
        const double period_s = std::ldexp(1.0, log2_s);
        if (average(log2_s).weight_s < period_s) continue;
        if (unsynchronised_s < period_s && log2_s > next_log2_) {
            waiting = log2_s;
            break;
        }
        best = log2_s;
    }

    std::optional<Frequency> correction;
    if (best > next_log2_) {
        next_log2_ = used_log2_ = best;
        correction = Frequency::from_ratio(average(best).correction);
    }
    if (waiting != 0) {
        next_log2_ = waiting;
        deadline_ = now + Duration::from_seconds(std::ldexp(1.0, waiting) - unsynchronised_s);
    }
    return correction;
}

Frequency FallbackDrift::expire() noexcept {
    GNOMON_ASSERT(deadline_.has_value());
    deadline_.reset();
    used_log2_ = next_log2_;
    return Frequency::from_ratio(average(next_log2_).correction);
}

}  // namespace gnomon
