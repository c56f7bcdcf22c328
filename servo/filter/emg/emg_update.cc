#include "servo/filter/emg/emg_update.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnomon {

namespace {

constexpr double kSqrt2 = 1.41421356237309504880;
constexpr double kHalfLog2Pi = 0.91893853320467274178;
constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

/// From here the continued fraction is used; so many terms leave a relative error of ω below 2e-9.
constexpr double kFractionFrom = 5.0;
constexpr double kFarTail = 12.0;
constexpr int kFractionTerms = 14;
constexpr int kFarTerms = 8;

/// One component's answer: moments of x − m and of the queueing.
struct Component {
    double mean = 0.0;
    double variance = 0.0;
    double log_evidence = -std::numeric_limits<double>::infinity();
    double queue_s = 0.0;
};

Component gaussian(double v, double p, double r) noexcept {
    const double s2 = p + r;
    const double gain = p / s2;
    return {gain * v, gain * r, -0.5 * (v * (v / s2) + std::log(s2)) - kHalfLog2Pi, 0.0};
}

Component one_sided(double v, double p, double r, double lambda) noexcept {
    const double s2 = p + r;
    const double s = std::sqrt(s2);
    const double gain = p / s2;
    const double beta = s / lambda;
    const double y = v / s;
    const double alpha = beta - y;
    // So sharp an edge that the two cannot be told apart in double precision.
    if (!(alpha < 1e150)) return gaussian(v - lambda, p, r);
    const NormalTail tail = normal_tail(alpha);

    Component c;
    c.queue_s = s * tail.mean_excess;
    // v − sδ with the larger terms taken away by hand where they cancel, far in the tail.
    c.mean = gain * (alpha > 0.0 ? v - c.queue_s : s * (beta - tail.hazard));
    c.variance = gain * (p * tail.variance + r);
    c.log_evidence = -std::log(lambda);
    if (alpha > 0.0) {
        c.log_evidence -= 0.5 * y * y + std::log(tail.hazard) + kHalfLog2Pi;
    } else {
        c.log_evidence += beta * (0.5 * beta - y) + tail.log_survival;
    }
    return c;
}

}  // namespace

NormalTail normal_tail(double alpha) noexcept {
    if (alpha >= kFractionFrom) {
        double rest = 0.0;
        for (int k = alpha > kFarTail ? kFarTerms : kFractionTerms; k >= 2; --k) {
            rest = k / (alpha + rest);
        }
        const double excess = 1.0 / (alpha + rest);
        return {alpha + excess, excess, excess * (rest - excess), 0.0};
    }
    const double survival = 0.5 * std::erfc(alpha / kSqrt2);
    const double hazard = kInverseSqrt2Pi * std::exp(-0.5 * alpha * alpha) / survival;
    const double excess = hazard - alpha;
    // The survival function needs its logarithm only where it is not small.
    return {hazard, excess, 1.0 - hazard * excess, alpha <= 0.0 ? std::log(survival) : 0.0};
}

EmgPosterior emg_update(double innovation, double variance, const EmgNoise& noise) noexcept {
    const double r = noise.gauss_s2;
    const double tail_prior = std::max(noise.tail_share, 0.0);
    const double wild_prior = std::max(noise.wild_share, 0.0);

    const Component queue = noise.queue_s > 0.0 ? one_sided(innovation, variance, r, noise.queue_s)
                                                : gaussian(innovation, variance, r);
    EmgPosterior out;
    out.queue_mean_s = queue.queue_s;
    if (tail_prior == 0.0 && wild_prior == 0.0) {
        out.mean = queue.mean;
        out.variance = queue.variance;
        out.log_evidence = queue.log_evidence;
        return out;
    }

    Component tail;
    Component wild;
    if (tail_prior > 0.0) tail = one_sided(innovation, variance, r, noise.tail_s);
    if (wild_prior > 0.0) wild = gaussian(innovation, variance, r + noise.wild_s2);
    const double most = std::max({queue.log_evidence, tail.log_evidence, wild.log_evidence});
    double w_queue = (1.0 - tail_prior - wild_prior) * std::exp(queue.log_evidence - most);
    double w_tail = tail_prior * std::exp(tail.log_evidence - most);
    double w_wild = wild_prior * std::exp(wild.log_evidence - most);
    const double sum = w_queue + w_tail + w_wild;
    w_queue /= sum;
    w_tail /= sum;
    w_wild /= sum;

    out.log_evidence = most + std::log(sum);
    out.mean = w_queue * queue.mean + w_tail * tail.mean + w_wild * wild.mean;
    const double d_queue = queue.mean - out.mean;
    const double d_tail = tail.mean - out.mean;
    const double d_wild = wild.mean - out.mean;
    out.variance = w_queue * (queue.variance + d_queue * d_queue) +
                   w_tail * (tail.variance + d_tail * d_tail) +
                   w_wild * (wild.variance + d_wild * d_wild);
    out.queue_share = w_queue;
    out.tail_share = w_tail;
    out.tail_mean_s = tail.queue_s;
    out.wild_share = w_wild;
    return out;
}

}  // namespace gnomon
