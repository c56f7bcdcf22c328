#include "servo/filter/estimator.h"

#include <algorithm>
#include <cmath>

#include "servo/filter/emg/emg_estimator.h"
#include "servo/filter/kalman_estimator.h"
#include "servo/filter/pi_estimator.h"
#include "servo/filter/regression_estimator.h"

namespace gnomon {

Estimate Estimate::at_time(UtcTime t, double wander) const noexcept {
    const double d_s = (t - at).to_seconds();
    const double age_s = std::fabs(d_s);
    const double q2 = wander * wander;
    const double variance = offset_sd_s * offset_sd_s + 2.0 * d_s * offset_frequency_covariance +
                            d_s * d_s * frequency_sd * frequency_sd +
                            q2 * age_s * age_s * age_s / 3.0;
    Estimate e;
    e.at = t;
    e.offset_s = offset_s + d_s * frequency;
    // Rounding can take a strongly correlated sum below zero.
    e.offset_sd_s = std::sqrt(std::max(variance, 0.0));
    e.frequency = frequency;
    e.frequency_sd = std::sqrt(frequency_sd * frequency_sd + q2 * age_s);
    e.offset_frequency_covariance = offset_frequency_covariance +
                                    d_s * frequency_sd * frequency_sd +
                                    std::copysign(q2 * d_s * d_s / 2.0, d_s);
    return e;
}

std::unique_ptr<Estimator> make_estimator(std::string_view name) {
    if (name == "kalman") {
        return std::make_unique<KalmanEstimator>();
    }
    if (name.empty() || name == "default" || name == "emg") return std::make_unique<EmgEstimator>();
    if (name == "pi") return std::make_unique<PiEstimator>();
    if (name == "regression") return std::make_unique<RegressionEstimator>();
    return nullptr;
}

std::vector<std::unique_ptr<Estimator>> make_estimators(const std::vector<std::string>& names) {
    std::vector<std::unique_ptr<Estimator>> estimators;
    for (const std::string& name : names) {
        if (auto estimator = make_estimator(name)) estimators.push_back(std::move(estimator));
    }
    return estimators;
}

}  // namespace gnomon
