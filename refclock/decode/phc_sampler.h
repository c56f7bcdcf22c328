#pragma once

/// `PhcSampler`: makes one sample out of a burst of readings of a hardware clock, each bracketed by
/// two readings of the system clock.
///
/// The bus delays some readings; the instant of those is uncertain by half the time they took. So
/// the delays of the last polls say what an undisturbed reading takes (between their tenth and
/// twentieth percentile), and only such readings are averaged. When a burst has none, its fastest
/// reading is used if the clock has obviously moved, and is otherwise only a sign of life.
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
    explicit PhcSampler(double precision_s) noexcept : precision_s_(precision_s) {}

    static constexpr int kMaxReadings = 25;

    /// Empty if a reading is nonsense (the system clock was stepped meanwhile). More than
    /// kMaxReadings are not looked at.
    std::optional<RawRefclockSample> combine(std::span<const PhcReading> readings) noexcept;

    /// The system time at which the hardware clock showed `t`, by the readings so far; for stamps of
    /// external events. Empty before there are two samples, and for times far from the last one.
    std::optional<SystemTime> to_system(PhcTime t) const noexcept;

private:
    struct Point {
        SystemTime at;
        Duration offset;  ///< hardware clock − system clock
    };
    static constexpr int kPolls = 64;
    static constexpr int kPoints = 8;

    void learn(std::span<const double> sorted_delays_s) noexcept;
    double typical(const std::array<double, kPolls>& values) const noexcept;
    bool is_surprise(SystemTime at, Duration offset, double error_s) const noexcept;
    void remember(SystemTime at, Duration offset) noexcept;
    /// d(offset)/dt over the stored points; 0 for fewer than two.
    double slope() const noexcept;
    const Point& newest() const noexcept { return points_[point_count_ - 1]; }

    double precision_s_;
    std::array<double, kPolls> low_s_{};   ///< tenth percentile of the delays of a poll
    std::array<double, kPolls> high_s_{};  ///< twentieth
    int polls_ = 0;                        ///< ever
    std::array<Point, kPoints> points_{};  ///< oldest first
    int point_count_ = 0;
};

}  // namespace gnomon
