#include "servo/discipline/steering.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

/// Means over the interval that follows the estimate, without the wander, which is not known here
/// and which the covariance holds most of.
double mean_offset_variance_s2(const Estimate& e, double interval_s) noexcept {
    const double variance = e.offset_sd_s * e.offset_sd_s +
                            interval_s * e.offset_frequency_covariance +
                            interval_s * interval_s * e.frequency_sd * e.frequency_sd / 3.0;
    return std::max(variance, 0.0);
}

double duration_for_s(double time_constant_s, double interval_s) noexcept {
    const double within_s = std::sqrt(3.0) * time_constant_s;
    const double across_s = 0.5 * interval_s + std::sqrt(time_constant_s * time_constant_s +
                                                         interval_s * interval_s / 12.0);
    return std::min(within_s, across_s);
}

}  // namespace

double correction_duration_s(const Estimate& estimate, double remaining_s, double interval_s,
                             const SteeringConfig& config) noexcept {
    if (!(interval_s > 0.0)) return 0.0;
    const double offset_sd_s = std::sqrt(mean_offset_variance_s2(estimate, interval_s));
    if (!(offset_sd_s > 0.0 && estimate.frequency_sd > 0.0)) return 0.0;
    const double time_constant_s = config.frequency_weight * offset_sd_s / estimate.frequency_sd;
    double duration_s =
        std::min(duration_for_s(time_constant_s, interval_s), config.max_intervals * interval_s);
    const double noise_s = (config.starting ? 1.0 : config.noise_sigmas) * offset_sd_s;
    const double share = std::min(noise_s / std::fabs(remaining_s), 1.0);
    duration_s *= config.starting ? share * share : share;
    return std::isfinite(duration_s) ? duration_s : 0.0;
}

}  // namespace gnomon
