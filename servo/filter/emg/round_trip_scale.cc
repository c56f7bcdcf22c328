#include "servo/filter/emg/round_trip_scale.h"

#include <algorithm>

namespace gnomon {

namespace {

/// Interquartile range of the normal distribution, in standard deviations.
constexpr double kQuartiles = 1.349;
constexpr int kFew = 8;
/// Deviation of the sum of two exponentials over its median's distance from the smallest of a few.
constexpr double kMedianToSd = 1.2;

}  // namespace

void RoundTripScale::add(double round_trip_s) noexcept {
    auto* const begin = sorted_.begin();
    auto* end = begin + count_;
    if (count_ == kWindow) {
        auto* const gone = std::lower_bound(begin, end, ring_[next_]);
        std::move(gone + 1, end, gone);
        --end;
    } else {
        ++count_;
    }
    auto* const place = std::upper_bound(begin, end, round_trip_s);
    std::move_backward(place, end, end + 1);
    *place = round_trip_s;
    ring_[next_] = round_trip_s;
    next_ = (next_ + 1) % kWindow;
}

void RoundTripScale::shift_older(int keep, double by_s) noexcept {
    for (int back = 0; back < count_; ++back) {
        double& value = ring_[(next_ + 2 * kWindow - 1 - back) % kWindow];
        if (back >= keep) value += by_s;
        sorted_[back] = value;
    }
    std::sort(sorted_.begin(), sorted_.begin() + count_);
}

double RoundTripScale::quantile_s(double share) const noexcept {
    const int i = static_cast<int>(share * count_);
    return sorted_[std::clamp(i, 0, std::max(count_ - 1, 0))];
}

double RoundTripScale::min_of_newest_s(int n) const noexcept {
    double least_s = newest(0);
    for (int back = 1; back < std::min(n, count_); ++back)
        least_s = std::min(least_s, newest(back));
    return least_s;
}

double RoundTripScale::sd_s() const noexcept {
    if (count_ < 2) return 0.0;
    if (count_ == 2) return 3.0 * (sorted_[1] - sorted_[0]);
    const double range_s = quantile_s(0.75) - quantile_s(0.25);
    const double sd_s = range_s / kQuartiles * (1.0 + 1.0 / (count_ - 2.0));
    if (count_ >= kFew) return sd_s;
    // Quartiles of so few are next to the ends; one slow exchange must not count.
    const double middle_s = 0.5 * (sorted_[(count_ - 1) / 2] + sorted_[count_ / 2]);
    return std::min(sd_s, kMedianToSd * (1.0 + 1.5 / (count_ - 2.0)) * (middle_s - sorted_[0]));
}

}  // namespace gnomon
