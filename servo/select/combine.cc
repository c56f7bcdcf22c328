#include "servo/select/combine.h"

#include <algorithm>
#include <cmath>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr double kTinyDistance_s = 1e-12;
constexpr double kTinyFrequency = 1e-15;

}  // namespace

Combined combine(std::span<const CombineInput> inputs, UtcTime at) noexcept {
    GNOMON_ASSERT(!inputs.empty());
    const Estimate selected = inputs[0].estimate.at_time(at, 0.0);
    if (inputs.size() == 1) return {selected, inputs[0].skew};

    double offset_weights = 0.0;
    double frequency_weights = 0.0;
    double skew_weights = 0.0;
    double offset_s = 0.0;
    double frequency = 0.0;
    double spread_s2 = 0.0;
    double covariance = 0.0;
    for (const CombineInput& input : inputs) {
        const Estimate e = input.estimate.at_time(at, 0.0);
        const double by_distance = 1.0 / std::max(input.root_distance_s, kTinyDistance_s);
        const double frequency_sd = std::max(e.frequency_sd, kTinyFrequency);
        const double by_variance = 1.0 / (frequency_sd * frequency_sd);
        const double skew = std::max(input.skew, kTinyFrequency);
        // Relative to the selected one, because offsets can be of any size.
        const double away_s = e.offset_s - selected.offset_s;
        offset_weights += by_distance;
        offset_s += by_distance * away_s;
        spread_s2 += by_distance * (e.offset_sd_s * e.offset_sd_s + away_s * away_s);
        covariance += by_distance * e.offset_frequency_covariance;
        frequency_weights += by_variance;
        frequency += by_variance * e.frequency;
        skew_weights += 1.0 / (skew * skew);
    }
    Combined out;
    out.estimate.at = at;
    out.estimate.offset_s = selected.offset_s + offset_s / offset_weights;
    out.estimate.offset_sd_s = std::sqrt(spread_s2 / offset_weights);
    out.estimate.frequency = frequency / frequency_weights;
    out.estimate.frequency_sd = 1.0 / std::sqrt(frequency_weights);
    const double bound = out.estimate.offset_sd_s * out.estimate.frequency_sd;
    out.estimate.offset_frequency_covariance =
        std::clamp(covariance / offset_weights, -bound, bound);
    out.skew = 1.0 / std::sqrt(skew_weights);
    return out;
}

}  // namespace gnomon
