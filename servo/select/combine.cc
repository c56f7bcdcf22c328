#include "servo/select/combine.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr double kTinyDistance_s = 1e-12;
constexpr double kTinyDeviation_s = 1e-12;
constexpr double kTinyFrequency = 1e-15;
/// What is not finite is taken for that: known so badly that it has no weight beside anything else.
constexpr double kHuge_s = 1e9;
constexpr double kHugeFrequency = 1e3;
/// Share of the best source's variance that is the wander of our clock.
constexpr double kWanderShare = 0.5;

/// By how much frequencies of good sources truly differ, s/s.
constexpr BiasPrior kFrequencyPrior{1e-12, 1e-6, 1e-10, 1.5};

double square(double x) noexcept { return x * x; }

/// Not a number: the highest.
double bounded(double x, double low, double high) noexcept {
    return x < high ? std::max(x, low) : high;
}

/// How many inputs follow the same upstream as this one, itself included.
int group_size(std::span<const CombineInput> inputs, const CombineInput& of) noexcept {
    if (of.upstream < 0) return 1;
    return static_cast<int>(
        std::count_if(inputs.begin(), inputs.end(),
                      [&of](const CombineInput& i) { return i.upstream == of.upstream; }));
}

/// C⁻¹1, up to a factor, for the covariance C of the elements `used`.
template <typename Element>
Eigen::VectorXd solve(const std::vector<int>& used, const Element& element) {
    const Eigen::Index n = static_cast<Eigen::Index>(used.size());
    Eigen::MatrixXd covariance(n, n);
    for (Eigen::Index i = 0; i < n; ++i) {
        for (Eigen::Index j = 0; j < n; ++j) covariance(i, j) = element(used[i], used[j]);
    }
    // So that no unit brings it near the limits of a double.
    covariance /= covariance.diagonal().minCoeff();
    return covariance.ldlt().solve(Eigen::VectorXd::Ones(n));
}

}  // namespace

void Combiner::prepare(std::span<const CombineInput> inputs, double selected_offset_s, UtcTime at) {
    estimates_.clear();
    offset_common_s2_ = std::numeric_limits<double>::infinity();
    frequency_common_ = std::numeric_limits<double>::infinity();
    for (const CombineInput& input : inputs) {
        Estimate e = input.estimate.at_time(at, 0.0);
        // Relative to the selected one, because offsets can be of any size.
        e.offset_s -= selected_offset_s;
        if (!std::isfinite(e.offset_s) || !std::isfinite(e.frequency) ||
            !std::isfinite(e.offset_frequency_covariance)) {
            e = Estimate{e.at, 0.0, kHuge_s, 0.0, kHugeFrequency, 0.0};
        }
        e.offset_sd_s = bounded(e.offset_sd_s, kTinyDeviation_s, kHuge_s);
        e.frequency_sd = bounded(e.frequency_sd, kTinyFrequency, kHugeFrequency);
        estimates_.push_back(e);
        offset_common_s2_ = std::min(offset_common_s2_, kWanderShare * square(e.offset_sd_s));
        frequency_common_ = std::min(frequency_common_, kWanderShare * square(e.frequency_sd));
    }
}

/// By how much all sources together have moved since their tracks, relative to the selected one: the
/// median, so that one of them that jumped is not taken for the others' having done so.
double Combiner::common_shift_s(std::span<const CombineInput> inputs) {
    shifts_.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const BiasTrack* track = inputs[i].track;
        if (track != nullptr && track->known()) {
            shifts_.push_back(estimates_[i].offset_s - track->away_s());
        }
    }
    if (shifts_.empty()) return 0.0;
    const auto middle = shifts_.begin() + static_cast<std::ptrdiff_t>(shifts_.size() / 2);
    std::nth_element(shifts_.begin(), middle, shifts_.end());
    if (shifts_.size() % 2 != 0) return *middle;
    return 0.5 * (*middle + *std::max_element(shifts_.begin(), middle));
}

void Combiner::weigh_offsets(std::span<const CombineInput> inputs) {
    const std::size_t n = inputs.size();
    const double shift_s = common_shift_s(inputs);
    witnesses_.clear();
    for (std::size_t i = 0; i < n; ++i) {
        Witness w;
        w.value = estimates_[i].offset_s - shift_s;
        w.variance = noise_s2(i);
        w.distance = bounded(inputs[i].root_distance_s, kTinyDistance_s, kHuge_s);
        w.votes = 1.0 / group_size(inputs, inputs[i]);
        const BiasTrack* track = inputs[i].track;
        if (track != nullptr && track->known() && track->variance_s2() < w.variance &&
            !track->contradicts(w.value, w.variance)) {
            w.value = track->away_s();
            w.variance = track->variance_s2();
        }
        witnesses_.push_back(w);
    }
    const std::span<const double> precisions = consensus_.precisions(witnesses_, BiasPrior{});
    variances_.resize(n);
    server_variances_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double bias2 = std::max(1.0 / precisions[i] - witnesses_[i].variance, 0.0);
        const double share =
            bounded(inputs[i].server_distance_s / witnesses_[i].distance, 0.0, 1.0);
        variances_[i] = noise_s2(i) + bias2;
        server_variances_[i] = bias2 * share * share;
    }
    weigh(inputs, offset_weights_);
}

