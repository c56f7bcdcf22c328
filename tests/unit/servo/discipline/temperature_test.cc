#include "servo/discipline/temperature.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace gnomon {
namespace {

TEST(Temperature, IsTheNumberAFileBeginsWith) {
    EXPECT_EQ(parse_temperature("45250\n"), 45250.0);
    EXPECT_EQ(parse_temperature("  -12.5 C"), -12.5);
    EXPECT_EQ(parse_temperature("+3e1"), 30.0);
    for (const char* bad : {"", "\n", "warm", "nan", "inf", "1e999", "-", "+", ".", "\xff\xfe"}) {
        EXPECT_FALSE(parse_temperature(bad)) << bad;
    }
}

TEST(TemperatureCurve, IsAParabola) {
    const TemperatureCurve curve(26000.0, 1.0, 0.000183, 1e-8);
    EXPECT_NEAR(curve.compensation(26000.0), 1e-6, 1e-15);
    EXPECT_NEAR(curve.compensation(27000.0), (1.0 + 0.183 + 0.01) * 1e-6, 1e-15);
}

TEST(TemperatureCurve, GoesStraightBetweenPointsAndBeyondThem) {
    const auto curve = TemperatureCurve::parse_points("20 1.0\n30 2.0\n40 0.0\n");
    ASSERT_TRUE(curve);
    EXPECT_NEAR(curve->compensation(25.0), 1.5e-6, 1e-15);
    EXPECT_NEAR(curve->compensation(35.0), 1.0e-6, 1e-15);
    EXPECT_NEAR(curve->compensation(10.0), 0.0, 1e-15);
    EXPECT_NEAR(curve->compensation(50.0), -2.0e-6, 1e-15);
}

TEST(TemperatureCurve, RefusesPointsThatAreNone) {
    for (const char* bad : {"", "20 1.0\n", "20 1.0\n20 2.0\n", "30 1.0\n20 2.0\n", "20\n30 1\n",
                            "20 1\nx 2\n", "20 1\n\n30 2\n", "20 nan\n30 1\n"}) {
        EXPECT_FALSE(TemperatureCurve::parse_points(bad)) << bad;
    }
}

constexpr double kReadS = 64.0;

/// Days of readings beside the correction that `course` gives for a temperature and a time. Returns
/// the last compensation.
double live(LearnedTemperature& learned, double days,
            const std::function<double(double, double)>& course, double scale = 1.0) {
    double compensation = 0.0;
    for (double t = 0.0; t < days * 86400.0; t += kReadS) {
        const double temperature = 40.0 + 5.0 * std::sin(2.0 * M_PI * t / 20000.0);
        compensation = learned.add(MonoTime() + Duration::from_seconds(t), scale * temperature,
                                   course(temperature, t));
    }
    return compensation;
}

TEST(LearnedTemperature, FindsTheCoefficientOfEitherUnit) {
    for (const double scale : {1.0, 1000.0}) {
        LearnedTemperature learned;
        std::mt19937_64 generator(3);
        std::normal_distribution<double> normal;
        double walk = 1e-5;
        const double compensation = live(
            learned, 2.0,
            [&](double temperature, double) {
                walk += 1e-10 * std::sqrt(kReadS) * normal(generator);
                return walk - 2e-8 * temperature;
            },
            scale);
        EXPECT_NEAR(learned.coefficient(), -2e-8, 1e-9);
        EXPECT_NE(compensation, 0.0);
        EXPECT_LT(std::fabs(compensation), 3e-7);
    }
}

TEST(LearnedTemperature, LeavesAnOscillatorAloneThatDoesNotCare) {
    int believed = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        LearnedTemperature learned;
        std::mt19937_64 generator(seed);
        std::normal_distribution<double> normal;
        double walk = 0.0;
        live(learned, 2.0, [&](double, double) {
            walk += 1e-9 * std::sqrt(kReadS) * normal(generator);
            return walk;
        });
        believed += learned.coefficient() != 0.0;
    }
    EXPECT_EQ(believed, 0);
}

