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
/// In this time a slew of 1 ppm, not yet known, makes 20 ns.
constexpr Duration kNear = Duration::from_ms(20);
/// A burst is short; a rate beyond this was not measured but made by a step.
constexpr double kMaxRate = 1e-3;
/// Of the variance of a split that is left where one side is clean.
constexpr double kLeastSplit = 0.05;
constexpr double kLeastWeight = 1e-3;
constexpr int kScatterReadings = 4;
constexpr int kNoiseMemory = 64;  ///< bursts
constexpr double kMinNoise_s2 = 1e-18 / 12.0;
constexpr double kMaxNoise_s2 = 1e-6;
constexpr double kAsymmetryMemory = 0.99;  ///< per burst
constexpr double kUsualDelays = 20.0;
constexpr double kSlopePrior_2 = 0.25 * 0.25;

double quantile(std::span<const double> sorted, double q) noexcept {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size()))];
}

Duration offset_of(const PhcReading& reading) noexcept {
    const Duration half = (reading.after - reading.before) / 2;
    return reading.phc.since_epoch() - (reading.before + half).since_epoch();
}

}  // namespace

double PhcSampler::excess_s(double delay_s) const noexcept {
    return std::max(delay_s - floor_s_, 0.0);
}

double PhcSampler::weight_of(double delay_s) const noexcept {
    const double split = std::max(1.0 - 4.0 * slope_ * slope_, kLeastSplit);
    const double s = excess_s(delay_s);
    return 1.0 / (noise_s2_ + split * s * s / 12.0);
}

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
    bool ordinary = false;
    std::size_t fastest = 0;
    for (std::size_t i = 0; i < readings.size(); ++i) {
        if (delays_s[i] < delays_s[fastest]) fastest = i;
        ordinary = ordinary || (delays_s[i] >= low_s && delays_s[i] <= high_s);
    }

    RawRefclockSample sample;
    if (ordinary) {
        const Burst burst{readings,
                          {delays_s.data(), readings.size()},
                          readings[0].before,
                          offset_of(readings[0])};
        learn_asymmetry(burst);
        sample = average(burst);
    } else {
        sample.at = readings[fastest].before + Duration::from_seconds(0.5 * delays_s[fastest]);
        sample.offset = offset_of(readings[fastest]);
        sample.error_s = 0.5 * delays_s[fastest];
        sample.variance_s2 = 1.0 / weight_of(delays_s[fastest]);
        sample.usable = is_surprise(sample.at, sample.offset, sample.error_s);
    }
    if (sample.usable) remember(sample.at, sample.offset);
    return sample;
}

RawRefclockSample PhcSampler::average(const Burst& burst) noexcept {
    double most = 0.0;
    for (const double delay_s : burst.delays_s) most = std::max(most, weight_of(delay_s));
    const double rate = std::clamp(slope(), -kMaxRate, kMaxRate);
    double sum = 0.0;
    double delay_s = 0.0;
    double at_s = 0.0;
    double offset_s = 0.0;
    double level_s = 0.0;    // without what the clocks drift apart meanwhile
    double square_s2 = 0.0;  // of that
    int count = 0;
    for (std::size_t i = 0; i < burst.readings.size(); ++i) {
        const double weight = weight_of(burst.delays_s[i]) / most;
        // Its rounding errors would be worth more than it.
        if (weight < kLeastWeight) continue;
        const PhcReading& reading = burst.readings[i];
        const double t = (reading.before - burst.base).to_seconds() + 0.5 * burst.delays_s[i];
        const double m =
            (reading.phc.since_epoch() - reading.before.since_epoch() - burst.base_offset)
                .to_seconds() -
            0.5 * burst.delays_s[i] - slope_ * excess_s(burst.delays_s[i]);
        sum += weight;
        delay_s += weight * burst.delays_s[i];
        at_s += weight * t;
        offset_s += weight * m;
        level_s += weight * (m - rate * t);
        square_s2 += weight * (m - rate * t) * (m - rate * t);
        ++count;
    }
    RawRefclockSample sample;
    sample.at = burst.base + Duration::from_seconds(at_s / sum);
    sample.offset = burst.base_offset + Duration::from_seconds(offset_s / sum);
    sample.error_s = 0.5 * delay_s / sum;
    if (count >= kScatterReadings) {
        // Mean square of the residuals over what the weights promise.
        const double scatter =
            std::max(square_s2 - level_s * level_s / sum, 0.0) * most / (count - 1);
        if (noise_bursts_ < kNoiseMemory) ++noise_bursts_;
        const double factor = 1.0 + (std::clamp(scatter, 0.01, 100.0) - 1.0) / noise_bursts_;
        noise_s2_ = std::clamp(noise_s2_ * factor, kMinNoise_s2, kMaxNoise_s2);
    }
    sample.variance_s2 = 1.0 / (sum * most);
    return sample;
}

void PhcSampler::learn_asymmetry(const Burst& burst) noexcept {
    const double rate = std::clamp(slope(), -kMaxRate, kMaxRate);
    const double n = static_cast<double>(burst.readings.size());
    // Readings far beyond the others tell of rare events, not of the usual split.
    const double limit_s = kUsualDelays * std::max(typical(high_s_) - floor_s_, kHalfStep_s);
    double s_sum = 0.0, m_sum = 0.0, ss = 0.0, sm = 0.0, used = 0.0;
    for (std::size_t i = 0; i < burst.readings.size(); ++i) {
        const PhcReading& reading = burst.readings[i];
        const double s = excess_s(burst.delays_s[i]);
        if (s > limit_s) continue;
        const double t = (reading.before - burst.base).to_seconds() + 0.5 * burst.delays_s[i];
        const double m =
            (reading.phc.since_epoch() - reading.before.since_epoch() - burst.base_offset)
                .to_seconds() -
            0.5 * burst.delays_s[i] - rate * t;
        used += 1.0;
        s_sum += s;
        m_sum += m;
        ss += s * s;
        sm += s * m;
    }
    if (used < 0.5 * n || used < kScatterReadings) return;
    covariance_s2_ = kAsymmetryMemory * covariance_s2_ + (sm - s_sum * m_sum / used);
    delay_variance_s2_ = kAsymmetryMemory * delay_variance_s2_ + (ss - s_sum * s_sum / used);
    // Ridge: a slope of a quarter is the prior, its observation has variance r / Σs².
    const double slope = covariance_s2_ / (delay_variance_s2_ + noise_s2_ / kSlopePrior_2);
    slope_ = std::clamp(slope, -0.5, 0.5);
}

void PhcSampler::learn(std::span<const double> sorted_delays_s) noexcept {
    const int slot = polls_ % kPolls;
    low_s_[slot] = quantile(sorted_delays_s, kLowQuantile);
    high_s_[slot] = quantile(sorted_delays_s, kHighQuantile);
    least_s_[slot] = sorted_delays_s.front();
    // Wraps to a multiple of the ring, so that it stays full.
    polls_ = polls_ + 1 < 2 * kPolls ? polls_ + 1 : kPolls;
    floor_s_ = *std::min_element(least_s_.begin(), least_s_.begin() + std::min(polls_, kPolls));
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

bool PhcSampler::has_reading_near(PhcTime t) const noexcept {
    if (point_count_ < 2) return false;
    const SystemTime nominal = SystemTime() + (t.since_epoch() - newest().offset);
    return abs(nominal - newest().at) <= kNear;
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
