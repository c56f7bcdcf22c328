#pragma once

/// `EmgFilter`: a Kalman filter of clock and path that uses the two ways of an exchange separately.
///
/// State x = [e, f, D]: offset of our clock (> 0: behind), its frequency de/dt (> 0: slow), and the
/// base one-way delay, the same in both directions (half the smallest round trip). Between two
/// measurements d seconds apart, with random-walk FM q, white FM h and a slow walk of D,
///
///     e ← e + d f,   cov w = q² [d³/3 d²/2; d²/2 d] + h² [d 0; 0 0],   var D += w_D
///
/// which is the exact discretisation (Van Loan 1978; Zucca & Tavella, IEEE UFFC 52, 2005).
///
/// Observations, in the signs of `Measurement`:
///
///     forward  a = t2 − t1 = D + e + j₁,   H = [+1 0 1]
///     backward b = t4 − t3 = D − e + j₂,   H = [−1 0 1]
///
/// with one-sided jitter j (see emg_update.h). Where the delay tells nothing of the noise (reference
/// clocks), half their difference and half their sum are observed instead,
///
///     offset (a − b)/2 = e + n,   H = [1 0 0];      half round trip (a + b)/2 = D + n',   H = [0 0 1].
///
/// The scalar update says where z = Hx lies afterwards:
/// mean m', variance V. Since x and z are jointly Gaussian before, with g = PH and S = HPH,
///
///     x ← x + g (m' − m)/S,   P ← P + g gᵀ (V − S)/S².
///
/// For V < S that is the Kalman update with the noise R = V S/(S − V), and is computed in Joseph's
/// form, which stays positive semi-definite whatever the rounding; V ≥ S (an outlier that left two
/// explanations) adds a positive matrix. At the start, S/V is 10¹² and more.

#include <Eigen/Core>

#include "servo/filter/emg/emg_update.h"

namespace gnomon {

/// What is observed of an exchange.
enum class Way { Forward, Backward, Offset, HalfRoundTrip };

class EmgFilter {
public:
    using State = Eigen::Vector3d;
    using Covariance = Eigen::Matrix3d;

    /// Independent priors.
    void start(const State& mean, const State& sd) noexcept;
    /// Somebody else's belief.
    void assume(const State& mean, const Covariance& covariance) noexcept {
        x_ = mean;
        p_ = covariance;
        repair();
    }

    /// `d_s` > 0; `wander` s/s per √s; `white_fm` s per √s; `base_variance_s2` is added to D.
    void predict(double d_s, double wander, double white_fm, double base_variance_s2) noexcept;

    /// An observation of that kind, s. Returns what the scalar update said of it.
    EmgPosterior update(Way way, double observed_s, const EmgNoise& noise) noexcept;

    /// Innovation z − Hx and variance of Hx, without an update.
    double innovation(Way way, double observed_s) const noexcept;
    double innovation_variance(Way way) const noexcept;

    /// The clock was moved by `shift_s` at the state's instant and its rate by `frequency_change`
    /// (known exactly: no covariance is added but the rounding of a huge shift).
    void adjust(double shift_s, double frequency_change) noexcept;
    void shift_offset(double offset_s) noexcept { x_(0) += offset_s; }

    /// Something changed that the model does not know: widens, keeps the means.
    void open_base(double sd_s) noexcept;
    void open_clock(double offset_sd_s, double frequency_sd) noexcept;

    const State& mean() const noexcept { return x_; }
    const Covariance& covariance() const noexcept { return p_; }

private:
    void repair() noexcept;
    bool positive() const noexcept;

    State x_ = State::Zero();
    Covariance p_ = Covariance::Identity();
};

}  // namespace gnomon
