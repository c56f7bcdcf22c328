#pragma once

/// Scalar Bayesian update with one-sided noise, by matching moments in closed form.
///
/// Problem. A quantity x has the prior N(m, P). We observe z = x + n + e, where n ~ N(0, r) is the
/// noise of timestamps and e ≥ 0 is queueing with density exp(−e/λ)/λ: their sum has an
/// *exponentially modified Gaussian* (EMG) distribution. Wanted: mean and variance of x given z
/// (assumed-density filtering: the posterior is replaced by the Gaussian with the same first two
/// moments; Maybeck 1982, chapter 12; Minka 2001), and the density of z (evidence).
///
/// Solution. With v = z − m and s² = P + r, write v = g + e with g ~ N(0, s²). Given v, completing
/// the square in exp(−g²/2s²) exp(−(v−g)/λ) shows that g is N(s²/λ, s²) cut off above at v:
///
///     g = v − s (u − α),   u standard normal given u ≥ α,   α = s/λ − v/s
///     E g = v − s δ(α) = s²/λ − s h(α),    Var g = s² ω(α)
///     p(v) = exp(s²/2λ² − v/λ) Q(α) / λ  =  exp(−v²/2s²) / (√2π λ h(α))
///
/// where Q is the normal tail, h = φ/Q its hazard (inverse Mills ratio), δ = h − α the mean excess
/// over the cut and ω = 1 − h δ the variance of the tail. x and g are jointly normal, hence
///
///     E x = m + P/s² · E g,   Var x = (P/s²)² Var g + P r/s²,   E e = s δ(α).
///
/// Both forms of E g and of p(v) are needed. For α > 0 the first of E g and the second of p(v) have no
/// cancellation, for α ≤ 0 the others. λ → 0 gives the Kalman update.
///
/// Numerics. δ and ω of a far tail (α = 10⁸ is ordinary: a wide prior meets a sharp edge) suffer
/// from cancellation of order α⁴ if formed from h. They come from Laplace's continued fraction
///
///     δ = 1/(α + 2/(α + 3/(α + …))) = 1/(α + c),   ω = δ (c − δ)
///
/// which is exact, positive, and converges in a few terms for α ≥ 5.
///
/// Pure functions; no state.

namespace gnomon {

/// A standard normal u, given u ≥ alpha.
struct NormalTail {
    double hazard;        ///< h = φ(α)/Q(α), > 0 (0 by underflow below −38)
    double mean_excess;   ///< δ = E u − α, > 0
    double variance;      ///< ω = Var u, in (0, 1]
    double log_survival;  ///< ln Q(α); only valid for α ≤ 0, where it is needed
};
NormalTail normal_tail(double alpha) noexcept;

/// The noise of one observation: a mixture of three. Shares that are ≤ 0 switch a component off.
struct EmgNoise {
    double gauss_s2 = 0.0;  ///< r of all components, s², > 0
    double queue_s = 0.0;   ///< λ of the ordinary component, s; ≤ 0: no queueing
    /// Rare congestion: the same Gaussian part with an exponential this much longer.
    double tail_share = 0.0;
    double tail_s = 0.0;
    /// Whatever cannot be (bad stamps, a source that jumps): both signs, Gaussian of this variance.
    double wild_share = 0.0;
    double wild_s2 = 0.0;
};

/// Moments of x, evidence, and what learning of λ needs.
struct EmgPosterior {
    double mean = 0.0;  ///< of x − m: the correction
    double variance = 0.0;
    double log_evidence = 0.0;  ///< ln p(z)
    double queue_share = 1.0;   ///< probability that the ordinary component made the noise
    double queue_mean_s = 0.0;  ///< E e if it did
    double tail_share = 0.0;
    double tail_mean_s = 0.0;
    double wild_share = 0.0;
};

/// `innovation` v = z − m; `variance` P > 0. All finite; anything finite comes out, with a variance
/// > 0.
EmgPosterior emg_update(double innovation, double variance, const EmgNoise& noise) noexcept;

}  // namespace gnomon
