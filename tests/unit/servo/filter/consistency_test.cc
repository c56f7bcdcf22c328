#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "servo/filter/source_filter.h"
#include "tests/bench/accuracy/oracle_estimator.h"
#include "tests/bench/accuracy/world.h"

/// Are the claimed covariances those of the errors? NEES, the error of offset and frequency squared in
/// the metric of the claimed covariance, has a mean of 2 if they are; NIS is the same of what is
/// observed, and can be had without the truth (Bar-Shalom, Li, Kirubarajan 2001, 5.4).

namespace gnomon {
namespace {

using bench::Cell;
using bench::Jitter;
using bench::OracleEstimator;
using bench::World;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeeds = 20;
/// Errors within a seed are correlated: so few seeds leave the bands of chi-square.
constexpr double kSlack = 1.3;
#else
constexpr int kSeeds = 100;
constexpr double kSlack = 1.0;
#endif
constexpr int kPolls = 240;
constexpr int kSettled = 100;
/// So many polls apart errors count as independent.
constexpr int kApart = 35;

Cell cell_of(Jitter jitter, double jitter_s, double wander, double poll_s) {
    Cell c;
    c.group = "grid";
    c.jitter = jitter;
    c.jitter_s = jitter_s;
    c.wander = wander;
    c.poll_s = poll_s;
    return c;
}

/// 95 % of χ²/n for n degrees of freedom (Wilson and Hilferty 1931).
struct Band {
    double low;
    double high;
};
Band chi_square_band(double n) {
    const auto quantile = [n](double z) {
        return std::pow(1.0 - 2.0 / (9.0 * n) + z * std::sqrt(2.0 / (9.0 * n)), 3);
    };
    return {quantile(-1.96), quantile(1.96)};
}

double nees(const Estimate& e, const World& world) {
    const double offset_s = e.offset_s - world.offset_s();
    const double frequency = e.frequency - world.frequency();
    const double a = e.offset_sd_s * e.offset_sd_s;
    const double b = e.offset_frequency_covariance;
    const double c = e.frequency_sd * e.frequency_sd;
    return (c * offset_s * offset_s - 2.0 * b * offset_s * frequency + a * frequency * frequency) /
           (a * c - b * b);
}

/// Means over all seeds.
struct Figures {
    double nees = 0.0;  ///< of polls `kApart` apart
    double nis = 0.0;   ///< of all; only of the oracle
    double covered = 0.0;
    int instants = 0;
    int exchanges = 0;
};

/// In closed loop, each estimate applied at once: judged are the estimates, before they are applied.
template <typename Make>
Figures judge(const Cell& cell, const Make& make) {
    Figures sum;
    for (int seed = 1; seed <= kSeeds; ++seed) {
        HistoryConfig config;
        config.precision_s = 1e-9;
        SourceFilter filter(config, make(cell));
        World world(cell, static_cast<std::uint64_t>(seed), kPolls);
        for (int i = 0; i < kPolls; ++i) {
            world.advance(cell.poll_s);
            Measurement m;
            if (!world.measure(i, m)) continue;
            filter.update(m);
            const Estimate e = *filter.estimate(world.now());
            if (i >= kSettled) {
                const auto* oracle = dynamic_cast<const OracleEstimator*>(&filter.estimator());
                if (oracle != nullptr) sum.nis += oracle->nis();
                sum.covered += std::fabs(e.offset_s - world.offset_s()) <= 2.0 * e.offset_sd_s;
                ++sum.exchanges;
                if ((i - kSettled) % kApart == 0) {
                    sum.nees += nees(e, world);
                    ++sum.instants;
                }
            }
            const double frequency = std::clamp(e.frequency, -0.1, 0.1);
            filter.adjust(world.correct(e.offset_s, frequency));
        }
    }
    sum.nees /= sum.instants;
    sum.nis /= sum.exchanges;
    sum.covered /= sum.exchanges;
    return sum;
}

std::unique_ptr<Estimator> make_oracle(const Cell& cell) {
    return std::make_unique<OracleEstimator>(cell);
}
std::unique_ptr<Estimator> make_bank(const Cell&) { return make_estimator("emg"); }

TEST(Consistency, TrueParametersInGaussianNoiseAreWithinTheBandsOfChiSquare) {
    for (const double wander : {1e-10, 1e-9, 1e-8}) {
        for (const double poll_s : {1.0, 16.0, 64.0}) {
            const Figures f = judge(cell_of(Jitter::Gaussian, 50e-9, wander, poll_s), make_oracle);
            const Band nees = chi_square_band(2.0 * f.instants);
            const Band nis = chi_square_band(2.0 * f.exchanges);
            EXPECT_GT(f.nees / 2.0, nees.low) << wander << " " << poll_s;
            EXPECT_LT(f.nees / 2.0, nees.high) << wander << " " << poll_s;
            EXPECT_GT(f.nis / 2.0, nis.low) << wander << " " << poll_s;
            EXPECT_LT(f.nis / 2.0, nis.high) << wander << " " << poll_s;
        }
    }
}

struct Standard {
    const char* name;
    Jitter jitter;
    double jitter_s;
    double poll_s;
    /// Tolerated NEES over that of truthful covariances: the bank does not know the parameters, and its
    /// posteriors are only matched by their moments. docs/internals/consistency.md.
    double least;
    double most;
};

class BankConsistency : public ::testing::TestWithParam<Standard> {};

TEST_P(BankConsistency, ClaimedErrorsAreTheErrors) {
    const Standard& standard = GetParam();
    const Figures f =
        judge(cell_of(standard.jitter, standard.jitter_s, 1e-9, standard.poll_s), make_bank);
    const Band band = chi_square_band(2.0 * f.instants);
    RecordProperty("nees", std::to_string(f.nees));
    RecordProperty("covered", std::to_string(f.covered));
    EXPECT_GT(f.nees / 2.0, standard.least * band.low / kSlack);
    EXPECT_LT(f.nees / 2.0, standard.most * band.high * kSlack);
    EXPECT_GT(f.covered, 0.9);
}

INSTANTIATE_TEST_SUITE_P(
    Cells, BankConsistency,
    ::testing::Values(Standard{"Exponential1", Jitter::Exponential, 1e-4, 1.0, 0.35, 1.5},
                      Standard{"Exponential16", Jitter::Exponential, 1e-4, 16.0, 0.7, 1.5},
                      Standard{"Exponential64", Jitter::Exponential, 1e-4, 64.0, 0.7, 1.5},
                      Standard{"Gauss1", Jitter::Gaussian, 50e-9, 1.0, 0.9, 1.2},
                      Standard{"Gauss16", Jitter::Gaussian, 50e-9, 16.0, 0.9, 1.2},
                      Standard{"Gauss64", Jitter::Gaussian, 50e-9, 64.0, 0.7, 1.2}),
    [](const auto& cell) { return std::string(cell.param.name); });

}  // namespace
}  // namespace gnomon