TEST(LearnedTemperature, IgnoresAbsurdReadings) {
    LearnedTemperature learned;
    const auto course = [](double temperature, double) { return 1e-5 - 2e-8 * temperature; };
    const double before = live(learned, 2.0, course);
    const double coefficient = learned.coefficient();
    const MonoTime then = MonoTime() + Duration::from_seconds(2.0 * 86400.0);
    for (const double bad : {1e9, -1e9, 500.0, -273.15, 200e3, std::nan(""),
                             std::numeric_limits<double>::infinity()}) {
        EXPECT_FALSE(learned.is_plausible(bad));
        EXPECT_EQ(learned.add(then, bad, 1e-5), before);
    }
    EXPECT_EQ(learned.coefficient(), coefficient);
}

TEST(LearnedTemperature, GoesOnWhileNobodyMeasures) {
    LearnedTemperature learned;
    const double before =
        live(learned, 2.0, [](double temperature, double) { return 1e-5 - 2e-8 * temperature; });
    const MonoTime then = MonoTime() + Duration::from_seconds(2.0 * 86400.0);
    const double cold = learned.add(then, 35.0, std::nullopt);
    const double warm = learned.add(then + Duration::from_s(64), 45.0, std::nullopt);
    EXPECT_NEAR(warm - cold, -2e-7, 2e-8);
    EXPECT_NE(cold, before);
}

const auto kSensitive = [](double temperature, double) { return 1e-5 - 2e-8 * temperature; };
const MonoTime kAfter = MonoTime() + Duration::from_seconds(2.0 * 86400.0);

TEST(LearnedTemperature, KeepsTheUnitNearFreezing) {
    LearnedTemperature learned;
    live(learned, 2.0, kSensitive, 1000.0);
    learned.add(kAfter, 25'000.0, std::nullopt);
    learned.add(kAfter, 10'000.0, std::nullopt);
    const double before = learned.add(kAfter, 1001.0, std::nullopt);
    EXPECT_TRUE(learned.is_plausible(100.0));
    EXPECT_NEAR(learned.add(kAfter, 100.0, std::nullopt) - before, 2e-8 * 0.901, 2e-9);
    // 0.5 °C, which would be 500 in the other unit.
    EXPECT_TRUE(learned.is_plausible(500.0));
}

TEST(LearnedTemperature, RecognisesThousandthsThatBeganNearFreezing) {
    LearnedTemperature learned;
    learned.add(MonoTime(), 100.0, std::nullopt);
    EXPECT_TRUE(learned.is_plausible(1001.0));
    live(learned, 2.0, kSensitive, 1000.0);
    EXPECT_NEAR(learned.coefficient(), -2e-8, 1e-9);
}

TEST(LearnedTemperature, RefusesAJumpButNotForEver) {
    LearnedTemperature learned;
    live(learned, 2.0, kSensitive);
    const double before = learned.add(kAfter, 40.0, std::nullopt);
    EXPECT_FALSE(learned.is_plausible(61.0));
    EXPECT_EQ(learned.add(kAfter, 61.0, std::nullopt), before);
    // One outlier leaves no trace.
    EXPECT_TRUE(learned.is_plausible(40.0));
    EXPECT_EQ(learned.add(kAfter, 40.0, std::nullopt), before);
    // What stays is believed, and goes on from there without a jump of the frequency.
    EXPECT_EQ(learned.add(kAfter, 61.0, std::nullopt), before);
    EXPECT_TRUE(learned.is_plausible(61.0));
    EXPECT_EQ(learned.add(kAfter, 61.0, std::nullopt), before);
    EXPECT_NEAR(learned.add(kAfter, 62.0, std::nullopt) - before, -2e-8, 2e-9);
}

TEST(LearnedTemperature, IsNotTakenInByThousandsFromASensorOfDegrees) {
    LearnedTemperature learned;
    live(learned, 2.0, kSensitive);
    learned.add(kAfter, 40.0, std::nullopt);
    EXPECT_FALSE(learned.is_plausible(85'000.0));
    learned.add(kAfter, 85'000.0, std::nullopt);
    const double before = learned.add(kAfter, 40.0, std::nullopt);
    EXPECT_NEAR(learned.add(kAfter, 41.0, std::nullopt) - before, -2e-8, 2e-9);
}

}  // namespace
}  // namespace gnomon
