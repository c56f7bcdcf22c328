#pragma once

/// `RoundTripScale`: how much the round trip varies, robustly: the interquartile range of the last
/// 256 of them over 1.349, which is the standard deviation if they are normal. Outliers do not move
/// it, nor does the wander of the clock, because the clock's error cancels in the round trip.
///
/// Keeps the window sorted: O(256) moves a measurement, no allocation.

#include <array>

namespace gnomon {

class RoundTripScale {
public:
    static constexpr int kWindow = 256;

    void reset() noexcept { count_ = 0; }
    void add(double round_trip_s) noexcept;
    /// The path changed: all but the newest `keep` round trips move by this.
    void shift_older(int keep, double by_s) noexcept;

    int count() const noexcept { return count_; }
    double min_s() const noexcept { return sorted_[0]; }
    double quantile_s(double share) const noexcept;
    /// Smallest of the newest `n` ≤ count().
    double min_of_newest_s(int n) const noexcept;
    /// Standard deviation of the round trip; 0 while there are fewer than two. Larger while there
    /// are few, by what such a range is typically too small.
    double sd_s() const noexcept;

private:
    double newest(int back) const noexcept {
        return ring_[(next_ + 2 * kWindow - 1 - back) % kWindow];
    }

    std::array<double, kWindow> ring_{};
    std::array<double, kWindow> sorted_{};
    int next_ = 0;
    int count_ = 0;
};

}  // namespace gnomon
