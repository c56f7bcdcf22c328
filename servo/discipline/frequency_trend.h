#pragma once

/// `FrequencyTrend`: how our oscillator's frequency goes on when nobody measures it any more.
///
/// The last frequency is the best guess for a random walk, and usually for all there is. But ageing
/// and the daily course of temperature make it drift, which costs drift·t²/2 in holdover; and a
/// frequency that swings within hours is better guessed by its mean. Either guess would be worse
/// than none for a random walk. So they are tried all the time, and believed only when they would
/// have been right.
///
/// The frequencies that were applied are averaged over ten minutes each. Two *guesses* are made of
/// how the mean frequency of the next three hours differs from the last average:
///  * drift: the slope of the least-squares line through the last two hours continues;
///  * mean: it returns to the mean of the last two hours.
/// Every ten minutes the guesses p of three hours ago are compared with the outcome a; Σa², Σp² and
/// Σpa are forgotten over three days. The better guess, scaled by Σpa/Σp² within 0…1, is used when it
/// took at least 40 % off the sum of squares, Σ(a − p)² < 0.6 Σa², over six hours of tests at least.
/// (For a random walk Σ(a − p)² is about 1.9 Σa².)
///
/// Pure; fixed memory.

#include <array>
#include <cstddef>
#include <optional>

#include "servo/units/time_point.h"

namespace gnomon {

class FrequencyTrend {
public:
    /// The clock was updated; `correction` (s/s) is what its frequency takes from now on.
    void add(MonoTime now, double correction) noexcept;

    /// What guesses are scored over, s: nothing is known of them beyond.
    static constexpr double kHorizonS = 18 * 600.0;

    /// How to go on: the correction changes by `jump` at once and by `slope_per_s` from then on, up to
    /// `kHorizonS` after the last update.
    struct Guess {
        double jump = 0.0;         ///< s/s
        double slope_per_s = 0.0;  ///< s/s per s
    };
    /// Empty: no guess is better than the last frequency.
    std::optional<Guess> guess() const noexcept;

private:
    static constexpr double kAverageS = 600.0;
    static constexpr int kWindow = 12;  ///< averages that guesses are made from
    static constexpr int kHorizon =
        static_cast<int>(kHorizonS / kAverageS);  ///< averages they are about
    static constexpr int kStored = kWindow + kHorizon;

    struct Score {
        double squares = 0.0;   ///< Σp²
        double products = 0.0;  ///< Σpa

        void add(double guess, double outcome) noexcept;
        double scale() const noexcept;
        bool is_good(double outcome_squares) const noexcept;
        double remaining(double outcome_squares) const noexcept {
            return outcome_squares - 2.0 * products + squares;
        }
    };

    void finish_average(double value) noexcept;
    void judge() noexcept;
    /// Slope per average, and mean less the newest, of the window that ends `back` before the newest.
    double slope(int back) const noexcept;
    double mean_change(int back) const noexcept;
    /// 0: the newest.
    double average(int back) const noexcept {
        return averages_[static_cast<std::size_t>((newest_ + kStored - back) % kStored)];
    }

    std::array<double, kStored> averages_{};
    int newest_ = 0;
    int count_ = 0;

    std::optional<MonoTime> last_;
    double correction_ = 0.0;
    double sum_ = 0.0;  ///< of the average under way, times seconds
    double seconds_ = 0.0;

    double tests_ = 0.0;
    double outcome_squares_ = 0.0;
    Score drift_;
    Score mean_;
};

}  // namespace gnomon
