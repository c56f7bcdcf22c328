#include "dataplane/dpdk/transmit_clock.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

// Medians by sign steps, as TransmitPredictor follows them: a preempted thread must not move them.
void TransmitClock::observe(std::uint64_t counts, std::size_t frames) noexcept {
    constexpr double kGain = 0.05;
    constexpr std::uint32_t kFirst = 8;
    const auto total = static_cast<double>(counts);
    if (frames == 0) return;
    const double count = static_cast<double>(frames);
    if (seen_ < kFirst) {
        // The smallest of the first few is a start that no interruption has touched.
        const double single = frames == 1 ? total : total / count;
        single_ = seen_ == 0 ? single : std::min(single_, single);
        per_frame_ = std::min(per_frame_ == 0.0 ? single_ : per_frame_, total / count);
        ++seen_;
        return;
    }
    if (frames == 1) {
        single_ += std::copysign(single_ * kGain, total - single_);
        return;
    }
    const double each = (total - single_) / (count - 1.0);
    per_frame_ += std::copysign(std::max(per_frame_, 1.0) * kGain, each - per_frame_);
    per_frame_ = std::clamp(per_frame_, 0.0, std::max(single_, total / count));
}

}  // namespace gnomon
