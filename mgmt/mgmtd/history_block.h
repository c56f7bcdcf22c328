#pragma once

/// Samples of one series in fixed steps: what the history writes as one row. Pure.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gnomon::mgmtd {

/// The steps that are kept, finest first.
struct Tier {
    int step_s;
    int points;  ///< per block
    std::int64_t keep_s;
};
inline constexpr Tier kTiers[] = {
    {1, 120, 6 * 3600},
    {60, 60, 14 * 86400},
    {3600, 24, 5LL * 366 * 86400},
};
inline constexpr std::size_t kTierCount = 3;

/// Everything that was seen within one step.
struct Point {
    float mean = std::numeric_limits<float>::quiet_NaN();
    float min = std::numeric_limits<float>::quiet_NaN();
    float max = std::numeric_limits<float>::quiet_NaN();
    std::uint32_t count = 0;

    bool is_empty() const noexcept { return count == 0; }
    void add(double value) noexcept;
    void add(const Point& other) noexcept;
};

class Block {
public:
    Block(std::size_t tier, std::int64_t start_s);

    /// The start of the block that `at_s` belongs to.
    static std::int64_t start_of(std::size_t tier, std::int64_t at_s) noexcept;

    std::size_t tier() const noexcept { return tier_; }
    std::int64_t start_s() const noexcept { return start_s_; }
    std::int64_t end_s() const noexcept;
    const std::vector<Point>& points() const noexcept { return points_; }

    /// `at_s` lies within the block.
    void add(std::int64_t at_s, double value) noexcept;

    /// Bytes for the database. The finest tier keeps one number per point, the others four.
    std::string to_bytes() const;
    /// Nothing when the bytes are no block of this tier.
    static std::optional<Block> from_bytes(std::size_t tier, std::int64_t start_s,
                                           std::span<const std::uint8_t> bytes);

private:
    std::size_t tier_;
    std::int64_t start_s_;
    std::vector<Point> points_;
};

/// Collects points of blocks into equal steps; blocks that come later replace what earlier ones
/// said of the same second, minute or hour.
class Resampler {
public:
    Resampler(std::int64_t from_s, std::int64_t step_s, std::size_t count);

    void add(const Block& block);
    /// `mean`, `min`, `max` per step; NaN where nothing is known.
    void take(std::vector<double>& mean, std::vector<double>& min, std::vector<double>& max) const;

private:
    std::int64_t from_s_;
    std::int64_t step_s_;
    std::size_t count_;
    int fine_step_s_ = 0;
    std::vector<Point> fine_;
};

/// The coarsest tier whose steps are not longer than `step_s`, among those that still hold `age_s`.
std::size_t best_tier(std::int64_t step_s, std::int64_t age_s) noexcept;

}  // namespace gnomon::mgmtd
