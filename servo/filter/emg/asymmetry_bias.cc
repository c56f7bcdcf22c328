#include "servo/filter/emg/asymmetry_bias.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr double kLeastGain = 1.0 / 800.0;
/// Exponential forgetting with gain g averages as well as 2/g measurements.
constexpr double kMaxEffective = 2.0 / kLeastGain;
constexpr int kFirstCount = 16;
constexpr int kMinCount = 256;
/// Residuals beyond that many standard deviations are outliers and are cut.
constexpr double kClip = 5.0;
/// The Gamma family is not looked at where the bank sees the edge, fading out between these.
constexpr double kSkewFaint = 0.8;
constexpr double kSkewSharp = 1.1;

/// The offset is in doubt up to where the edge is seen for certain.
constexpr double kSkewVisible = 1.6;

/// Nor where it is so nearly normal that the inferred mean would be many times the jitter.
constexpr double kSkewNone = 0.3;
constexpr double kSkewSome = 0.5;

/// 0 at `none`, 1 at `all`, linear between.
double fade(double value, double none, double all) noexcept {
    return std::clamp((value - none) / (all - none), 0.0, 1.0);
}

double significance(double value, double error) noexcept { return fade(value / error, 2.5, 4.5); }

}  // namespace

void AsymmetryBias::Moments::add(double value, double gain, bool clip) noexcept {
    double away = value - mean;
    if (clip) {
        const double limit = kClip * std::sqrt(second);
        away = std::clamp(away, -limit, limit);
    }
    mean += gain * away;
    second += gain * (away * away - second);
    third += gain * (away * away * away - third);
}

void AsymmetryBias::add(double forward_s, double backward_s, double offset_variance_s2,
                        double queue_difference_s) noexcept {
    if (count_ == 0) {
        forward_.mean = forward_s;
        backward_.mean = backward_s;
    }
    count_ = std::min(count_ + 1, 1 << 20);
    const double gain = std::max(1.0 / count_, kLeastGain);
    forward_.add(forward_s, gain, count_ > kFirstCount);
    backward_.add(backward_s, gain, count_ > kFirstCount);
    offset_variance_s2_ += gain * (offset_variance_s2 - offset_variance_s2_);
    bias_s_ = doubt_s_ = 0.0;
    if (count_ < kMinCount) return;

    // Too much movement of the clock in the residuals, and nothing can be said of the jitter.
    const double v1 = forward_.second - offset_variance_s2_;
    const double v2 = backward_.second - offset_variance_s2_;
    const double larger = std::max(v1, v2);
    const double smaller = std::min(v1, v2);
    if (!(smaller > 0.0) || offset_variance_s2_ > 0.5 * larger) return;

    const double n = std::min(static_cast<double>(count_), kMaxEffective);
    const double sd1 = std::sqrt(v1);
    const double sd2 = std::sqrt(v2);
    // Standard errors of the skewness, blown up where the clock's movement hides the jitter.
    const double error1 = std::sqrt(6.0 / n) * std::pow(forward_.second / v1, 1.5);
    const double error2 = std::sqrt(6.0 / n) * std::pow(backward_.second / v2, 1.5);
    const double weight1 = 1.0 / (error1 * error1);
    const double weight2 = 1.0 / (error2 * error2);
    const double skew =
        (weight1 * forward_.third / (v1 * sd1) + weight2 * backward_.third / (v2 * sd2)) /
        (weight1 + weight2);
    const double skew_error = 1.0 / std::sqrt(weight1 + weight2);
    const double difference_s = sd1 - sd2;
    const double difference_error_s = std::sqrt(
        (forward_.second * forward_.second / v1 + backward_.second * backward_.second / v2) /
        (2.0 * n));

    const double differs = significance(std::fabs(difference_s), difference_error_s);
    const double applied = significance(skew, skew_error) * differs *
                           fade(skew, kSkewNone, kSkewSome) * fade(skew, kSkewSharp, kSkewFaint);
    const double unseen_s = 0.5 * difference_s * fade(skew, kSkewVisible, kSkewSharp);
    const double fiction_s = 0.5 * queue_difference_s * fade(skew, kSkewFaint, kSkewNone);
    doubt_s_ = differs * std::hypot(unseen_s, fiction_s);
    if (!(applied > 0.0)) return;
    const double means_s = 2.0 / skew * difference_s;
    // Only what the bank leaves out, never against it.
    if (std::fabs(means_s) <= std::fabs(queue_difference_s)) return;
    bias_s_ = 0.5 * applied * (means_s - queue_difference_s);
}

}  // namespace gnomon
