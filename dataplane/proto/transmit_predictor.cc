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

Duration TransmitPredictor::predict(Lane lane, std::size_t position) const noexcept {
    position = std::min(position, kPositions - 1);
    const Tracker* tracker = nearest(lane, position);
    // A signed packet takes longer than a plain one, never shorter.
    if (tracker == nullptr && lane == Lane::Signed) tracker = nearest(Lane::Plain, position);
    if (tracker == nullptr) return Duration::zero();
    return Duration::from_ns(std::llround(tracker->median_ns));
}

void TransmitPredictor::observe(Lane lane, std::size_t position, Duration delay) noexcept {
    if (delay < Duration::zero() || delay.to_seconds() > kMaxDelayS) return;
    Tracker& tracker =
        trackers_[static_cast<std::size_t>(lane)][std::min(position, kPositions - 1)];
    const auto ns = static_cast<double>(delay.ns());
    if (tracker.count == 0) {
        tracker.median_ns = ns;
        tracker.spread_ns = ns * 0.25;
    } else {
        const double error = ns - tracker.median_ns;
        // Robbins–Monro on the sign: the fixed point is the median. The gain falls to a level that
        // still follows a change of load within some hundred packets.
        const double gain = std::max(2.0 / (tracker.count + 1.0), 0.05);
        const double bounded = std::min(std::fabs(error), 3.0 * tracker.spread_ns + 10.0);
        tracker.median_ns += std::copysign(std::max(tracker.spread_ns, 5.0) * gain, error);
        tracker.spread_ns += (bounded - tracker.spread_ns) * 0.05;
        tracker.median_ns = std::clamp(tracker.median_ns, 0.0, kMaxDelayS * 1e9);
    }
    if (tracker.count < 1'000'000) ++tracker.count;
}

}  // namespace gnomon
