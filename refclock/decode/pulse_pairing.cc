#include "refclock/decode/pulse_pairing.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

constexpr double kMaxLockDistance = 0.4;  ///< of the interval

/// Half of what is between one edge and the next, whichever side is the shorter.
bool is_right_edge(const PulseTrain& train, double offset_s, double distance_s) noexcept {
    if (train.width_s <= 0.0) return true;
    const double limit_s = 0.5 * std::min(train.width_s, train.interval_s() - train.width_s);
    return std::fabs(offset_s) <= limit_s && distance_s <= limit_s;
}

}  // namespace

double nearest_pulse_offset(const PulseTrain& train, double offset_s) noexcept {
    const double interval_s = train.interval_s();
    double nearest_s = std::remainder(offset_s, interval_s);
    if (nearest_s >= 0.5 * interval_s) nearest_s -= interval_s;
    return nearest_s;
}

Result<double, PulseDrop> lock_pulse(const PulseTrain& train, UtcTime at, double offset_s,
                                     double error_s, const LockSample& reference) noexcept {
    const double age_s = (at - reference.at).to_seconds();
    if (std::fabs(age_s) >= train.max_lock_age_pulses * train.interval_s()) {
        return Unexpected(PulseDrop::TooOld);
    }
    const double apart_s = reference.offset_s - offset_s;
    const double placed_s = offset_s + std::round(apart_s * train.rate_hz) / train.rate_hz;
    const double left_s = reference.offset_s - placed_s;
    if (!(std::fabs(left_s) + reference.error_s + error_s <=
          kMaxLockDistance * train.interval_s())) {
        return Unexpected(PulseDrop::Ambiguous);
    }
    if (!is_right_edge(train, left_s, 0.0)) return Unexpected(PulseDrop::WrongEdge);
    return placed_s;
}

Result<double, PulseDrop> place_pulse(const PulseTrain& train, double offset_s,
                                      std::optional<double> distance_s) noexcept {
    if (!distance_s) return Unexpected(PulseDrop::NoReference);
    if (!(*distance_s < 0.5 * train.interval_s())) return Unexpected(PulseDrop::Ambiguous);
    if (!is_right_edge(train, offset_s, *distance_s)) return Unexpected(PulseDrop::WrongEdge);
    return offset_s;
}

}  // namespace gnomon
