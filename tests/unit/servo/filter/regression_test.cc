#include "servo/filter/regression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace gnomon {
namespace {

TEST(Regression, ExactLineIsFoundWithoutResiduals) {
    const double x[] = {-3.0, -2.0, -0.5, 0.0};
    const double w[] = {1.0, 4.0, 0.5, 2.0};
    double y[4];
    for (int i = 0; i < 4; ++i) y[i] = 2.0 - 0.25 * x[i];
    const LineFit fit = fit_line(x, y, w, 4);
    EXPECT_NEAR(fit.intercept, 2.0, 1e-14);
    EXPECT_NEAR(fit.slope, -0.25, 1e-14);
    EXPECT_NEAR(fit.variance, 0.0, 1e-27);
}

TEST(Regression, WeightedFitAgreesWithTheNormalEquations) {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform(0.1, 3.0);
    for (int round = 0; round < 50; ++round) {
        std::vector<double> x, y, w;
        double s = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
        const int n = 3 + round % 20;
        for (int i = 0; i < n; ++i) {
            x.push_back(i + 0.3 * normal(random));
            y.push_back(1.0 + 0.5 * x[i] + normal(random));
            w.push_back(uniform(random));
            s += w[i];
            sx += w[i] * x[i];
            sy += w[i] * y[i];
            sxx += w[i] * x[i] * x[i];
            sxy += w[i] * x[i] * y[i];
        }
        const double det = s * sxx - sx * sx;
        const double slope = (s * sxy - sx * sy) / det;
        const double intercept = (sxx * sy - sx * sxy) / det;
        double chi2 = 0;
        for (int i = 0; i < n; ++i) chi2 += w[i] * std::pow(y[i] - intercept - slope * x[i], 2);
        const LineFit fit = fit_line(x.data(), y.data(), w.data(), n);
        EXPECT_NEAR(fit.slope, slope, 1e-10);
        EXPECT_NEAR(fit.intercept, intercept, 1e-10);
        EXPECT_NEAR(fit.slope_sd, std::sqrt(chi2 / (n - 2) * s / det), 1e-10);
        EXPECT_NEAR(fit.intercept_sd, std::sqrt(chi2 / (n - 2) * sxx / det), 1e-10);
        EXPECT_NEAR(fit.covariance, -chi2 / (n - 2) * sx / det, 1e-10);
    }
}

TEST(Regression, RunsAreStretchesOfOneSign) {
    const double r[] = {1, 2, -1, -1, 3, 0, 4, 4};
    EXPECT_EQ(count_runs(r, 8), 5);  // ++ -- + 0 ++
    EXPECT_EQ(count_runs(r, 1), 1);
    EXPECT_EQ(count_runs(r, 0), 0);
}

TEST(Regression, CriticalRunsAreTheFivePercentQuantile) {
    EXPECT_EQ(critical_runs(7), 0);
    EXPECT_EQ(critical_runs(8), 2);   // P(≤1) = 0.8 %, P(≤2) = 6.3 %
    EXPECT_EQ(critical_runs(20), 7);  // P(≤6) = 3.2 %, P(≤7) = 8.4 %
    EXPECT_EQ(critical_runs(64), 26);
    EXPECT_EQ(critical_runs(128), 55);
}

TEST(Regression, StudentQuantilesMatchTheTable) {
    EXPECT_NEAR(student_quantile(1), 636.62, 0.01);
    EXPECT_NEAR(student_quantile(2), 31.599, 0.001);
    EXPECT_NEAR(student_quantile(3), 12.924, 0.01);
    EXPECT_NEAR(student_quantile(4), 8.610, 0.005);
    EXPECT_NEAR(student_quantile(5), 6.869, 0.003);
    EXPECT_NEAR(student_quantile(10), 4.587, 0.001);
    EXPECT_NEAR(student_quantile(30), 3.646, 0.001);
    EXPECT_NEAR(student_quantile(60), 3.460, 0.001);
}

TEST(Regression, ChiSquareQuantilesAreCloseToTheTable) {
    EXPECT_NEAR(chi_square_quantile(1), 2.706, 0.08);
    EXPECT_NEAR(chi_square_quantile(10), 15.987, 0.05);
    EXPECT_NEAR(chi_square_quantile(62), 76.630, 0.05);
}

TEST(Regression, PartialSlopeSeparatesTimeFromDelay) {
    std::vector<double> t, z, y;
    for (int i = 0; i < 12; ++i) {
        t.push_back(-i);
        z.push_back((i * 7 % 5) * 1e-4);
        y.push_back(3e-3 + 2e-6 * t[i] + 0.47 * z[i]);
    }
    double slope = 0;
    ASSERT_TRUE(partial_slope(t.data(), z.data(), y.data(), 12, &slope));
    EXPECT_NEAR(slope, 0.47, 1e-9);
    EXPECT_FALSE(partial_slope(t.data(), t.data(), y.data(), 12, &slope));
    EXPECT_FALSE(partial_slope(t.data(), z.data(), y.data(), 3, &slope));
}

TEST(Regression, MedianOfEvenCountIsTheMeanOfTheMiddle) {
    double odd[] = {5, 1, 3};
    double even[] = {4, 1, 3, 9};
    EXPECT_EQ(median(odd, 3), 3);
    EXPECT_EQ(median(even, 4), 3.5);
}

}  // namespace
}  // namespace gnomon