double Combiner::noise_s2(std::size_t i) const noexcept {
    return square(estimates_[i].offset_sd_s) - offset_common_s2_;
}

void Combiner::weigh_frequencies(std::span<const CombineInput> inputs) {
    const std::size_t n = inputs.size();
    for (std::size_t i = 0; i < n; ++i) {
        const Estimate& e = estimates_[i];
        witnesses_[i].value = e.frequency;
        witnesses_[i].variance = square(e.frequency_sd) - frequency_common_;
        witnesses_[i].distance = 1.0;
    }
    const std::span<const double> precisions = consensus_.precisions(witnesses_, kFrequencyPrior);
    for (std::size_t i = 0; i < n; ++i) variances_[i] = 1.0 / precisions[i];
    server_variances_.assign(n, 0.0);
    weigh(inputs, frequency_weights_);
}

void Combiner::weigh(std::span<const CombineInput> inputs, std::vector<double>& weights) {
    used_.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].counts) used_.push_back(static_cast<int>(i));
    }
    Eigen::VectorXd solution;
    for (;;) {
        solution = solve(used_, [&](int a, int b) {
            if (a == b) return variances_[a];
            if (inputs[a].upstream < 0 || inputs[a].upstream != inputs[b].upstream) return 0.0;
            return std::min(server_variances_[a], server_variances_[b]);
        });
        Eigen::Index least = 0;
        if (used_.size() == 1 || !(solution.minCoeff(&least) < 0.0)) break;
        used_.erase(used_.begin() + least);
    }
    weights.assign(inputs.size(), 0.0);
    // The clock is behind this: no input may make it follow what is not a number.
    if (!(solution.sum() > 0.0) || !solution.allFinite()) {
        weights[0] = 1.0;
        return;
    }
    for (std::size_t i = 0; i < used_.size(); ++i) {
        weights[used_[i]] = solution(static_cast<Eigen::Index>(i)) / solution.sum();
    }
}

Combined Combiner::blend(std::span<const CombineInput> inputs) const {
    Combined out;
    double skew_weights = 0.0;
    double covariance = 0.0;
    double offset_s2 = offset_common_s2_;
    double frequency_variance = frequency_common_;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].counts) continue;
        const Estimate& e = estimates_[i];
        const double a = offset_weights_[i];
        const double b = frequency_weights_[i];
        out.estimate.offset_s += a * e.offset_s;
        out.estimate.frequency += b * e.frequency;
        offset_s2 += a * a * noise_s2(i);
        frequency_variance += b * b * (square(e.frequency_sd) - frequency_common_);
        covariance += std::sqrt(a * b) * e.offset_frequency_covariance;
        skew_weights += 1.0 / square(bounded(inputs[i].skew, kTinyFrequency, kHugeFrequency));
    }
    out.estimate.offset_sd_s = std::sqrt(offset_s2);
    out.estimate.frequency_sd = std::sqrt(frequency_variance);
    const double bound = out.estimate.offset_sd_s * out.estimate.frequency_sd;
    out.estimate.offset_frequency_covariance = std::clamp(covariance, -bound, bound);
    out.skew = 1.0 / std::sqrt(skew_weights);
    return out;
}

Combined Combiner::combine(std::span<const CombineInput> inputs, UtcTime at) {
    GNOMON_ASSERT(!inputs.empty() && inputs[0].counts);
    const Estimate selected = inputs[0].estimate.at_time(at, 0.0);
    const auto count =
        std::count_if(inputs.begin(), inputs.end(), [](const CombineInput& i) { return i.counts; });
    if (count == 1) {
        offset_weights_.assign(inputs.size(), 0.0);
        offset_weights_[0] = 1.0;
        return {selected, inputs[0].skew};
    }
    prepare(inputs, selected.offset_s, at);
    weigh_offsets(inputs);
    weigh_frequencies(inputs);
    Combined out = blend(inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        BiasTrack* track = inputs[i].track;
        if (track == nullptr) continue;
        const double away_s = estimates_[i].offset_s - out.estimate.offset_s;
        if (track->contradicts(away_s, noise_s2(i))) track->reset();
        track->add(away_s, noise_s2(i));
    }
    out.estimate.at = at;
    out.estimate.offset_s += selected.offset_s;
    return out;
}

}  // namespace gnomon
