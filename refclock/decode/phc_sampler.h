#pragma once

/// `PhcSampler`: makes one sample out of a burst of readings of a hardware clock, each bracketed by
/// two readings of the system clock.
///
/// Model. A reading (before, phc, after) is two one-sided bounds of the difference θ of the clocks:
///
///     phc − before = θ + D + j₁,   after − phc = D − θ + j₂,   j₁, j₂ ≥ 0
///
/// where D is half of what an undisturbed reading takes and j what the bus and interrupts add on either
/// side. Half their difference m = θ + (j₁ − j₂)/2 is unbiased only if both sides are disturbed alike;
/// half their sum tells how much was added, s = delay − 2D = j₁ + j₂. So:
///
///  * The regression of m on s within the bursts, κ ∈ [−½, ½], says which side is disturbed more, and
///    m − κ s is the best linear combination of the two bounds: at κ = ½ it is `after` alone, at −½
///    `before` alone. κ is learned over many bursts and shrunk to zero while it is not significant.
///  * Given s each split of it is possible; for exponential j each is equally likely, variance s²/12. A
///    reading therefore weighs 1/(r + (1 − 4κ²) s²/12), r being the noise of the clock itself. A burst
///    of clean readings is averaged, of a disturbed one the fast readings count. All are used.
///
/// The variance of the result goes along with it. What is the same in all readings, an asymmetry of D,
/// cannot be seen and is bounded by half the delay (`error_s`).
///
/// A burst without any reading that takes as long as is usual (between the tenth and twentieth
/// percentile of the last polls) is used if the clock has obviously moved, and is otherwise only a sign
/// of life.
///
/// Not thread-safe, never allocates.

#include <array>
#include <optional>
#include <span>

#include "refclock/decode/raw_sample.h"

namespace gnomon {

using PhcTime = TimePoint<Scale::Phc>;

/// With a hardware cross-timestamp `before` and `after` are the same.
struct PhcReading {
    SystemTime before;
    PhcTime phc;
    SystemTime after;
};

class PhcSampler {
public:
    /// `precision_s`: reading precision of the system clock.
    explicit PhcSampler(double precision_s) noexcept
        : precision_s_(precision_s), noise_s2_(precision_s * precision_s) {}

    static constexpr int kMaxReadings = 25;

    /// Empty if a reading is nonsense (the system clock was stepped meanwhile). More than
    /// kMaxReadings are not looked at.
    std::optional<RawRefclockSample> combine(std::span<const PhcReading> readings) noexcept;

    /// The system time at which the hardware clock showed `t`, by the readings so far; for stamps of
    /// external events. Empty before there are two samples, and for times far from the last one.
    std::optional<SystemTime> to_system(PhcTime t) const noexcept;
    /// Whether there is a reading so close to `t` that the rates of the clocks do not matter to what
    /// `to_system` says: while the system clock is steered they are not what they were.
    bool has_reading_near(PhcTime t) const noexcept;

private:
    struct Point {
        SystemTime at;
        Duration offset;  ///< hardware clock − system clock
    };
    static constexpr int kPolls = 64;
    static constexpr int kPoints = 8;

    struct Burst {
        std::span<const PhcReading> readings;
        std::span<const double> delays_s;
        SystemTime base;       ///< times of the burst are relative to this
        Duration base_offset;  ///< and offsets to this
    };
    double excess_s(double delay_s) const noexcept;
    double weight_of(double delay_s) const noexcept;
    RawRefclockSample average(const Burst& burst) noexcept;
    void learn_asymmetry(const Burst& burst) noexcept;
    void learn(std::span<const double> sorted_delays_s) noexcept;
    double typical(const std::array<double, kPolls>& values) const noexcept;
    bool is_surprise(SystemTime at, Duration offset, double error_s) const noexcept;
    void remember(SystemTime at, Duration offset) noexcept;
    /// d(offset)/dt over the stored points; 0 for fewer than two.
    double slope() const noexcept;
    const Point& newest() const noexcept { return points_[point_count_ - 1]; }

    double precision_s_;
    std::array<double, kPolls> low_s_{};    ///< tenth percentile of the delays of a poll
    std::array<double, kPolls> high_s_{};   ///< twentieth
    std::array<double, kPolls> least_s_{};  ///< smallest
    int polls_ = 0;                         ///< ever
    double floor_s_ = 0.0;                  ///< 2D: the smallest of `least_s_`
    double noise_s2_;                       ///< r
    int noise_bursts_ = 0;                  ///< that r was learned from, up to a limit
    double covariance_s2_ = 0.0;            ///< of m and s within bursts, decaying sums
    double delay_variance_s2_ = 0.0;
    double slope_ = 0.0;                   ///< κ
    std::array<Point, kPoints> points_{};  ///< oldest first
    int point_count_ = 0;
};

}  // namespace gnomon
