#pragma once

/// `KalmanEstimator`: the default estimator, a small bank of two-state Kalman filters.
///
/// Model. The state is x = [offset, frequency] of our clock against the source. Between samples d
/// seconds apart
///
///     x ← F x + w,   F = [1 d; 0 1],   cov w = q² [d³/3 d²/2; d²/2 d] + h² [d 0; 0 0]
///
/// which is the exact discretisation of an oscillator with random-walk FM q (s/s per √s) and white
/// FM h (s per √s) (Van Loan 1978; Zucca & Tavella, IEEE UFFC 52, 2005). A sample measures the
/// offset with an error that depends on how its delay compares with the smallest delay D known for
/// the path. Three shapes of noise are considered:
///
///  * Gauss: the jitter of delay and offset come from the same two independent timestamps or
///  queues,
///    so var(offset) = var(delay)/4, with var(delay) taken robustly (interquartile range).
///  * Queue: both directions have exponential queueing. Given the sum s = delay − D of the two,
///  each
///    split is equally likely: the offset error is uniform on ±s/2, variance s²/12. That is exact,
///    and is why a fast exchange is worth so much more than a slow one.
///  * Residual: the delay says nothing (reference clocks; constant delay); the variance is that of
///  the
///    residuals of the history's line.
///
/// Adaptation. Neither q nor the shape is known. A filter runs for every pair of shape and q of a
/// logarithmic grid; each is weighted by the likelihood of its innovations with exponential
/// forgetting (Magill 1965), and the estimate is the mixture's mean and covariance. So process
/// noise follows the innovations without thresholds to tune. An innovation that is improbable under
/// all models is down-weighted once (heavy tail of networks); when several of one sign follow each
/// other, the clock has really moved and the filters are opened. Covariances are updated in
/// Joseph's form and kept symmetric and bounded.
///
/// Start. The delay statistics of a handful of samples are poor, so during the first samples the
/// bank is re-run over the stored history with the newest statistics; with an almost flat prior of
/// frequency that is the weighted regression. Cost: about a microsecond a sample otherwise.

#include <Eigen/Core>
#include <array>
#include <optional>

#include "servo/filter/estimator.h"

namespace gnomon {

struct KalmanConfig {
    double white_fm = 1e-10;    ///< h, s per √s
    double min_wander = 1e-11;  ///< ends of the grid of q, s/s per √s
    double max_wander = 1e-6;
    double forgetting = 0.99;           ///< of log-evidence per sample, 0…1
    double initial_frequency_sd = 0.1;  ///< s/s
};

class KalmanEstimator final : public Estimator {
public:
    explicit KalmanEstimator(const KalmanConfig& config = {});

    void update(const SampleHistory& history) noexcept override;
    void adjust(const ClockAdjustment& adjustment) noexcept override;
    void shift_offsets(double offset_s) noexcept override;
    void reset() noexcept override;
    std::optional<Estimate> estimate(UtcTime at) const noexcept override;
    const char* name() const noexcept override { return "kalman"; }

    /// The evidence-weighted (geometric mean) wander, s/s per √s: how the oscillator behaves.
    double wander() const noexcept;

private:
    static constexpr int kShapes = 3;
    static constexpr int kWanders = 11;
    static constexpr int kModels = kShapes * kWanders;

    /// Shape and wander are by position: model i has shape i / kWanders, wander i % kWanders.
    struct Model {
        Eigen::Vector2d x = Eigen::Vector2d::Zero();
        Eigen::Matrix2d p = Eigen::Matrix2d::Zero();
        double log_weight = 0.0;
    };
    /// What the delays of the stored samples say.
    struct Noise {
        double base_s = 0.0;        ///< smallest delay known
        double base_error_s = 0.0;  ///< how far the smallest one seen is above D, typically
        double queue_scale = 1.0;   ///< doubt while there are few delays
        double gauss_s2 = 0.0;
        double residual_s2 = 0.0;
        double precision_s2 = 0.0;
        double asymmetry = 0.0;

        double variance(int shape, const Sample& sample) const noexcept;
        double corrected_offset(const Sample& sample) const noexcept {
            return sample.offset_s + asymmetry * (sample.peer_delay_s - base_s);
        }
    };

    Noise noise_of(const SampleHistory& history) const noexcept;
    void start(const Sample& sample, const Noise& noise) noexcept;
    void step(const Sample& sample, const Noise& noise) noexcept;
    bool surprised(double offset_s, double d_s, const std::array<double, kShapes>& r) noexcept;
    double update_model(Model& model, double offset_s, double r) noexcept;
    void mix() noexcept;
    void lean_on_line(const SampleHistory& history) noexcept;

    KalmanConfig config_;
    std::array<double, kWanders> wanders_{};
    std::array<Model, kModels> models_;
    std::array<double, kModels> weights_{};
    int samples_ = 0;
    int surprises_ = 0;  ///< improbable innovations in a row; its sign is theirs
    double prior_frequency_ = 0.0;
    double prior_frequency_sd_;
    UtcTime at_;
    Estimate mixture_;
};

}  // namespace gnomon
