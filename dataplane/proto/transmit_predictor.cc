#include "dataplane/proto/transmit_predictor.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

const TransmitPredictor::Tracker* TransmitPredictor::nearest(Lane lane,
                                                             std::size_t position) const noexcept {
    const auto& trackers = trackers_[static_cast<std::size_t>(lane)];
    // Outwards from the wanted position: a neighbour is off by one packet's cost at most.
    for (std::size_t distance = 0; distance < kPositions; ++distance) {
        if (position >= distance && trackers[position - distance].count >= kEnough) {
            return &trackers[position - distance];
        }
        if (position + distance < kPositions && trackers[position + distance].count >= kEnough) {
            return &trackers[position + distance];
        }
    }
    return nullptr;
}

void TransmitPredictor::choose_trackers() noexcept {
    for (std::size_t position = 0; position < kPositions; ++position) {
        const Tracker* plain = nearest(Lane::Plain, position);
        const Tracker* with_mac = nearest(Lane::Signed, position);
        chosen_[static_cast<std::size_t>(Lane::Plain)][position] = plain;
        // A signed packet takes longer than a plain one, never shorter.
        chosen_[static_cast<std::size_t>(Lane::Signed)][position] =
            with_mac != nullptr ? with_mac : plain;
    }
}

void TransmitPredictor::observe(Lane lane, std::size_t position, Duration delay) noexcept {
    if (delay < Duration::zero() || delay.to_seconds() > kMaxDelayS) return;
    Tracker& tracker =
        trackers_[static_cast<std::size_t>(lane)][std::min(position, kPositions - 1)];
    const auto ns = static_cast<double>(delay.ns());
    if (tracker.count < kFirst) {
        tracker.start(ns);
        if (tracker.count == kEnough) choose_trackers();
    } else {
        tracker.follow(ns);
    }
    tracker.predicted_ns = std::llround(tracker.median_ns);
    if (lane == Lane::Plain && position == 0 && tracker.count >= kEnough) {
        const double doubt_s = std::max(2.0 * tracker.spread_ns, 1.0) * 1e-9;
        precision_ = static_cast<std::int8_t>(std::ilogb(doubt_s) + 1);
    }
}

void TransmitPredictor::Tracker::start(double ns) noexcept {
    first_ns[count++] = static_cast<float>(ns);
    std::array<float, kFirst> sorted = first_ns;
    const auto end = sorted.begin() + count;
    std::sort(sorted.begin(), end);
    median_ns = static_cast<double>(sorted[count / 2]);
    double deviations = 0.0;
    for (auto value = sorted.begin(); value != end; ++value) {
        deviations += std::min(std::fabs(static_cast<double>(*value) - median_ns), median_ns);
    }
    spread_ns = deviations / count;
}

// Robbins–Monro on the sign: the fixed point is the median. The gain is a compromise between noise
// and following a change of load within some hundred packets.
void TransmitPredictor::Tracker::follow(double ns) noexcept {
    constexpr double kGain = 0.04;
    const double error = ns - median_ns;
    const double bounded = std::min(std::fabs(error), 3.0 * spread_ns + 10.0);
    median_ns += std::copysign(std::max(spread_ns, 5.0) * kGain, error);
    median_ns = std::clamp(median_ns, 0.0, kMaxDelayS * 1e9);
    spread_ns += (bounded - spread_ns) * kGain;
}

}  // namespace gnomon
