#pragma once

/// `Consensus`: how far a source can be trusted beyond its statistics, learned from how well the
/// sources agree with each other.
///
/// Statistics say how precisely a source repeats itself; they say nothing of what is constant: half
/// the difference of the two ways' base delays, and the server's own error. A quiet server behind an
/// asymmetric path looks like the best of all. So every source has a bias b that it will not show:
///
///     yᵢ = e + bᵢ + nᵢ,   nᵢ ~ N(0, σᵢ²),   bᵢ with scale β·dᵢ
///
/// d is the root distance (half the delay, plus the server's own distance), which bounds b; β is the
/// part of that bound which biases typically use. β is not known: on one switch it is 10⁻³, across the
/// internet 0.1. It has a broad prior (log-normal, `BiasPrior`) and its posterior follows from how far
/// the sources are apart. Biases are not normal: most are small, some are not. The density of
/// r = yᵢ − e is with vᵢ = σᵢ² + β²dᵢ²
///
///     pᵢ(r) = (1 − ε) N(r; 0, vᵢ) + ε Cauchy(r; √vᵢ)
///
/// whose tail makes one source that is far from several that agree an exception, rather than a
/// reason to doubt them all. The posterior of (e, β) is integrated numerically (e by trapezoids, β
/// over a grid), because it can have several peaks; a mean over it, unlike the place of the highest
/// peak, changes smoothly when the sources move. What comes out is the expected precision of each
/// source under that posterior, the weight of expectation–maximisation (Dempster et al. 1980: 1/v in
/// the normal part, 2/(v + r²) in the tail).
///
/// Sources that follow the same upstream are not so many witnesses of it: the likelihood of each of m
/// is taken to the power 1/m.
///
/// Two sources that disagree by more than their noise leave open which is right: the nearer or, at
/// like distance, the more precise one leads. There is no majority of two.
///
/// Costs some 0.1 ms for four sources and grows with the square of their number; the caller bounds it.

#include <span>
#include <vector>

namespace gnomon {

struct Witness {
    double value = 0.0;     ///< y
    double variance = 0.0;  ///< σ², ≥ 0, the noise that it does not share with the others
    double distance = 0.0;  ///< d ≥ 0; 0: nothing hidden
    double votes = 1.0;     ///< 1/m, in (0, 1]
};

/// Log-normal prior of β and the grid it is integrated over.
struct BiasPrior {
    double lowest = 1e-4;
    double highest = 0.32;
    double typical = 0.02;
    double decades = 1.0;  ///< one sigma
};

class Consensus {
public:
    /// Expected precision of every witness, bias included: > 0, finite, at most 1/σ² (for a variance
    /// that is not tiny). Valid until the next call. Allocates only when there are more witnesses
    /// than ever. `witnesses` is not empty and all numbers are finite.
    std::span<const double> precisions(std::span<const Witness> witnesses, const BiasPrior& prior);

private:
    double evidence(std::span<const Witness> witnesses, double beta);

    std::vector<double> points_;
    std::vector<double> variances_;  ///< v of every witness at one β
    std::vector<double> at_point_;   ///< precisions of all at one e
    std::vector<double> at_beta_;    ///< expected precisions at one β
    std::vector<double> precisions_;
};

}  // namespace gnomon
