#include "servo/filter/sample_filter.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "servo/filter/regression.h"

namespace gnomon {

namespace {

constexpr int kMaxFilterLength = 256;
/// Samples with more than this times the least dispersion are left out, if enough remain.
constexpr double kMaxDispersionRatio = 1.5;
constexpr int kEnough = 4;
/// Degrees of freedom the long-term variance rests on, at most.
constexpr int kAverageDegrees = 50;
constexpr double kMinVariance_s2 = 1e-20;

/// Both ways change against each other, so that the delay stays exact.
void move_offset(Measurement& m, Duration by) noexcept {
    m.forward += by;
    m.backward -= by;
}

}  // namespace

MedianFilter::MedianFilter(const MedianFilterConfig& config) : config_(config) {
    config_.min_samples = std::clamp(config.min_samples, 1, kMaxFilterLength);
    config_.max_samples =
        std::max(std::clamp(config.max_samples, 1, kMaxFilterLength), config_.min_samples);
    config_.combine_ratio = std::clamp(config.combine_ratio, 0.0, 1.0);
    samples_.reserve(config_.max_samples + 1);
    order_.reserve(config_.max_samples + 1);
    reset();
}

void MedianFilter::reset() {
    samples_.clear();
    last_.reset();
    average_variance_s2_ = config_.precision_s * config_.precision_s;
    average_weight_ = 0;
}

double MedianFilter::average_deviation_s() const noexcept {
    return std::sqrt(average_variance_s2_);
}

bool MedianFilter::add(const Measurement& measurement) {
    if (!samples_.empty() && measurement.at <= samples_.back().at) return false;
    if (count() == config_.max_samples) samples_.erase(samples_.begin());
    samples_.push_back(measurement);
    last_ = measurement;
    return true;
}

/// Leaves in order_ the indices of the samples to merge, oldest first; returns how many.
int MedianFilter::choose() {
    order_.clear();
    const int n = count();
    if (n < config_.min_samples || n == 0) return 0;
    if (n > kEnough) {
        double least_s = samples_[0].peer_dispersion_s;
        for (const Measurement& m : samples_) least_s = std::min(least_s, m.peer_dispersion_s);
        for (int i = 0; i < n; ++i) {
            if (samples_[i].peer_dispersion_s <= kMaxDispersionRatio * least_s) order_.push_back(i);
        }
    }
    if (static_cast<int>(order_.size()) < kEnough) {
        order_.clear();
        for (int i = 0; i < n; ++i) order_.push_back(i);
    }
    std::sort(order_.begin(), order_.end(), [this](int a, int b) {
        const double x = samples_[a].offset_s();
        const double y = samples_[b].offset_s();
        return x < y || (x == y && a < b);
    });
    const int sorted = static_cast<int>(order_.size());
    if (sorted > 2) {
        const int cut = std::clamp(static_cast<int>(sorted * (1.0 - config_.combine_ratio) / 2.0),
                                   1, (sorted - 1) / 2);
        order_.erase(order_.end() - cut, order_.end());
        order_.erase(order_.begin(), order_.begin() + cut);
    }
    std::sort(order_.begin(), order_.end());
    return static_cast<int>(order_.size());
}

std::optional<Measurement> MedianFilter::take() {
    const int chosen = choose();
    if (chosen == 0) return std::nullopt;
    std::optional<Measurement> merged = merge(chosen);
    if (merged) samples_.clear();
    return merged;
}

double MedianFilter::learn_scatter(const Scatter& scatter) {
    const double variance_s2 = scatter.variance_s2;
    const int degrees = scatter.degrees;
    double previous_s2 = average_variance_s2_;
    if (average_weight_ > kAverageDegrees) {
        average_variance_s2_ += degrees / (degrees + 50.0) * (variance_s2 - average_variance_s2_);
    } else {
        average_variance_s2_ = (average_variance_s2_ * average_weight_ + variance_s2 * degrees) /
                               (degrees + average_weight_);
        if (average_weight_ == 0) previous_s2 = average_variance_s2_;
        average_weight_ += degrees;
    }
    if (variance_s2 * degrees / chi_square_quantile(degrees) >= previous_s2) {
        return scatter.deviation_s;
    }
    return scatter.deviation_s * std::sqrt(average_variance_s2_ / variance_s2);
}

std::optional<Measurement> MedianFilter::merge(int n) {
    const Measurement& newest = samples_[order_[n - 1]];
    std::array<double, kMaxFilterLength> x{};
    std::array<double, kMaxFilterLength> y{};
    std::array<double, kMaxFilterLength> weight{};
    double mean_x = 0.0;
    double mean_y = 0.0;
    double delay_s = 0.0;
    double dispersion_s = 0.0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double forward_s2 = 0.0;
    double backward_s2 = 0.0;
    for (int i = 0; i < n; ++i) {
        const Measurement& m = samples_[order_[i]];
        x[i] = (m.at - newest.at).to_seconds();
        y[i] = m.offset_s();
        weight[i] = 1.0 / std::max(m.peer_dispersion_s, 1e-12);
        mean_x += x[i] / n;
        mean_y += y[i] / n;
        delay_s += m.peer_delay_s() / n;
        dispersion_s += m.peer_dispersion_s / n;
        root_delay_s += m.root_delay_s / n;
        root_dispersion_s += m.root_dispersion_s / n;
        forward_s2 += m.forward_variance_s2 / (n * n);
        backward_s2 += m.backward_variance_s2 / (n * n);
    }

    Scatter scatter{average_variance_s2_, std::sqrt(average_variance_s2_), 1};
    if (n >= 4) {
        for (int i = 0; i < n; ++i) x[i] -= mean_x;
        const LineFit fit = fit_line(x.data(), y.data(), weight.data(), n);
        scatter = {fit.variance, fit.intercept_sd, n - 2};
    } else if (n >= 2) {
        scatter.variance_s2 = 0.0;
        for (int i = 0; i < n; ++i) {
            scatter.variance_s2 += (y[i] - mean_y) * (y[i] - mean_y) / (n - 1);
        }
        scatter.deviation_s = std::sqrt(scatter.variance_s2);
        scatter.degrees = n - 1;
    }
    if (!(scatter.variance_s2 >= kMinVariance_s2)) {
        scatter.variance_s2 = kMinVariance_s2;
        scatter.deviation_s = std::sqrt(kMinVariance_s2);
    }
    const double limit_s = config_.max_dispersion_s;
    if (limit_s > 0.0 && scatter.variance_s2 > limit_s * limit_s) return std::nullopt;
    const double deviation_s = learn_scatter(scatter);

    Measurement merged = newest;
    merged.at = newest.at + Duration::from_seconds(mean_x);
    if (n > 1) merged.set_offset(mean_y, delay_s);
    merged.forward_variance_s2 = forward_s2;
    merged.backward_variance_s2 = backward_s2;
    // The root dispersion of a measurement excludes the peer's; their sum is never below the scatter.
    merged.peer_dispersion_s = std::max(deviation_s, dispersion_s);
    merged.root_delay_s = root_delay_s;
    merged.root_dispersion_s = root_dispersion_s;
    return merged;
}

void MedianFilter::adjust(const ClockAdjustment& adjustment) {
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        samples_.clear();
        last_.reset();
        return;
    }
    const auto move = [&adjustment](Measurement& m) {
        const Duration shift = adjustment.shift(m.at);
        m.at += shift;
        move_offset(m, -shift);
    };
    for (Measurement& m : samples_) move(m);
    if (last_) move(*last_);
}

void MedianFilter::shift_offsets(double offset_s) {
    const Duration by = Duration::from_seconds(offset_s);
    for (Measurement& m : samples_) move_offset(m, by);
    if (last_) move_offset(*last_, by);
}

void MedianFilter::add_dispersion(double dispersion_s) {
    for (Measurement& m : samples_) m.peer_dispersion_s += dispersion_s;
}

}  // namespace gnomon
