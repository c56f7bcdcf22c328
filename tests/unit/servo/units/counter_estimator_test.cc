#include "servo/units/counter_estimator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gnomon {
namespace {

/// A clock over a counter of 2.1 GHz: its rate can be changed and it can be stepped.
class SimulatedClock {
public:
    CounterReading read(double t_s) {
        advance(t_s);
        // The clock is read somewhere within the reading.
        const double width = 40.0 + 60.0 * uniform_(random_);
        const double place = uniform_(random_);
        CounterReading reading;
        reading.before = count_at(t_s);
        reading.system = system_at(t_s + place * width * 1e-9);
        reading.after = count_at(t_s + width * 1e-9);
        return reading;
    }
    void set_rate(double t_s, double deviation) {
        advance(t_s);
        deviation_ = deviation;
    }
    void step(double seconds) { offset_s_ += seconds; }
    std::uint64_t count_at(double t_s) const {
        return 1'000'000'000'000ULL + static_cast<std::uint64_t>(std::llround(t_s * kHz));
    }
    SystemTime system_at(double t_s) const {
        const double local_s = offset_s_ + (t_s - since_s_) * (1.0 + deviation_);
        return SystemTime::from_ns(1'700'000'000'000'000'000 + std::llround(local_s * 1e9));
    }

private:
    static constexpr double kHz = 2.1e9;
    void advance(double t_s) {
        offset_s_ += (t_s - since_s_) * (1.0 + deviation_);
        since_s_ = t_s;
    }
    std::mt19937_64 random_{7};
    std::uniform_real_distribution<double> uniform_{0.0, 1.0};
    double since_s_ = 0.0;
    double offset_s_ = 0.0;
    double deviation_ = 17e-6;
};

double error_ns(const CounterEstimator& estimator, const SimulatedClock& clock, double t_s) {
    return static_cast<double>(
        (estimator.line().to_system(clock.count_at(t_s)) - clock.system_at(t_s)).ns());
}

TEST(CounterEstimator, Line_IsInvalidUntilTheSecondReading) {
    CounterEstimator estimator;
    SimulatedClock clock;
    EXPECT_FALSE(estimator.line().is_valid());
    estimator.add(clock.read(0.0));
    EXPECT_FALSE(estimator.line().is_valid());
    estimator.add(clock.read(0.00005));
    EXPECT_FALSE(estimator.line().is_valid()) << "too short a baseline says nothing of the rate";
    estimator.add(clock.read(0.001));
    EXPECT_TRUE(estimator.line().is_valid());
}

TEST(CounterEstimator, Line_StaysWithinTensOfNanosecondsBetweenReadings) {
    CounterEstimator estimator;
    SimulatedClock clock;
    double worst_ns = 0.0;
    for (int i = 0; i < 200; ++i) {
        const double t_s = i * 0.05;
        estimator.add(clock.read(t_s));
        if (i < 10) continue;
        worst_ns = std::max(worst_ns, std::fabs(error_ns(estimator, clock, t_s + 0.049)));
        EXPECT_LT(std::sqrt(estimator.line().variance_s2), 30e-9);
    }
    EXPECT_LT(worst_ns, 40.0);
    EXPECT_EQ(estimator.surprises(), 0u);
}

TEST(CounterEstimator, AnnouncedSlew_IsFollowedFromTheNextReadingOn) {
    CounterEstimator estimator;
    SimulatedClock clock;
    for (int i = 0; i < 40; ++i) estimator.add(clock.read(i * 0.05));
    clock.set_rate(2.0, 17e-6 + 100e-6);
    estimator.corrected(100e-6);
    estimator.add(clock.read(2.0));
    EXPECT_LT(std::fabs(error_ns(estimator, clock, 2.049)), 100.0);
    EXPECT_EQ(estimator.surprises(), 0u);
}

TEST(CounterEstimator, UnannouncedSlew_IsFoundOutByTheNextReading) {
    CounterEstimator estimator;
    SimulatedClock clock;
    for (int i = 0; i < 40; ++i) estimator.add(clock.read(i * 0.05));
    clock.set_rate(2.0, 17e-6 + 100e-6);
    estimator.add(clock.read(2.05));
    EXPECT_EQ(estimator.surprises(), 1u);
    EXPECT_LT(std::fabs(error_ns(estimator, clock, 2.05)), 60.0);
    estimator.add(clock.read(2.10));
    estimator.add(clock.read(2.15));
    EXPECT_LT(std::fabs(error_ns(estimator, clock, 2.199)), 200.0);
}

TEST(CounterEstimator, Step_IsTakenOverAtOnce) {
    CounterEstimator estimator;
    SimulatedClock clock;
    for (int i = 0; i < 40; ++i) estimator.add(clock.read(i * 0.05));
    clock.step(-3.0);
    estimator.corrected();
    estimator.add(clock.read(2.0));
    EXPECT_LT(std::fabs(error_ns(estimator, clock, 2.01)), 300.0);
}

TEST(CounterEstimator, WideReading_DoesNotMoveTheLine) {
    CounterEstimator estimator;
    SimulatedClock clock;
    for (int i = 0; i < 40; ++i) estimator.add(clock.read(i * 0.05));
    CounterReading interrupted = clock.read(2.0);
    interrupted.after += 1'000'000;  // half a millisecond
    interrupted.system = interrupted.system + Duration::from_us(470);
    estimator.add(interrupted);
    // Off by a quarter of a millisecond within a width of half a millisecond: it weighs nothing.
    EXPECT_LT(std::fabs(error_ns(estimator, clock, 2.01)), 60.0);
}

TEST(CounterEstimator, Narrowest_PicksTheLeastInterrupted) {
    const CounterReading readings[] = {{10, {}, 90}, {100, {}, 140}, {200, {}, 290}};
    EXPECT_EQ(narrowest(readings).before, 100u);
}

}  // namespace
}  // namespace gnomon
