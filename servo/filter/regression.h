#pragma once

/// The statistics behind `SampleHistory` and `MedianFilter`: weighted straight lines and the quantiles
/// that judge them. Pure functions over arrays, no allocation.

namespace gnomon {

/// Longest residual series the runs test knows a critical value for.
inline constexpr int kMaxRunsLength = 128;

/// y = intercept + slope·x. Standard deviations by the residuals' own variance.
struct LineFit {
    double intercept = 0.0;
    double slope = 0.0;
    double intercept_sd = 0.0;
    double slope_sd = 0.0;
    double covariance = 0.0;  ///< of intercept and slope
    double variance = 0.0;    ///< of a residual of average weight
};

/// Least squares, point i with weight weights[i] > 0 (the larger, the more reliable). n ≥ 3, not all x
/// equal.
LineFit fit_line(const double* x, const double* y, const double* weights, int n) noexcept;

/// Number of stretches of residuals of one sign; zero has no sign and ends a stretch. 0 for n = 0.
int count_runs(const double* residuals, int n) noexcept;

/// Most runs that still let n residuals of a straight line look dependent: the 5 % quantile of the
/// number of runs of n fair signs, 1 + Binomial(n − 1, ½). 0, so that everything passes, for n < 8.
int critical_runs(int n) noexcept;

/// Slope of y on z in y = a + b·x + c·z; false if z does not vary enough of its own, or n < 4.
bool partial_slope(const double* x, const double* z, const double* y, int n,
                   double* slope) noexcept;

/// 99.95 % quantile of Student's t (Hill 1970), for two-sided bounds of 99.9 %. degrees ≥ 1.
double student_quantile(int degrees) noexcept;

/// 90 % quantile of chi-square (Wilson–Hilferty), per degree of freedom. degrees ≥ 1.
double chi_square_quantile(int degrees) noexcept;

/// Median, reordering `values`; mean of the two middle ones for even n. n ≥ 1.
double median(double* values, int n) noexcept;

}  // namespace gnomon
