#pragma once

/// What must hold of a `SourceFilter` and all its estimators whatever arrived: for the property test and
/// the fuzz target.

#include <cmath>

#include <Eigen/Eigenvalues>

#include "servo/filter/emg/emg_estimator.h"
#include "servo/filter/source_filter.h"

namespace gnomon::testing {

/// Smallest eigenvalue of the matrix of correlations; NaN if there is none.
inline double least_eigenvalue(const EmgFilter::Covariance& p) {
    const Eigen::Vector3d scale = p.diagonal().cwiseSqrt().cwiseInverse();
    const Eigen::Matrix3d correlation = scale.asDiagonal() * p * scale.asDiagonal();
    return Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d>(correlation).eigenvalues()(0);
}

inline bool sane_estimate(const Estimate& e) {
    return std::isfinite(e.offset_s) && std::isfinite(e.offset_sd_s) && e.offset_sd_s >= 0.0 &&
           std::isfinite(e.frequency) && std::isfinite(e.frequency_sd) && e.frequency_sd >= 0.0 &&
           std::isfinite(e.offset_frequency_covariance);
}

/// Null if all is well, else what is wrong. `now` is not before the newest measurement.
inline const char* complaint_of_estimator(const Estimator& estimator, UtcTime newest, UtcTime now) {
    const std::optional<Estimate> own = estimator.estimate(newest);
    if (!own) return nullptr;
    if (!sane_estimate(*own)) return "estimate";
    // Nothing is propagated here, so the covariance is as the estimator has it.
    const double bound = own->offset_sd_s * own->frequency_sd;
    if (std::fabs(own->offset_frequency_covariance) > bound * (1.0 + 1e-6)) return "covariance";
    if (!sane_estimate(*estimator.estimate(now))) return "estimate of now";
    if (!sane_estimate(*estimator.estimate(now + Duration::from_s(1'000'000'000)))) {
        return "estimate of a far future";
    }
    if (const auto noise = estimator.noise()) {
        if (!std::isfinite(noise->wander) || !(noise->wander >= 0.0)) return "wander";
    }
    if (const auto* emg = dynamic_cast<const EmgEstimator*>(&estimator)) {
        if (!emg->bank().mean().allFinite()) return "mean of the bank";
        if (!(emg->bank().covariance().diagonal().minCoeff() > 0.0)) return "variance of the bank";
        if (!(least_eigenvalue(emg->bank().covariance()) > -1e-9)) return "covariance of the bank";
    }
    return nullptr;
}

inline const char* complaint(const SourceFilter& filter, UtcTime now) {
    if (filter.history().empty()) return nullptr;
    const UtcTime newest = filter.history().newest().at;
    for (const EstimatorTrial& trial : filter.trials()) {
        const char* what = complaint_of_estimator(trial.estimator(), newest, now);
        if (what != nullptr) return what;
        if (!std::isfinite(trial.score().error_s)) return "score";
    }
    const auto data = filter.selection_data(now);
    if (!data) return nullptr;
    if (!sane_estimate(data->estimate) || !sane_estimate(data->reference)) return "selection data";
    if (!std::isfinite(data->root_distance_s())) return "root distance";
    if (!std::isfinite(data->stddev_s) || data->stddev_s < 0.0) return "deviation";
    const SourceStatistics statistics = filter.statistics(now);
    if (!sane_estimate(statistics.estimate) || !std::isfinite(statistics.skew)) return "statistics";
    if (!std::isfinite(statistics.stddev_s) || statistics.stddev_s < 0.0) return "residuals";
    if (!std::isfinite(filter.predicted_offset_s(now))) return "prediction";
    return nullptr;
}

}  // namespace gnomon::testing
