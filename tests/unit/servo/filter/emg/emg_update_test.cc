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

Reference by_quadrature(double v, double p, double r, double lambda, int panels = 60) {
    // 10-point Gauss–Legendre on [−1, 1] (Abramowitz & Stegun, table 25.4).
    constexpr std::array<long double, 5> kNodes = {
        0.148874338981631210884826L, 0.433395394129247190799266L, 0.679409568299024406234327L,
        0.865063366688984510732097L, 0.973906528517171720077964L};
    constexpr std::array<long double, 5> kWeights = {
        0.295524224714752870173815L, 0.269266719309996355091226L, 0.219086362515982043995535L,
        0.149451349150580593145863L, 0.066671344308688137593568L};
    constexpr long double kDrop = 60.0L;  // integrate until the weight fell by exp(−60)

    const long double s2 = static_cast<long double>(p) + r;
    const long double l = lambda;
    const long double mode = std::max(0.0L, v - s2 / l);
    const long double slope = std::max(0.0L, 1.0L / l - v / s2);  // of −log weight at mode 0
    // mode > 0: pure parabola; else slope · t + t²/2s² = kDrop.
    const long double root = std::sqrt(slope * slope + 2.0L * kDrop / s2);
    const long double right = 2.0L * kDrop / (slope + root);
    const long double begin = std::max(0.0L, mode - std::sqrt(2.0L * kDrop * s2));
    const long double width = (mode + right - begin) / panels;

    long double sum0 = 0.0L;
    long double sum1 = 0.0L;
    long double sum2 = 0.0L;
    for (int panel = 0; panel < panels; ++panel) {
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

/// A prior, an observation and its noise: every magnitude alike.
struct Case {
    double v = 0.0;
    double p = 1.0;
    double r = 1.0;
    double lambda = 1.0;

    double s() const { return std::sqrt(p + r); }
    double alpha() const { return s() / lambda - v / s(); }
};

/// |α| up to 10⁸ both ways: priors that wide or that sharp, and observations far in the tail or far
/// before the edge.
Case random_case(std::mt19937_64& random) {
    std::uniform_real_distribution<double> uniform(-1.0, 1.0);
    Case c;
    for (;;) {
        c.p = std::pow(10.0, -10.0 + 16.0 * uniform(random));
        c.r = c.p * std::pow(10.0, 14.0 * uniform(random));
        c.lambda = c.s() * std::pow(10.0, 8.0 * uniform(random));
        const double sigmas = std::pow(10.0, -1.0 + 2.0 * uniform(random));
        switch (random() % 4) {
            case 0: c.v = c.s() * sigmas; break;
            case 1: c.v = -c.s() * sigmas; break;
            case 2: c.v = c.lambda * 10.0 * uniform(random); break;
            default: c.v = c.s() * c.s() / c.lambda + 8.0 * c.s() * uniform(random); break;
        }
        if (std::fabs(c.alpha()) <= 1e8 && std::fabs(c.v) <= 1e8 * c.s()) return c;
    }
}

/// Relative errors. What an ulp of the observation makes of the density is nobody's error.
struct Errors {
    double density = 0.0;
    double mean = 0.0;
    double variance = 0.0;
};

Errors errors_of(const Case& c) {
    constexpr double kUlps = 4.0 * 2.3e-16;
    EmgNoise noise;
    noise.gauss_s2 = c.r;
    noise.queue_s = c.lambda;
    const EmgPosterior got = emg_update(c.v, c.p, noise);
    const Reference want = by_quadrature(c.v, c.p, c.r, c.lambda);
    const double slip = kUlps * std::max(1.0, std::fabs(static_cast<double>(want.log_evidence)));
    // Where the correction changes its sign it may be small by chance, but not against its doubt.
    const long double size = std::max(std::fabs(want.mean), 1e-3L * std::sqrt(want.variance));
    Errors e;
    e.density = std::max(
        static_cast<double>(std::fabs(std::expm1(got.log_evidence - want.log_evidence))) - slip,
        0.0);
    e.mean = static_cast<double>(std::fabs(got.mean - want.mean) / size);
    e.variance = static_cast<double>(std::fabs(got.variance / want.variance - 1.0L));
    return e;
}

TEST(EmgUpdate, AgreesWithQuadratureInTenThousandRandomCases) {
    std::mt19937_64 random(1);
    Errors worst;
    int far = 0;
    int deep = 0;
    for (int i = 0; i < 10'000 && !HasFailure(); ++i) {
        const Case c = random_case(random);
        far += c.alpha() > 1e4;
        deep += c.alpha() < -1e4;
        const Errors e = errors_of(c);
        char what[160];
        std::snprintf(what, sizeof what, "case %d: v %g P %g r %g lambda %g alpha %g", i, c.v, c.p,
                      c.r, c.lambda, c.alpha());
        EXPECT_LT(e.density, 1e-6) << what;
        EXPECT_LT(e.mean, 1e-6) << what;
        EXPECT_LT(e.variance, 1e-6) << what;
        worst.density = std::max(worst.density, e.density);
        worst.mean = std::max(worst.mean, e.mean);
        worst.variance = std::max(worst.variance, e.variance);
    }
    EXPECT_GT(far, 500);
    EXPECT_GT(deep, 200);
    RecordProperty("density_1e9", std::to_string(1e9 * worst.density));
    RecordProperty("mean_1e9", std::to_string(1e9 * worst.mean));
    RecordProperty("variance_1e9", std::to_string(1e9 * worst.variance));
}

TEST(EmgUpdate, QuadratureItselfHasConverged) {
    std::mt19937_64 random(4);
    for (int i = 0; i < 300; ++i) {
        const Case c = random_case(random);
        const Reference coarse = by_quadrature(c.v, c.p, c.r, c.lambda);
        const Reference fine = by_quadrature(c.v, c.p, c.r, c.lambda, 300);
        const long double sd = std::sqrt(fine.variance);
        EXPECT_LT(std::fabs(std::expm1(coarse.log_evidence - fine.log_evidence)), 1e-9L) << i;
        EXPECT_LT(std::fabs(coarse.mean - fine.mean), 1e-10L * sd) << i;
        EXPECT_LT(std::fabs(coarse.variance / fine.variance - 1.0L), 1e-10L) << i;
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
