#include "servo/discipline/temperature.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace gnomon {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

/// Takes the number at the front, and white space before it, off the text.
std::optional<double> take_number(std::string_view& text) noexcept {
    const std::size_t start = std::min(text.find_first_not_of(kSpace), text.size());
    text.remove_prefix(start);
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

constexpr double kPpm = 1e-6;

// Of learning.
constexpr double kAverageS = 600.0;
constexpr double kMaxGapS = 1800.0;
constexpr double kForgetting = 1.0 - 1.0 / 432.0;
constexpr double kMinTests = 72.0;
constexpr double kMaxRemainingError = 0.6;
constexpr double kThousandthsAbove = 1000.0;
constexpr double kMinCelsius = -60.0;
constexpr double kMaxCelsius = 150.0;
constexpr double kMaxJumpCelsius = 20.0;

bool is_in_range(double celsius) noexcept {
    return celsius >= kMinCelsius && celsius <= kMaxCelsius;
}

}  // namespace

std::optional<double> parse_temperature(std::string_view text) noexcept {
    return take_number(text);
}

std::optional<TemperatureCurve> TemperatureCurve::parse_points(std::string_view text) {
    TemperatureCurve curve;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto temperature = take_number(line);
        const auto ppm = temperature ? take_number(line) : std::nullopt;
        if (!ppm) return std::nullopt;
        if (!curve.points_.empty() && !(*temperature > curve.points_.back().temperature)) {
            return std::nullopt;
        }
        curve.points_.push_back({*temperature, *ppm});
    }
    if (curve.points_.size() < 2) return std::nullopt;
    return curve;
}

double TemperatureCurve::compensation(double temperature) const noexcept {
    if (points_.empty()) {
        const double warmer = temperature - t0_;
        return kPpm * (k0_ + warmer * k1_ + warmer * warmer * k2_);
    }
    std::size_t i = 1;
    while (i + 1 < points_.size() && points_[i].temperature < temperature) ++i;
    const Point& a = points_[i - 1];
    const Point& b = points_[i];
    const double share = (temperature - a.temperature) / (b.temperature - a.temperature);
    return kPpm * (a.ppm + share * (b.ppm - a.ppm));
}

double LearnedTemperature::scale(double reading) const noexcept {
    return in_thousandths_ || std::fabs(reading) > kThousandthsAbove ? 1e-3 : 1.0;
}

bool LearnedTemperature::is_plausible(double reading) const noexcept {
    const double unit = scale(reading);
    const auto is_near = [&](const std::optional<double>& other) {
        return other && std::fabs(reading - *other) * unit <= kMaxJumpCelsius;
    };
    return is_in_range(reading * unit) &&
           (!last_reading_ || is_near(last_reading_) || is_near(refused_));
}

double LearnedTemperature::add(MonoTime now, double reading,
                               std::optional<double> correction) noexcept {
    const double unit = scale(reading);
    if (!is_plausible(reading)) {
        if (is_in_range(reading * unit)) refused_ = reading;
        return compensation_;
    }
    if (unit != 1.0 && !in_thousandths_) {
        // What was learned, if anything, was learned in the wrong unit.
        const double compensation = compensation_;
        const auto last = last_reading_;
        *this = LearnedTemperature();
        in_thousandths_ = true;
        compensation_ = compensation;
        last_reading_ = last;
    }
    refused_.reset();
    const double change = last_reading_ ? unit * (reading - *last_reading_) : 0.0;
    last_reading_ = reading;
    if (std::fabs(change) > kMaxJumpCelsius) {
        forget_averages();
    } else {
        const double next = compensation_ + coefficient() * change;
        if (std::fabs(next) <= kMaxTemperatureCompensation) compensation_ = next;
    }
    const double temperature = reading * unit;

    const double elapsed_s = began_ ? (now - *began_).to_seconds() : 0.0;
    if (!correction || !std::isfinite(*correction) || elapsed_s > kMaxGapS || elapsed_s < 0.0) {
        forget_averages();
        return compensation_;
    }
    if (!began_) began_ = now;
    if (elapsed_s >= kAverageS && summed_ > 0) {
        finish_average();
        began_ = now;
    }
    sum_.temperature += temperature;
    sum_.correction += *correction;
    ++summed_;
    return compensation_;
}

void LearnedTemperature::forget_averages() noexcept {
    began_.reset();
    sum_ = {};
    summed_ = 0;
    count_ = 0;
}

void LearnedTemperature::finish_average() noexcept {
    const Average average{sum_.temperature / summed_, sum_.correction / summed_};
    sum_ = {};
    summed_ = 0;
    const std::size_t place = count_ % kLag;
    const Average before = before_[place];
    before_[place] = average;
    if (++count_ <= kLag) return;
    // Kept small; only the remainder and being past the first lag matter.
    if (count_ >= 3 * kLag) count_ -= kLag;

    const double change = average.temperature - before.temperature;
    const double outcome = average.correction - before.correction;
    const double learned = squares_ > 0.0 ? products_ / squares_ : 0.0;
    const double missed = outcome - learned * change;
    tests_ = kForgetting * tests_ + 1.0;
    outcome_squares_ = kForgetting * outcome_squares_ + outcome * outcome;
    remaining_squares_ = kForgetting * remaining_squares_ + missed * missed;
    squares_ = kForgetting * squares_ + change * change;
    products_ = kForgetting * products_ + change * outcome;
}

double LearnedTemperature::coefficient() const noexcept {
    if (tests_ < kMinTests || !(remaining_squares_ < kMaxRemainingError * outcome_squares_)) {
        return 0.0;
    }
    return products_ / squares_;
}

}  // namespace gnomon
