#include "servo/filter/hard_interval.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

/// 99.9 % of a normal distribution.
constexpr double kWanderSigmas = 3.29;

HardInterval interval_of(const SampleHistory& history, const Sample& sample, UtcTime at,
                         double wander) noexcept {
    const double age_s = std::max((at - sample.at).to_seconds(), 0.0);
    const HistoryLine& line = history.line();
    const double center = history.has_line() ? line.frequency : 0.0;
    double low = center - line.skew;
    double high = center + line.skew;
    if (sample.torn) {
        low = std::min(low, sample.least_frequency);
        high = std::max(high, sample.largest_frequency);
    }
    const double unnoticed_s = std::max(age_s * history.config().max_clock_error,
                                        kWanderSigmas * wander * age_s * std::sqrt(age_s / 3.0));
    const double half_s = 0.5 * sample.root_delay_s + sample.root_dispersion_s + unnoticed_s;
    return {sample.offset_s + age_s * low - half_s, sample.offset_s + age_s * high + half_s};
}

}  // namespace

double HardInterval::bound_s(double estimate_s) const noexcept {
    return std::max(high_s - estimate_s, estimate_s - low_s);
}

std::optional<HardInterval> hard_interval(const SampleHistory& history, UtcTime at,
                                          double wander) noexcept {
    if (history.empty()) return std::nullopt;
    const HardInterval newest = interval_of(history, history.newest(), at, wander);
    HardInterval all = newest;
    for (int i = 0; i < history.count(); ++i) {
        const HardInterval one = interval_of(history, history.sample(i), at, wander);
        all.low_s = std::max(all.low_s, one.low_s);
        all.high_s = std::min(all.high_s, one.high_s);
    }
    return all.low_s <= all.high_s ? all : newest;
}

}  // namespace gnomon
