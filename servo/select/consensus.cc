#include "servo/select/consensus.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr int kBetas = 8;
/// Share ε of sources whose bias is anything.
constexpr double kTailShare = 0.1;
constexpr double kPi = 3.14159265358979323846;
/// Below any resolution of time or frequency; keeps densities finite.
constexpr double kTinyVariance = 1e-34;
/// Where the posterior of e is evaluated: so many standard deviations from each witness.
constexpr std::array<double, 9> kAbscissae = {0.0, 0.5, 1.0, 1.5, 2.0, 2.6, 3.4, 5.0, 9.0};
/// Beyond that up to the farthest witness, each so many times as far as the one before: what a gap
/// is worth must not be judged by its edge alone, where the tail is much higher than within.
constexpr double kStretch = 1.8;
/// Beyond so many variances the normal part is nothing beside the tail.
constexpr double kNormalReach2 = 120.0;

struct Density {
    double value;
    double precision;  ///< expected, given the residual
};

Density density(double residual, double variance) noexcept {
    const double square = residual * residual;
    const double normal = square > kNormalReach2 * variance
                              ? 0.0
                              : (1.0 - kTailShare) * std::exp(-0.5 * square / variance) /
                                    std::sqrt(2.0 * kPi * variance);
    const double tail = kTailShare * std::sqrt(variance) / (kPi * (variance + square));
    const double value = normal + tail;
    return {value, (normal / variance + tail * 2.0 / (variance + square)) / value};
}

}  // namespace

/// Log of ∫ Πᵢ pᵢ de at this β; at_beta_ becomes the mean precisions under that posterior of e.
double Consensus::evidence(std::span<const Witness> witnesses, double beta) {
    const std::size_t n = witnesses.size();
    points_.clear();
    variances_.clear();
    const auto [lowest, highest] =
        std::minmax_element(witnesses.begin(), witnesses.end(),
                            [](const Witness& a, const Witness& b) { return a.value < b.value; });
    for (const Witness& w : witnesses) {
        const double bias = beta * w.distance;
        variances_.push_back(std::max(w.variance + bias * bias, kTinyVariance));
        const double sd = std::sqrt(variances_.back());
        for (double abscissa : kAbscissae) {
            points_.push_back(w.value - abscissa * sd);
            if (abscissa > 0.0) points_.push_back(w.value + abscissa * sd);
        }
        const double above = highest->value - w.value;
        const double below = w.value - lowest->value;
        for (double away = kAbscissae.back() * kStretch * sd; away < std::max(above, below);
             away *= kStretch) {
            if (away < above) points_.push_back(w.value + away);
            if (away < below) points_.push_back(w.value - away);
        }
    }
    std::sort(points_.begin(), points_.end());

    at_beta_.assign(n, 0.0);
    at_point_.resize(n);
    double total = 0.0;
    double largest = 0.0;  // log by which total and at_beta_ are scaled
    bool first = true;
    for (std::size_t k = 0; k < points_.size(); ++k) {
        const double below = k > 0 ? points_[k] - points_[k - 1] : 0.0;
        const double above = k + 1 < points_.size() ? points_[k + 1] - points_[k] : 0.0;
        const double width = 0.5 * (below + above);
        if (!(width > 0.0)) continue;
        double log_weight = std::log(width);
        for (std::size_t i = 0; i < n; ++i) {
            const Density d = density(points_[k] - witnesses[i].value, variances_[i]);
            log_weight += witnesses[i].votes * std::log(d.value);
            at_point_[i] = d.precision;
        }
        if (first || log_weight > largest) {
            const double shrink = first ? 0.0 : std::exp(largest - log_weight);
            total *= shrink;
            for (double& sum : at_beta_) sum *= shrink;
            largest = log_weight;
            first = false;
        }
        const double weight = std::exp(log_weight - largest);
        total += weight;
        for (std::size_t i = 0; i < n; ++i) at_beta_[i] += weight * at_point_[i];
    }
    if (first) {
        // Offsets so huge that a double cannot resolve the noise.
        for (std::size_t i = 0; i < n; ++i) at_beta_[i] = 1.0 / variances_[i];
        return 0.0;
    }
    for (double& sum : at_beta_) sum /= total;
    return largest + std::log(total);
}

std::span<const double> Consensus::precisions(std::span<const Witness> witnesses,
                                              const BiasPrior& prior) {
    GNOMON_ASSERT(!witnesses.empty());
    const std::size_t n = witnesses.size();
    precisions_.assign(n, 0.0);
    double total = 0.0;
    double largest = 0.0;
    const double step = std::log10(prior.highest / prior.lowest) / (kBetas - 1);
    for (int k = 0; k < kBetas; ++k) {
        const double log_beta = std::log10(prior.lowest) + k * step;
        const double away = (log_beta - std::log10(prior.typical)) / prior.decades;
        const double log_weight = evidence(witnesses, std::pow(10.0, log_beta)) - 0.5 * away * away;
        if (k == 0 || log_weight > largest) {
            const double shrink = k == 0 ? 0.0 : std::exp(largest - log_weight);
            total *= shrink;
            for (double& sum : precisions_) sum *= shrink;
            largest = log_weight;
        }
        const double weight = std::exp(log_weight - largest);
        total += weight;
        for (std::size_t i = 0; i < n; ++i) precisions_[i] += weight * at_beta_[i];
    }
    for (std::size_t i = 0; i < n; ++i) {
        // Where a residual is nothing, the tail's narrow middle claims a little more.
        const double limit = 1.0 / std::max(witnesses[i].variance, kTinyVariance);
        precisions_[i] = std::min(precisions_[i] / total, limit);
    }
    return precisions_;
}

}  // namespace gnomon
