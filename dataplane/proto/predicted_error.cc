#include "dataplane/proto/predicted_error.h"

#include <cmath>

namespace gnomon {
namespace {

constexpr double kMaxWanderShare = 0.125;
constexpr double kMaxDistanceShare = 0.23;

bool is_worth_it(const SourceView::Noise& noise, double distance_s, double interval_s) noexcept {
    const PredictedError error = predicted_error(noise, interval_s);
    const double total_s = error.total_s();
    // Written so that NaN is not.
    return error.wander_s * error.wander_s <= kMaxWanderShare * total_s * total_s &&
           total_s <= kMaxDistanceShare * distance_s;
}

}  // namespace

double PredictedError::total_s() const noexcept { return std::hypot(noise_s, wander_s); }

PredictedError predicted_error(const SourceView::Noise& noise, double interval_s) noexcept {
    const double gauss_s = 1.4 * std::pow(noise.gauss_s, 0.75) * std::pow(noise.wander, 0.25) *
                           std::pow(interval_s, 0.375);
    const double queueing_s = 0.85 * std::pow(noise.queueing_s, 0.6) * std::pow(noise.wander, 0.4) *
                              std::pow(interval_s, 0.6);
    return {std::hypot(gauss_s, queueing_s), 0.43 * noise.wander * std::pow(interval_s, 1.5)};
}

double planned_interval_log2(const SourceView::Noise& noise, double distance_s, double min_log2,
                             double max_log2) noexcept {
    if (is_worth_it(noise, distance_s, std::exp2(max_log2))) return max_log2;
    // Both conditions get harder with the interval.
    double good = min_log2;
    double bad = max_log2;
    while (bad - good > 0.01) {
        const double middle = 0.5 * (good + bad);
        (is_worth_it(noise, distance_s, std::exp2(middle)) ? good : bad) = middle;
    }
    return good;
}

}  // namespace gnomon
