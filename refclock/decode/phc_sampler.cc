#include "refclock/decode/phc_sampler.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

constexpr double kLowQuantile = 0.1;
constexpr double kHighQuantile = 0.2;
constexpr double kHalfStep_s = 0.5e-9;
/// Stamps farther than this from the last reading are not worth converting.
constexpr Duration kMaxReach = Duration::from_s(100);

double quantile(std::span<const double> sorted, double q) noexcept {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size()))];
}

Duration offset_of(const PhcReading& reading) noexcept {
    const Duration half = (reading.after - reading.before) / 2;
    return reading.phc.since_epoch() - (reading.before + half).since_epoch();
}

}  // namespace

std::optional<RawRefclockSample> PhcSampler::combine(
    std::span<const PhcReading> readings) noexcept {
    readings = readings.first(std::min<std::size_t>(readings.size(), kMaxReadings));
    if (readings.empty()) return std::nullopt;
    std::array<double, kMaxReadings> delays_s{};
    for (std::size_t i = 0; i < readings.size(); ++i) {
        delays_s[i] = (readings[i].after - readings[i].before).to_seconds();
        if (delays_s[i] < 0.0) return std::nullopt;
    }
    std::array<double, kMaxReadings> sorted_s = delays_s;
    std::sort(sorted_s.begin(), sorted_s.begin() + readings.size());
    learn(std::span<const double>(sorted_s.data(), readings.size()));

    const double low_s = typical(low_s_) - kHalfStep_s;
    const double high_s = std::max(typical(high_s_) + kHalfStep_s, low_s + precision_s_);
    const SystemTime base = readings[0].before;
    const Duration base_offset = offset_of(readings[0]);
    double delay_s = 0.0;
    double at_s = 0.0;
    double offset_s = 0.0;
    int chosen = 0;
    std::size_t fastest = 0;
    for (std::size_t i = 0; i < readings.size(); ++i) {
        if (delays_s[i] < delays_s[fastest]) fastest = i;
        if (delays_s[i] < low_s || delays_s[i] > high_s) continue;
        delay_s += delays_s[i];
        at_s += (readings[i].before - base).to_seconds() + 0.5 * delays_s[i];
        offset_s += (offset_of(readings[i]) - base_offset).to_seconds();
        ++chosen;
    }

    RawRefclockSample sample;
    if (chosen > 0) {
        sample.at = base + Duration::from_seconds(at_s / chosen);
        sample.offset = base_offset + Duration::from_seconds(offset_s / chosen);
        sample.error_s = 0.5 * delay_s / chosen;
    } else {
        sample.at = readings[fastest].before + Duration::from_seconds(0.5 * delays_s[fastest]);
        sample.offset = offset_of(readings[fastest]);
        sample.error_s = 0.5 * delays_s[fastest];
        sample.usable = is_surprise(sample.at, sample.offset, sample.error_s);
    }
    if (sample.usable) remember(sample.at, sample.offset);
    return sample;
}

void PhcSampler::learn(std::span<const double> sorted_delays_s) noexcept {
    const int slot = polls_ % kPolls;
    low_s_[slot] = quantile(sorted_delays_s, kLowQuantile);
    high_s_[slot] = quantile(sorted_delays_s, kHighQuantile);
    // Wraps to a multiple of the ring, so that it stays full.
    polls_ = polls_ + 1 < 2 * kPolls ? polls_ + 1 : kPolls;
}

double PhcSampler::typical(const std::array<double, kPolls>& values) const noexcept {
    std::array<double, kPolls> sorted = values;
    const int n = std::min(polls_, kPolls);
    std::nth_element(sorted.begin(), sorted.begin() + (n - 1) / 2, sorted.begin() + n);
    return sorted[(n - 1) / 2];
}

bool PhcSampler::is_surprise(SystemTime at, Duration offset, double error_s) const noexcept {
    if (point_count_ < 2) return true;
    const double expected_s = slope() * (at - newest().at).to_seconds();
    const double found_s = (offset - newest().offset).to_seconds();
    return std::fabs(found_s - expected_s) > error_s;
}

void PhcSampler::remember(SystemTime at, Duration offset) noexcept {
    if (point_count_ > 0 && at <= newest().at) point_count_ = 0;
    if (point_count_ == kPoints) {
        std::move(points_.begin() + 1, points_.end(), points_.begin());
        --point_count_;
    }
    points_[point_count_++] = Point{at, offset};
}

double PhcSampler::slope() const noexcept {
    if (point_count_ < 2) return 0.0;
    const double span_s = (newest().at - points_[0].at).to_seconds();
    return (newest().offset - points_[0].offset).to_seconds() / span_s;
}

std::optional<SystemTime> PhcSampler::to_system(PhcTime t) const noexcept {
    if (point_count_ < 2) return std::nullopt;
    const SystemTime nominal = SystemTime() + (t.since_epoch() - newest().offset);
    const Duration since = nominal - newest().at;
    if (abs(since) > kMaxReach) return std::nullopt;
    // offset(at + since) = offset + slope · since
    const double rate = slope();
    return nominal - Duration::from_seconds(since.to_seconds() * rate / (1.0 + rate));
}

}  // namespace gnomon
