#include "servo/filter/hard_interval.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

HardInterval interval_of(const Sample& sample, const HistoryLine& line, bool has_line,
                         double max_clock_error, UtcTime at) noexcept {
    const double age_s = (at - sample.at).to_seconds();
    const double carried_s = sample.offset_s + (has_line ? age_s * line.frequency : 0.0);
    const double half_s = 0.5 * sample.root_delay_s + sample.root_dispersion_s +
                          std::fabs(age_s) * (line.skew + max_clock_error);
    return {carried_s - half_s, carried_s + half_s};
}

}  // namespace

double HardInterval::bound_s(double estimate_s) const noexcept {
    return std::max(high_s - estimate_s, estimate_s - low_s);
}

std::optional<HardInterval> hard_interval(const SampleHistory& history, UtcTime at) noexcept {
    if (history.empty()) return std::nullopt;
    const double max_clock_error = history.config().max_clock_error;
    const HardInterval newest =
        interval_of(history.newest(), history.line(), history.has_line(), max_clock_error, at);
    HardInterval all = newest;
    for (int i = 0; i < history.count(); ++i) {
        const HardInterval one =
            interval_of(history.sample(i), history.line(), history.has_line(), max_clock_error, at);
        all.low_s = std::max(all.low_s, one.low_s);
        all.high_s = std::min(all.high_s, one.high_s);
    }
    return all.low_s <= all.high_s ? all : newest;
}

}  // namespace gnomon
