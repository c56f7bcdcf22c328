#pragma once

/// `Combiner`: the estimates of several good sources become one.
///
/// Offsets. A source's offset is off by noise, which its estimator knows (σᵢ), and by a bias that no
/// statistics show: asymmetry of the path, error of the server. How large the biases are is learned
/// from how far the sources are apart (consensus.h: prior βdᵢ, d the root distance). With bᵢ² the
/// variance of the bias found there, the offset is the best linear unbiased estimate (Gauss–Markov)
///
///     ê = aᵀy,   a = C⁻¹1 / (1ᵀC⁻¹1),   Cᵢᵢ = σᵢ² − c² + bᵢ²
///
/// Sources are not independent:
/// * Servers that follow the same upstream share its error. Cᵢⱼ = min(tᵢ², tⱼ²) for those, t the part
///   of a bias that belongs to the server: tᵢ = bᵢ · (server's distance / root distance). So three
///   servers of one upstream are one witness of it, but three of the paths to them.
/// * All see the same clock, whose wander none could foresee: c², in every element. It does not change
///   the weights, but is not averaged away either. In a Kalman filter in its steady state, half of
///   the variance comes from the wander; the common part cannot be larger than what the best source
///   has, so c² = ½ min σᵢ².
///
/// A weight can come out negative (an imprecise server beside a precise one of the same upstream);
/// such sources get none, so that the result is never outside of what the sources say.
///
/// Biases are judged by where the sources have been in the long run (bias_track.h): that has less
/// noise than the present estimates, and keeps the weights steady. Only a source that is new, or has
/// just moved against the others, or has only now become precise, is judged by its present estimate.
///
/// Frequencies have no bias by asymmetry, but a source that drifts has one: likewise, with the same
/// scale for all.
///
/// The standard deviations that come out are those of the noise, because that is what steering
/// has to know (steering.h). Biases are covered by the root distance that is advertised (selector.h).

#include <span>
#include <vector>

#include "servo/filter/estimator.h"
#include "servo/select/bias_track.h"
#include "servo/select/consensus.h"

namespace gnomon {

struct CombineInput {
    Estimate estimate;             ///< at any time; carried to the common instant
    double skew = 0.0;             ///< s/s, > 0
    double root_distance_s = 0.0;  ///< > 0
    /// The part of it between the server and UTC, ≥ 0.
    double server_distance_s = 0.0;
    /// Inputs with the same number follow the same upstream; < 0: alone.
    int upstream = -1;
    /// Takes part; otherwise it only bears witness of how good the others are.
    bool counts = true;
    /// What is remembered of the source; is updated. Null: nothing.
    BiasTrack* track = nullptr;
};

struct Combined {
    Estimate estimate;  ///< at `at`
    double skew = 0.0;
};

class Combiner {
public:
    /// `inputs[0]` is the selected source, which counts; if nothing else does, it is returned unchanged
    /// (but for the time). Distances, deviations and skews of zero are treated as tiny, whatever
    /// is not finite as huge, so that it has no weight; what the selected one says is to be finite.
    /// Weights are never anything but numbers in [0, 1]. Allocates a little when there are more.
    Combined combine(std::span<const CombineInput> inputs, UtcTime at);

    /// Of the last combination: the weights of the offsets, which sum up to one.
    std::span<const double> weights() const noexcept { return offset_weights_; }

private:
    void prepare(std::span<const CombineInput> inputs, double selected_offset_s, UtcTime at);
    double common_shift_s(std::span<const CombineInput> inputs);
    double noise_s2(std::size_t i) const noexcept;
    void weigh_offsets(std::span<const CombineInput> inputs);
    void weigh_frequencies(std::span<const CombineInput> inputs);
    void weigh(std::span<const CombineInput> inputs, std::vector<double>& weights);
    Combined blend(std::span<const CombineInput> inputs) const;

    Consensus consensus_;
    std::vector<Estimate> estimates_;  ///< at the common instant, relative to the selected one
    double offset_common_s2_ = 0.0;    ///< c²
    double frequency_common_ = 0.0;
    std::vector<double> shifts_;
    std::vector<Witness> witnesses_;
    std::vector<double> variances_;         ///< Cᵢᵢ
    std::vector<double> server_variances_;  ///< tᵢ²
    std::vector<double> offset_weights_;
    std::vector<double> frequency_weights_;
    std::vector<int> used_;
};

}  // namespace gnomon
