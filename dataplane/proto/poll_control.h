#pragma once

/// `PollControl`: how often to ask. The interval is a power of two; a score between 0 and 1
/// collects evidence and moves the exponent when it leaves that range. Pure.

#include <cstdint>

namespace gnomon {

inline constexpr int kMinPoll = -7;
inline constexpr int kMaxPoll = 24;
inline constexpr int kDefaultMinPoll = 6;
inline constexpr int kDefaultMaxPoll = 10;
/// Shorter intervals than 2^0 s are for local networks: the peer delay must not exceed 10 ms.
inline constexpr int kMinPollBeyondLan = 0;
inline constexpr double kMaxLanDelayS = 0.01;

class PollControl {
public:
    /// Out of [-7, 24]: below becomes the default, above the maximum; max is raised to min.
    PollControl(int min_poll, int max_poll, int target_samples) noexcept;

    int poll() const noexcept { return poll_; }
    double score() const noexcept { return score_; }
    int min_poll() const noexcept { return min_poll_; }
    int max_poll() const noexcept { return max_poll_; }
    int target() const noexcept { return target_; }

    /// False when out of range; the other limit follows when they cross. The interval itself moves
    /// at the next `add`.
    bool set_min_poll(int min_poll) noexcept;
    bool set_max_poll(int max_poll) noexcept;
    void set_target(int samples) noexcept { target_ = samples < 1 ? 1 : samples; }

    /// Back to the shortest interval. True when that changes it.
    bool reset() noexcept;

    /// Adds evidence: positive lengthens the interval. `lan`: the source is reachable and near.
    void add(double adjustment, bool lan) noexcept;

    /// The evidence of one accumulated measurement: how far the prediction was off against the
    /// distance (dispersion + delay/2) of the measurement, and how many samples the estimate has.
    double evidence(double prediction_error_s, double distance_s, int samples) const noexcept;

private:
    int min_poll_;
    int max_poll_;
    int target_;
    int poll_;
    double score_ = 0.0;
};

}  // namespace gnomon
