#include "servo/filter/emg/emg_filter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/unit/servo/filter/sane_filter.h"

namespace gnomon {
namespace {

using testing::least_eigenvalue;

constexpr double kWander = 1e-3;
constexpr double kWhiteFm = 2e-2;

TEST(EmgFilter, PredictionHasTheCovarianceOfASimulatedOscillator) {
    // 100 small steps of an Euler simulation against one prediction.
    constexpr int kRuns = 20'000;
    constexpr int kSteps = 100;
    constexpr double kInterval_s = 4.0;
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    Eigen::Matrix2d sum = Eigen::Matrix2d::Zero();
    const double d_s = kInterval_s / kSteps;
    for (int run = 0; run < kRuns; ++run) {
        double e = 0.0;
        double f = 0.0;
        for (int i = 0; i < kSteps; ++i) {
            const double step = kWander * std::sqrt(d_s) * normal(random);
            e += d_s * (f + step / 2.0) + kWhiteFm * std::sqrt(d_s) * normal(random);
            f += step;
        }
        const Eigen::Vector2d x(e, f);
        sum += x * x.transpose() / kRuns;
    }
    EmgFilter filter;
    filter.start({0, 0, 0}, {0, 0, 0});
    filter.predict(kInterval_s, kWander, kWhiteFm, 0.25);
    const auto& p = filter.covariance();
    EXPECT_NEAR(p(0, 0) / sum(0, 0), 1.0, 0.05);
    EXPECT_NEAR(p(0, 1) / sum(0, 1), 1.0, 0.15);
    EXPECT_NEAR(p(1, 1) / sum(1, 1), 1.0, 0.05);
    EXPECT_NEAR(p(2, 2), 0.25, 1e-12);
}

TEST(EmgFilter, SeveralPredictionsAreOne) {
    EmgFilter once;
    once.start({1, 2, 3}, {0.1, 0.2, 0.3});
    EmgFilter thrice = once;
    once.predict(6.0, kWander, kWhiteFm, 0.6);
    for (const double d_s : {1.0, 2.0, 3.0}) thrice.predict(d_s, kWander, kWhiteFm, 0.1 * d_s);
    EXPECT_TRUE(once.mean().isApprox(thrice.mean(), 1e-12));
    EXPECT_TRUE(once.covariance().isApprox(thrice.covariance(), 1e-12));
}

TEST(EmgFilter, GaussianUpdateIsTheTextbookKalmanFilter) {
    EmgFilter filter;
    filter.start({1, 0, 5}, {2, 1, 3});
    filter.predict(1.0, 0.5, 0.1, 0.2);
    const Eigen::Vector3d x = filter.mean();
    const Eigen::Matrix3d p = filter.covariance();
    const Eigen::RowVector3d h(-1, 0, 1);
    const double r = 0.7;
    const double s = h * p * h.transpose() + r;
    const Eigen::Vector3d k = p * h.transpose() / s;
    EmgNoise noise;
    noise.gauss_s2 = r;
    const EmgPosterior posterior = filter.update(Way::Backward, 6.5, noise);
    const double v = 6.5 - (h * x)(0);
    EXPECT_TRUE(filter.mean().isApprox(x + k * v, 1e-12));
    EXPECT_TRUE(filter.covariance().isApprox(p - k * s * k.transpose(), 1e-9));
    EXPECT_NEAR(posterior.log_evidence, -0.5 * (v * v / s + std::log(2.0 * std::acos(-1.0) * s)),
                1e-12);
}

TEST(EmgFilter, ForwardIsBasePlusOffsetAndBackwardIsBaseMinusOffset) {
    // Our clock is 3 s behind over a path of 1 s each way.
    EmgFilter filter;
    filter.start({0, 0, 0}, {100, 1e-9, 100});
    EmgNoise noise;
    noise.gauss_s2 = 1e-12;
    filter.update(Way::Forward, 1.0 + 3.0, noise);
    filter.update(Way::Backward, 1.0 - 3.0, noise);
    EXPECT_NEAR(filter.mean()(0), 3.0, 1e-5);
    EXPECT_NEAR(filter.mean()(2), 1.0, 1e-5);
}

TEST(EmgFilter, OneSidedNoisePutsTheEdgeAtTheSmallestDelay) {
    std::mt19937_64 random(4);
    std::exponential_distribution<double> exponential;
    EmgFilter filter;
    filter.start({0, 0, 10}, {10, 1e-9, 10});
    EmgNoise noise;
    noise.gauss_s2 = 1e-6;
    noise.queue_s = 1.0;
    for (int i = 0; i < 400; ++i) {
        filter.predict(1.0, 1e-12, 1e-12, 0.0);
        filter.update(Way::Forward, 7.0 + 0.5 + exponential(random), noise);
        filter.update(Way::Backward, 7.0 - 0.5 + exponential(random), noise);
    }
    // A mean of 400 would be good to 0.05.
    EXPECT_NEAR(filter.mean()(0), 0.5, 0.01);
    EXPECT_NEAR(filter.mean()(2), 7.0, 0.01);
}

TEST(EmgFilter, KnownAdjustmentIsExact) {
    EmgFilter filter;
    filter.start({0.5, 1e-2, 1e-3}, {1e-6, 1e-8, 1e-6});
    filter.predict(1.0, 1e-9, 1e-10, 0.0);
    const auto before = filter.covariance();
    filter.adjust(0.51, 1e-2);
    EXPECT_NEAR(filter.mean()(0), 0.0, 1e-15);
    EXPECT_NEAR(filter.mean()(1), 0.0, 1e-15);
    EXPECT_NEAR(filter.covariance()(0, 0), before(0, 0), 1e-9 * before(0, 0));
    EXPECT_NEAR(filter.covariance()(1, 1), before(1, 1) / (1.01 * 1.01), 1e-9 * before(1, 1));
}

TEST(EmgFilter, CovarianceStaysPositiveSemiDefiniteWhateverArrives) {
    std::mt19937_64 random(5);
    std::uniform_real_distribution<double> exponent(-9.0, 9.0);
    std::uniform_real_distribution<double> sign(-1.0, 1.0);
    const auto size = [&] { return std::pow(10.0, exponent(random)); };
    for (int run = 0; run < 300; ++run) {
        EmgFilter filter;
        filter.start({0, 0, 0}, {size(), 0.1, size()});
        for (int i = 0; i < 300; ++i) {
            filter.predict(size(), 1e-9 * size(), 1e-10, 1e-9 * size());
            EmgNoise noise{size(), size(), 0.04, 1e3 * size(), 1e-3, size()};
            if (i % 3 == 0) noise.queue_s = 0.0;
            const Way way = i % 2 == 0 ? Way::Forward : Way::Backward;
            filter.update(way, std::copysign(size(), sign(random)), noise);
            ASSERT_TRUE(filter.mean().allFinite());
            ASSERT_GT(filter.covariance().diagonal().minCoeff(), 0.0);
            ASSERT_GT(least_eigenvalue(filter.covariance()), -1e-9) << run << " " << i;
        }
    }
}

}  // namespace
}  // namespace gnomon
