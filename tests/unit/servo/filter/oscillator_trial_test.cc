#include "servo/filter/oscillator_trial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace gnomon {
namespace {

/// Two oscillators of random-walk FM, seen from a noisy source.
class World {
public:
    World(double first, double other, double source_noise_s, double reading_noise_s, unsigned seed)
        : wander_{first, other},
          source_noise_s_(source_noise_s),
          reading_noise_s_(reading_noise_s),
          random_(seed) {}

    void feed(OscillatorTrial& trial, int samples) {
        for (int i = 0; i < samples; ++i) {
            // Polls are not quite regular, and the clocks are some ppm apart.
            const double d_s = 1.0 + 0.02 * (uniform_(random_) - 0.5);
            now_s_ += d_s;
            for (int k = 0; k < 2; ++k) {
                const double u = normal_(random_);
                const double v = normal_(random_);
                phase_[k] += frequency_[k] * d_s +
                             wander_[k] * std::pow(d_s, 1.5) * (0.5 * u + v / std::sqrt(12.0));
                frequency_[k] += wander_[k] * std::sqrt(d_s) * u;
            }
            const double noise_s = source_noise_s_ * normal_(random_);
            trial.add(at(), noise_s - phase_[0],
                      noise_s - phase_[1] + reading_noise_s_ * normal_(random_));
        }
    }
    UtcTime at() const {
        return UtcTime::from_ns(1'700'000'000'000'000'000) + Duration::from_seconds(now_s_);
    }
    void set_wander(double first, double other) {
        wander_[0] = first;
        wander_[1] = other;
    }
    /// The system clock alone is put forward and accelerated.
    ClockAdjustment adjust(double offset_s, double frequency) {
        phase_[0] += offset_s;
        frequency_[0] += frequency;
        ClockAdjustment adjustment;
        adjustment.at = at();
        adjustment.offset_change_s = offset_s;
        adjustment.frequency_change = frequency;
        return adjustment;
    }

private:
    double wander_[2];
    double source_noise_s_;
    double reading_noise_s_;
    double now_s_ = 0.0;
    double phase_[2] = {0.0, 0.0};
    double frequency_[2] = {0.0, 1e-5};
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::uniform_real_distribution<double> uniform_;
};

TEST(OscillatorTrial, ASteadierOscillatorIsFoundThroughANoisySource) {
    int found = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        World world(1e-9, 1e-11, 5e-8, 1e-8, seed);
        OscillatorTrial trial;
        world.feed(trial, 1500);
        if (trial.weight() > 0.5) ++found;
    }
    EXPECT_GE(found, 18);
}

TEST(OscillatorTrial, AWorseOneIsLeftAlone) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        World world(1e-9, 1e-8, 5e-8, 1e-8, seed);
        OscillatorTrial trial;
        for (int i = 0; i < 40; ++i) {
            world.feed(trial, 100);
            EXPECT_LT(trial.weight(), 0.2) << "seed " << seed << " after " << i;
        }
    }
}

TEST(OscillatorTrial, TwoEqualOnesGetHalfAtMost) {
    double sum = 0.0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        World world(3e-9, 3e-9, 5e-8, 1e-8, seed);
        OscillatorTrial trial;
        world.feed(trial, 5000);
        EXPECT_LT(trial.weight(), 0.8);
        sum += trial.weight();
    }
    EXPECT_LT(sum / 20.0, 0.55);
    EXPECT_GT(sum / 20.0, 0.2);
}

TEST(OscillatorTrial, ASourceThatIsTooNoisyDecidesNothing) {
    int decided = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        World world(1e-10, 1e-10, 1e-4, 1e-8, seed);
        OscillatorTrial trial;
        world.feed(trial, 4000);
        if (trial.weight() > 0.0) ++decided;
    }
    EXPECT_LE(decided, 1);
}

TEST(OscillatorTrial, AnOscillatorThatBecomesWorseIsDropped) {
    World world(1e-9, 1e-11, 5e-8, 1e-8, 3);
    OscillatorTrial trial;
    world.feed(trial, 3000);
    ASSERT_GT(trial.weight(), 0.5);
    world.set_wander(1e-9, 3e-8);
    world.feed(trial, 1000);
    EXPECT_LT(trial.weight(), 0.1);
}

TEST(OscillatorTrial, AdjustmentsOfOurClockAreNotItsWander) {
    World plain(1e-11, 1e-9, 5e-8, 1e-8, 5);
    World adjusted(1e-11, 1e-9, 5e-8, 1e-8, 5);
    OscillatorTrial trial;
    OscillatorTrial with;
    for (int i = 0; i < 60; ++i) {
        plain.feed(trial, 25);
        adjusted.feed(with, 25);
        with.adjust(adjusted.adjust(i % 2 == 0 ? 2e-6 : -1e-6, i % 3 == 0 ? 1e-7 : -5e-8));
        EXPECT_NEAR(trial.weight(), with.weight(), 0.05);
    }
    EXPECT_EQ(with.weight(), 0.0);
}

TEST(OscillatorTrial, AnotherSourceKeepsWhatWasLearned) {
    World world(1e-9, 1e-11, 5e-8, 1e-8, 1);
    OscillatorTrial trial;
    world.feed(trial, 2000);
    const double before = trial.weight();
    ASSERT_GT(before, 0.5);
    trial.change_source();
    World other(1e-9, 1e-11, 5e-8, 1e-8, 2);
    EXPECT_EQ(trial.weight(), before);
    for (int i = 0; i < 30; ++i) {
        other.feed(trial, 1);
        EXPECT_NEAR(trial.weight(), before, 0.1);
    }
    trial.reset();
    EXPECT_EQ(trial.weight(), 0.0);
}

TEST(OscillatorTrial, NonsenseIsHarmless) {
    OscillatorTrial trial;
    std::mt19937_64 random(11);
    const double values[] = {0.0,   1e-9,
                             -1.0,  1e9,
                             1e300, std::numeric_limits<double>::infinity(),
                             1e-3,  std::numeric_limits<double>::quiet_NaN()};
    for (int i = 0; i < 20000; ++i) {
        const auto at = UtcTime::from_ns(i % 3 == 0 ? static_cast<std::int64_t>(random())
                                                    : 1'000'000'000LL * i);
        trial.add(at, values[random() % 8], values[random() % 8]);
        EXPECT_TRUE(trial.weight() >= 0.0 && trial.weight() <= 1.0);
    }
}

}  // namespace
}  // namespace gnomon
