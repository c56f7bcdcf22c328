#include "servo/filter/regression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

/// Five percent, less a hair: counts that miss it by less than a hundredth of that still pass, which
/// makes the length of windows, and so polling, the same as chrony's.
constexpr double kRunsLevel = 0.0493;
constexpr int kShortestJudgedRuns = 8;

/// Smallest r with P(runs ≤ r) > 5 %. The binomial term k of n − 1 signs follows from term k − 1.
constexpr int runs_quantile(int n) {
    double term = 1.0;
    for (int i = 0; i < n - 1; ++i) term *= 0.5;
    double sum = term;
    int runs = 1;
    while (sum <= kRunsLevel) {
        term = term * (n - runs) / runs;
        sum += term;
        ++runs;
    }
    return runs;
}

constexpr std::array<signed char, kMaxRunsLength + 1> make_critical_runs() {
    std::array<signed char, kMaxRunsLength + 1> table{};
    for (int n = kShortestJudgedRuns; n <= kMaxRunsLength; ++n) {
        table[n] = static_cast<signed char>(runs_quantile(n));
    }
    return table;
}

constexpr auto kCriticalRuns = make_critical_runs();

}  // namespace

LineFit fit_line(const double* x, const double* y, const double* weights, int n) noexcept {
    GNOMON_ASSERT(n >= 3);
    double sum_w = 0.0;
    double sum_wx = 0.0;
    for (int i = 0; i < n; ++i) {
        sum_w += weights[i];
        sum_wx += weights[i] * x[i];
    }
    // Centred sums: x spans days while y wants nanoseconds.
    const double mean_x = sum_wx / sum_w;
    double sum_wy = 0.0;
    double sxy = 0.0;
    double sxx = 0.0;
    for (int i = 0; i < n; ++i) {
        const double dx = x[i] - mean_x;
        sum_wy += weights[i] * y[i];
        sxy += weights[i] * dx * y[i];
        sxx += weights[i] * dx * dx;
    }
    LineFit fit;
    fit.slope = sxy / sxx;
    fit.intercept = sum_wy / sum_w - fit.slope * mean_x;
    double chi2 = 0.0;
    for (int i = 0; i < n; ++i) {
        const double r = y[i] - fit.intercept - fit.slope * x[i];
        chi2 += weights[i] * r * r;
    }
    const double unit_variance = chi2 / (n - 2);
    const double slope_variance = unit_variance / sxx;
    fit.slope_sd = std::sqrt(slope_variance);
    fit.intercept_sd = std::sqrt(unit_variance / sum_w + mean_x * mean_x * slope_variance);
    fit.covariance = -mean_x * slope_variance;
    fit.variance = unit_variance * n / sum_w;
    return fit;
}

int count_runs(const double* residuals, int n) noexcept {
    if (n <= 0) return 0;
    int runs = 1;
    for (int i = 1; i < n; ++i) {
        const bool same = (residuals[i - 1] > 0.0 && residuals[i] > 0.0) ||
                          (residuals[i - 1] < 0.0 && residuals[i] < 0.0);
        if (!same) ++runs;
    }
    return runs;
}

int critical_runs(int n) noexcept {
    GNOMON_ASSERT(n >= 0 && n <= kMaxRunsLength);
    return kCriticalRuns[n];
}

bool partial_slope(const double* x, const double* z, const double* y, int n,
                   double* slope) noexcept {
    if (n < 4) return false;
    double mx = 0.0;
    double mz = 0.0;
    double my = 0.0;
    for (int i = 0; i < n; ++i) {
        mx += x[i] / n;
        mz += z[i] / n;
        my += y[i] / n;
    }
    double sxx = 0.0;
    double szz = 0.0;
    double sxz = 0.0;
    double sxy = 0.0;
    double szy = 0.0;
    for (int i = 0; i < n; ++i) {
        const double dx = x[i] - mx;
        const double dz = z[i] - mz;
        const double dy = y[i] - my;
        sxx += dx * dx;
        szz += dz * dz;
        sxz += dx * dz;
        sxy += dx * dy;
        szy += dz * dy;
    }
    // What of z is not explained by x; too little of it is rounding noise.
    const double own = szz - sxz * sxz / sxx;
    if (!(sxx > 0.0) || !(own > 1e-10 * szz)) return false;
    *slope = (szy - sxz * sxy / sxx) / own;
    return std::isfinite(*slope);
}

double student_quantile(int degrees) noexcept {
    GNOMON_ASSERT(degrees >= 1);
    constexpr double kTails = 0.001;
    constexpr double kNormal = -3.2905267314918945;  // 0.05 % quantile of the normal distribution
    constexpr double kPi = std::numbers::pi;
    const double n = degrees;
    if (degrees == 1) return 1.0 / std::tan(kTails * kPi / 2.0);
    if (degrees == 2) return std::sqrt(2.0 / (kTails * (2.0 - kTails)) - 2.0);
    const double a = 1.0 / (n - 0.5);
    const double b = 48.0 / (a * a);
    double c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    const double d = ((94.5 / (b + c) - 3.0) / b + 1.0) * std::sqrt(a * kPi / 2.0) * n;
    double y = std::pow(d * kTails, 2.0 / n);
    if (y > 0.05 + a) {
        const double x = kNormal;
        y = x * x;
        if (degrees < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c;
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x;
        y = std::expm1(a * y * y);
    } else {
        y = ((1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) +
              0.5 / (n + 4.0)) *
                 y -
             1.0) *
                (n + 1.0) / (n + 2.0) +
            1.0 / y;
    }
    return std::sqrt(n * y);
}

double chi_square_quantile(int degrees) noexcept {
    GNOMON_ASSERT(degrees >= 1);
    constexpr double kNormal = 1.2815515655446004;  // 90 % quantile of the normal distribution
    const double v = 2.0 / (9.0 * degrees);
    const double root = 1.0 - v + kNormal * std::sqrt(v);
    return degrees * root * root * root;
}

double median(double* values, int n) noexcept {
    GNOMON_ASSERT(n >= 1);
    double* middle = values + n / 2;
    std::nth_element(values, middle, values + n);
    if (n % 2 != 0) return *middle;
    return 0.5 * (*middle + *std::max_element(values, middle));
}

}  // namespace gnomon
