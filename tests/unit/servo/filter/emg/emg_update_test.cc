#include "servo/filter/emg/emg_update.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <random>

namespace gnomon {
namespace {

/// Reference by quadrature over the queueing e: given e, x is Gaussian with known moments, and the
/// weight of e, exp(−e/λ − (v−e)²/2s²), is log-concave, so that its support is known.
struct Reference {
    long double log_evidence = 0.0L;
    long double mean = 0.0L;
    long double variance = 0.0L;
};

Reference by_quadrature(double v, double p, double r, double lambda) {
    // 10-point Gauss–Legendre on [−1, 1] (Abramowitz & Stegun, table 25.4).
    constexpr std::array<long double, 5> kNodes = {
        0.148874338981631210884826L, 0.433395394129247190799266L, 0.679409568299024406234327L,
        0.865063366688984510732097L, 0.973906528517171720077964L};
    constexpr std::array<long double, 5> kWeights = {
        0.295524224714752870173815L, 0.269266719309996355091226L, 0.219086362515982043995535L,
        0.149451349150580593145863L, 0.066671344308688137593568L};
    constexpr int kPanels = 150;
    constexpr long double kDrop = 60.0L;  // integrate until the weight fell by exp(−60)

    const long double s2 = static_cast<long double>(p) + r;
    const long double l = lambda;
    const long double mode = std::max(0.0L, v - s2 / l);
    const long double slope = std::max(0.0L, 1.0L / l - v / s2);  // of −log weight at mode 0
    // mode > 0: pure parabola; else slope · t + t²/2s² = kDrop.
    const long double root = std::sqrt(slope * slope + 2.0L * kDrop / s2);
    const long double right = 2.0L * kDrop / (slope + root);
    const long double begin = std::max(0.0L, mode - std::sqrt(2.0L * kDrop * s2));
    const long double width = (mode + right - begin) / kPanels;

    long double sum0 = 0.0L;
    long double sum1 = 0.0L;
    long double sum2 = 0.0L;
    for (int panel = 0; panel < kPanels; ++panel) {
        const long double centre = begin + (panel + 0.5L) * width;
        for (std::size_t i = 0; i < 2 * kNodes.size(); ++i) {
            const long double node = i % 2 == 0 ? kNodes[i / 2] : -kNodes[i / 2];
            const long double e = centre + 0.5L * width * node;
            const long double t = e - mode;
            const long double weight =
                0.5L * width * kWeights[i / 2] * std::exp(-slope * t - t * t / (2.0L * s2));
            sum0 += weight;
            sum1 += weight * t;
            sum2 += weight * t * t;
        }
    }
    const long double gain = p / s2;
    const long double mean_t = sum1 / sum0;
    Reference out;
    out.mean = gain * (v - mode - mean_t);
    out.variance = gain * gain * (sum2 / sum0 - mean_t * mean_t) + gain * r;
    out.log_evidence = std::log(sum0 / l) - mode / l - (v - mode) * (v - mode) / (2.0L * s2) -
                       0.5L * std::log(2.0L * std::acos(-1.0L) * s2);
    return out;
}

void expect_close(const EmgPosterior& got, const Reference& want, const char* what) {
    const double scale = std::max(std::fabs(static_cast<double>(want.mean)),
                                  std::sqrt(static_cast<double>(want.variance)));
    EXPECT_LT(std::fabs(got.mean - static_cast<double>(want.mean)), 1e-6 * scale) << what;
    EXPECT_NEAR(got.variance / static_cast<double>(want.variance), 1.0, 1e-6) << what;
    const double size = std::max(1.0, std::fabs(static_cast<double>(want.log_evidence)));
    EXPECT_NEAR(got.log_evidence, static_cast<double>(want.log_evidence), 1e-6 * size) << what;
}

TEST(EmgUpdate, AgreesWithQuadratureInTenThousandRandomCases) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> exponent(-6.0, 6.0);
    std::uniform_real_distribution<double> sign(-1.0, 1.0);
    for (int i = 0; i < 10'000 && !HasFailure(); ++i) {
        const double p = std::pow(10.0, exponent(random));
        const double r = p * std::pow(10.0, exponent(random));
        const double s = std::sqrt(p + r);
        const double lambda = s * std::pow(10.0, exponent(random) / 2.0);
        // From far below the edge to far into the tail.
        const double v = (sign(random) > 0.0 ? s : lambda) * 8.0 * sign(random);
        EmgNoise noise;
        noise.gauss_s2 = r;
        noise.queue_s = lambda;
        char what[160];
        std::snprintf(what, sizeof what, "case %d: v %g P %g r %g lambda %g alpha %g", i, v, p, r,
                      lambda, s / lambda - v / s);
        expect_close(emg_update(v, p, noise), by_quadrature(v, p, r, lambda), what);
    }
}

TEST(EmgUpdate, IsExactForTruncationsAHundredMillionSigmasAway) {
    for (const double alpha : {4.999, 5.0, 10.0, 30.0, 1e3, 1e5, 1e8}) {
        // v = −1: the prior says that the edge was crossed.
        const double p = 1.0;
        const double r = 1e-4;
        const double s = std::sqrt(p + r);
        const double v = -s;
        const double lambda = s / (alpha + v / s);
        EmgNoise noise;
        noise.gauss_s2 = r;
        noise.queue_s = lambda;
        expect_close(emg_update(v, p, noise), by_quadrature(v, p, r, lambda), "far edge");
    }
    for (const double alpha : {-4.0, -10.0, -37.0, -39.0, -1e3, -1e8}) {
        // Far in the exponential tail almost nothing is learned.
        const double p = 1.0;
        const double r = 1e-4;
        const double s = std::sqrt(p + r);
        EmgNoise noise;
        noise.gauss_s2 = r;
        noise.queue_s = 3.0 * s;
        const double v = s * (1.0 / 3.0 - alpha);
        const EmgPosterior got = emg_update(v, p, noise);
        EXPECT_NEAR(got.mean, p / noise.queue_s, 1e-3);
        EXPECT_NEAR(got.variance, p, 1e-3);
        EXPECT_NEAR(got.log_evidence, -std::log(noise.queue_s) + 1.0 / 18.0 - v / noise.queue_s,
                    1e-3 + 1e-12 * v);
    }
}

TEST(EmgUpdate, TailMomentsAreContinuousWhereTheMethodChanges) {
    for (const double at : {5.0, 12.0}) {
        const NormalTail below = normal_tail(std::nextafter(at, 0.0));
        const NormalTail above = normal_tail(std::nextafter(at, 100.0));
        EXPECT_NEAR(above.hazard / below.hazard, 1.0, 1e-10);
        EXPECT_NEAR(above.mean_excess / below.mean_excess, 1.0, 1e-9);
        EXPECT_NEAR(above.variance / below.variance, 1.0, 1e-8);
    }
}

TEST(EmgUpdate, WithoutQueueingIsTheKalmanUpdate) {
    EmgNoise noise;
    noise.gauss_s2 = 3.0;
    const EmgPosterior got = emg_update(2.0, 1.0, noise);
    EXPECT_DOUBLE_EQ(got.mean, 0.5);
    EXPECT_DOUBLE_EQ(got.variance, 0.75);
    EXPECT_NEAR(got.log_evidence, std::log(std::exp(-0.5) / std::sqrt(8.0 * std::acos(-1.0))),
                1e-14);
    // A vanishing λ leads to the same place.
    noise.queue_s = 1e-12;
    const EmgPosterior limit = emg_update(2.0, 1.0, noise);
    EXPECT_NEAR(limit.mean, 0.5, 1e-9);
    EXPECT_NEAR(limit.variance, 0.75, 1e-9);
    EXPECT_NEAR(limit.log_evidence, got.log_evidence, 1e-9);
}

TEST(EmgUpdate, MixtureHasTheMomentsOfItsComponents) {
    std::mt19937_64 random(2);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 1000; ++i) {
        EmgNoise noise{0.5, 0.7, 0.04, 9.0, 0.01, 400.0};
        const double v = 10.0 * normal(random);
        const EmgPosterior got = emg_update(v, 2.0, noise);
        const Reference queue = by_quadrature(v, 2.0, 0.5, 0.7);
        const Reference tail = by_quadrature(v, 2.0, 0.5, 9.0);
        const EmgPosterior wild = emg_update(v, 2.0, EmgNoise{400.5});
        const long double w0 = 0.95L * std::exp(queue.log_evidence);
        const long double w1 = 0.04L * std::exp(tail.log_evidence);
        const long double w2 = 0.01L * std::exp(static_cast<long double>(wild.log_evidence));
        Reference want;
        const long double sum = w0 + w1 + w2;
        want.log_evidence = std::log(sum);
        want.mean = (w0 * queue.mean + w1 * tail.mean + w2 * wild.mean) / sum;
        const auto second = [&](long double mean, long double variance) {
            return variance + (mean - want.mean) * (mean - want.mean);
        };
        want.variance =
            (w0 * second(queue.mean, queue.variance) + w1 * second(tail.mean, tail.variance) +
             w2 * second(wild.mean, wild.variance)) /
            sum;
        expect_close(got, want, "mixture");
    }
}

TEST(EmgUpdate, NeverYieldsNanOrNegativeVariance) {
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> exponent(-30.0, 20.0);
    std::uniform_real_distribution<double> sign(-1.0, 1.0);
    for (int i = 0; i < 200'000; ++i) {
        const double p = std::pow(10.0, exponent(random));
        EmgNoise noise;
        noise.gauss_s2 = std::pow(10.0, exponent(random));
        noise.queue_s = std::pow(10.0, exponent(random));
        noise.tail_s = noise.queue_s * 10.0;
        noise.tail_share = i % 2 == 0 ? 0.04 : 0.0;
        noise.wild_share = i % 3 == 0 ? 1e-3 : 0.0;
        noise.wild_s2 = std::pow(10.0, exponent(random));
        const double v = std::copysign(std::pow(10.0, exponent(random)), sign(random));
        const EmgPosterior got = emg_update(v, p, noise);
        ASSERT_TRUE(std::isfinite(got.mean) && std::isfinite(got.log_evidence)) << i;
        ASSERT_GT(got.variance, 0.0) << i;
        ASSERT_TRUE(std::isfinite(got.variance)) << i;
        ASSERT_GE(got.queue_mean_s, 0.0) << i;
    }
}

}  // namespace
}  // namespace gnomon
