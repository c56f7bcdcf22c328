#include "servo/units/counter_estimator.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

constexpr Duration kShortestBaseline = Duration::from_us(100);
constexpr double kWidest_ns = 1e6;
/// Standard deviations off the line that are no accident.
constexpr double kSurprise = 6.0;

/// Uniform within the reading.
double width_variance_s2(double width_ns) noexcept { return width_ns * width_ns * 1e-18 / 12.0; }

}  // namespace

const CounterReading& narrowest(std::span<const CounterReading> readings) noexcept {
    return *std::min_element(
        readings.begin(), readings.end(),
        [](const CounterReading& a, const CounterReading& b) { return a.width() < b.width(); });
}

void CounterEstimator::start(const CounterReading& reading) noexcept {
    const auto counts = static_cast<std::int64_t>(reading.middle() - first_.middle());
    const Duration elapsed = reading.system - first_.system;
    if (counts <= 0 || elapsed < kShortestBaseline) {
        // A clock that went backwards begins a new story.
        if (counts <= 0 || elapsed < Duration::zero()) first_ = reading;
        return;
    }
    line_.epoch = reading.middle();
    line_.system = reading.system;
    line_.ns_per_count = static_cast<double>(elapsed.ns()) / static_cast<double>(counts);
    const double noise = options_.reading_sd_s * options_.reading_sd_s;
    p00_ = width_variance_s2(static_cast<double>(reading.width()) * line_.ns_per_count) + noise;
    const double first =
        width_variance_s2(static_cast<double>(first_.width()) * line_.ns_per_count) + noise;
    const double span_s = elapsed.to_seconds();
    p01_ = p00_ / span_s;
    p11_ = (p00_ + first) / (span_s * span_s);
    publish();
}

void CounterEstimator::corrected(double rate_change) noexcept {
    if (!line_.is_valid()) {
        has_first_ = false;
        return;
    }
    line_.ns_per_count *= 1.0 + rate_change;
    corrected_ = true;
}

void CounterEstimator::add(const CounterReading& reading) noexcept {
    if (!has_first_) {
        first_ = reading;
        has_first_ = true;
        return;
    }
    if (!line_.is_valid()) {
        start(reading);
        return;
    }
    const auto counts = static_cast<std::int64_t>(reading.middle() - line_.epoch);
    const double width_ns = static_cast<double>(reading.width()) * line_.ns_per_count;
    if (counts <= 0 || width_ns > kWidest_ns) return;
    const double dt_s = static_cast<double>(counts) * line_.ns_per_count * 1e-9;
    const double noise =
        width_variance_s2(width_ns) + options_.reading_sd_s * options_.reading_sd_s;

    const double q = options_.rate_wander * options_.rate_wander;
    p00_ += dt_s * (2.0 * p01_ + dt_s * p11_) + q * dt_s * dt_s * dt_s / 3.0;
    p01_ += dt_s * p11_ + q * dt_s * dt_s / 2.0;
    p11_ += q * dt_s;

    const SystemTime predicted = line_.to_system(reading.middle());
    const double innovation_s = (reading.system - predicted).to_seconds();
    const bool surprise = innovation_s * innovation_s > kSurprise * kSurprise * (p00_ + noise);
    if (corrected_ || surprise) {
        if (!corrected_) ++surprises_;
        corrected_ = false;
        // Where the clock is, the reading says. What its rate is now the next ones will.
        line_.epoch = reading.middle();
        line_.system = reading.system;
        p00_ = noise;
        p01_ = 0.0;
        p11_ = options_.correction * options_.correction / 9.0;
        publish();
        return;
    }
    const double s = p00_ + noise;
    const double k0 = p00_ / s;
    const double k1 = p01_ / s;
    line_.epoch = reading.middle();
    line_.system = predicted + Duration::from_seconds(k0 * innovation_s);
    line_.ns_per_count *= 1.0 + k1 * innovation_s;
    p11_ -= k1 * p01_;
    p01_ *= 1.0 - k0;
    p00_ *= 1.0 - k0;
    publish();
}

void CounterEstimator::publish() noexcept {
    line_.variance_s2 = p00_;
    line_.drift = std::sqrt(std::max(p11_, 0.0));
}

}  // namespace gnomon
