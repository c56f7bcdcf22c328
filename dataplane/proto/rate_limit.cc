#include "dataplane/proto/rate_limit.h"

#include <bit>

namespace gnomon {

TokenBucketScale::TokenBucketScale(const RateLimit& limit) noexcept {
    if (!limit.enabled) return;
    const int interval =
        std::clamp(limit.interval, RateLimit::kMinInterval, RateLimit::kMaxInterval);
    auto burst = static_cast<unsigned>(std::clamp(limit.burst, 1, 255));
    leak_ = std::clamp(limit.leak, 1, 4);
    kod_ = std::clamp(limit.kod, 0, 4);

    // One response costs the tokens of one interval. Long intervals need fewer tokens per tick to
    // fit into 16 bits; intervals below a tick need several tokens per tick.
    const int ticks_log2 = interval + kTickBits;
    if (ticks_log2 >= 0) {
        while (shift_ < ticks_log2 && (burst << (ticks_log2 - shift_)) > 0xffffU) ++shift_;
        per_response_ = static_cast<std::uint16_t>(1U << (ticks_log2 - shift_));
    } else {
        shift_ = ticks_log2;
        per_response_ = 1;
        burst = std::max(burst, 1U << -ticks_log2);
    }
    capacity_ = static_cast<std::uint16_t>(per_response_ * burst);
}

std::uint16_t TokenBucketScale::refill(std::uint16_t tokens, std::uint32_t before,
                                       std::uint32_t now) const noexcept {
    std::uint64_t gained = 0;
    if (shift_ >= 0) {
        // Shifted before they are subtracted: what is lost by the shift once is found later.
        gained = (now >> shift_) - (before >> shift_);
    } else {
        gained = std::uint64_t{now - before} << -shift_;
    }
    return static_cast<std::uint16_t>(std::min<std::uint64_t>(tokens + gained, capacity_));
}

void RequestRate::update(std::uint32_t ticks) noexcept {
    constexpr int kFastest = kScale * (TokenBucketScale::kTickBits + 1);
    constexpr int kSlowest = -14 * kScale;

    int current = kFastest;
    if (ticks > 0) {
        // Rounded log2: half as much again reaches the next power of two from 4/3 upwards.
        const std::uint64_t scaled = ticks + (std::uint64_t{ticks} >> 1);
        const int log2 = static_cast<int>(std::bit_width(scaled)) - 1;
        current = std::max(kScale * (TokenBucketScale::kTickBits - log2), kSlowest);
    }
    if (!known()) {
        value_ = static_cast<std::int8_t>(current);
    } else if (value_ < current) {
        ++value_;
    } else if (value_ > current) {
        // A falling rate is followed fast, but not at once.
        constexpr int kMaxAbove = kScale * 5 / 2;
        value_ = static_cast<std::int8_t>(
            value_ > kMaxAbove + current ? kMaxAbove + current : (value_ + current - 1) / 2);
    }
}

std::int8_t RequestRate::interval_log2() const noexcept {
    if (!known()) return 127;
    const int rounded = value_ + (value_ > 0 ? kScale / 2 : -kScale / 2);
    return static_cast<std::int8_t>(rounded / -kScale);
}

}  // namespace gnomon
