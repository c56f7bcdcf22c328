#include "mgmt/mgmtd/history_block.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gnomon::mgmtd {

void Point::add(double value) noexcept {
    if (!std::isfinite(value)) return;
    Point other;
    other.mean = other.min = other.max = static_cast<float>(value);
    other.count = 1;
    add(other);
}

void Point::add(const Point& other) noexcept {
    if (other.is_empty()) return;
    if (is_empty()) {
        *this = other;
        return;
    }
    const double total = static_cast<double>(count) + other.count;
    mean = static_cast<float>(
        (static_cast<double>(mean) * count + static_cast<double>(other.mean) * other.count) /
        total);
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    count += other.count;
}

Block::Block(std::size_t tier, std::int64_t start_s)
    : tier_(tier), start_s_(start_s), points_(static_cast<std::size_t>(kTiers[tier].points)) {}

std::int64_t Block::start_of(std::size_t tier, std::int64_t at_s) noexcept {
    const std::int64_t length = std::int64_t{kTiers[tier].step_s} * kTiers[tier].points;
    const std::int64_t rest = ((at_s % length) + length) % length;
    return at_s - rest;
}

std::int64_t Block::end_s() const noexcept {
    return start_s_ + std::int64_t{kTiers[tier_].step_s} * kTiers[tier_].points;
}

void Block::add(std::int64_t at_s, double value) noexcept {
    const auto index = static_cast<std::size_t>((at_s - start_s_) / kTiers[tier_].step_s);
    if (index < points_.size()) points_[index].add(value);
}

std::string Block::to_bytes() const {
    std::string bytes;
    const auto append = [&bytes](const void* data, std::size_t size) {
        bytes.append(static_cast<const char*>(data), size);
    };
    for (const Point& point : points_) {
        append(&point.mean, sizeof point.mean);
        if (tier_ == 0) continue;
        append(&point.min, sizeof point.min);
        append(&point.max, sizeof point.max);
        append(&point.count, sizeof point.count);
    }
    return bytes;
}

std::optional<Block> Block::from_bytes(std::size_t tier, std::int64_t start_s,
                                       std::span<const std::uint8_t> bytes) {
    if (tier >= kTierCount) return std::nullopt;
    Block block(tier, start_s);
    const std::size_t each = tier == 0 ? 4 : 16;
    if (bytes.size() != block.points_.size() * each) return std::nullopt;
    const std::uint8_t* at = bytes.data();
    for (Point& point : block.points_) {
        memcpy(&point.mean, at, 4);
        if (tier == 0) {
            point.min = point.max = point.mean;
            point.count = std::isfinite(point.mean) ? 1 : 0;
        } else {
            memcpy(&point.min, at + 4, 4);
            memcpy(&point.max, at + 8, 4);
            memcpy(&point.count, at + 12, 4);
            if (!std::isfinite(point.mean)) point.count = 0;
        }
        at += each;
    }
    return block;
}

Resampler::Resampler(std::int64_t from_s, std::int64_t step_s, std::size_t count)
    : from_s_(from_s), step_s_(step_s), count_(count) {}

void Resampler::add(const Block& block) {
    const int fine = kTiers[block.tier()].step_s;
    if (fine_.empty()) {
        fine_step_s_ = fine;
        const std::int64_t length = step_s_ * static_cast<std::int64_t>(count_);
        fine_.resize(static_cast<std::size_t>((length + fine - 1) / fine));
    }
    for (std::size_t i = 0; i < block.points().size(); ++i) {
        const Point& point = block.points()[i];
        if (point.is_empty()) continue;
        const std::int64_t at = block.start_s() + static_cast<std::int64_t>(i) * fine;
        if (at < from_s_) continue;
        const auto index = static_cast<std::size_t>((at - from_s_) / fine_step_s_);
        // A later run of the clock went over these seconds again.
        if (index < fine_.size()) fine_[index] = point;
    }
}

void Resampler::take(std::vector<double>& mean, std::vector<double>& min,
                     std::vector<double>& max) const {
    constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
    mean.assign(count_, kNothing);
    min.assign(count_, kNothing);
    max.assign(count_, kNothing);
    std::vector<Point> steps(count_);
    for (std::size_t i = 0; i < fine_.size(); ++i) {
        const auto step =
            static_cast<std::size_t>(static_cast<std::int64_t>(i) * fine_step_s_ / step_s_);
        if (step < count_) steps[step].add(fine_[i]);
    }
    for (std::size_t i = 0; i < count_; ++i) {
        if (steps[i].is_empty()) continue;
        mean[i] = static_cast<double>(steps[i].mean);
        min[i] = static_cast<double>(steps[i].min);
        max[i] = static_cast<double>(steps[i].max);
    }
}

std::size_t best_tier(std::int64_t step_s, std::int64_t age_s) noexcept {
    std::size_t best = 0;
    while (best + 1 < kTierCount && kTiers[best].keep_s < age_s) ++best;
    while (best + 1 < kTierCount && kTiers[best + 1].step_s <= step_s) ++best;
    return best;
}

}  // namespace gnomon::mgmtd
