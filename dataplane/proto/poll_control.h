#pragma once

/// `PollControl`: how often to ask. The interval is a power of two; its exponent follows a score that
/// collects evidence. Pure.
///
/// There are two rules:
///  * `plan`: by the error that is foreseen (predicted_error.h). A score is worth whole exponents;
///    where the planned interval lies between two powers of two, they alternate such that their mean
///    is the plan, because a regular interval needs the fewest packets. Attention is paid, that
///    is the shortest interval used, at the start and when something happened that noise does not
///    explain; from there the interval grows with the number of samples since.
///  * `evidence`: so that the estimate rests on `target` samples, as chrony does (`polltarget`).

#include <cstdint>

#include "servo/units/source_view.h"

namespace gnomon {

inline constexpr int kMinPoll = -7;
inline constexpr int kMaxPoll = 24;
inline constexpr int kDefaultMinPoll = 6;
inline constexpr int kDefaultMaxPoll = 10;
inline constexpr int kDefaultPollTarget = 8;
/// Shorter intervals than 2^0 s are for local networks: the peer delay must not exceed 10 ms.
inline constexpr int kMinPollBeyondLan = 0;
inline constexpr double kMaxLanDelayS = 0.01;

class PollControl {
public:
    /// Out of [-7, 24]: below becomes the default, above the maximum; max is raised to min.
    PollControl(int min_poll, int max_poll, int target_samples) noexcept;

    int poll() const noexcept { return poll_; }
    /// How far between this interval and the next longer one, 0 to 1.
    double score() const noexcept;
    int min_poll() const noexcept { return min_poll_; }
    int max_poll() const noexcept { return max_poll_; }
    int target() const noexcept { return target_; }

    /// False when out of range; the other limit follows when they cross. The interval itself moves
    /// at the next `add` or `plan`.
    bool set_min_poll(int min_poll) noexcept;
    bool set_max_poll(int max_poll) noexcept;
    /// Ends planning too, until the next `plan`: evidence goes on from the interval there is.
    void set_target(int samples) noexcept;

    /// Back to the shortest interval. True when that changes it.
    bool reset() noexcept;

    /// Adds evidence: positive lengthens the interval. `lan`: the source is reachable and near.
    void add(double adjustment, bool lan) noexcept;

    /// The evidence of one accumulated measurement: how far the prediction was off against the
    /// distance (dispersion + delay/2) of the measurement, and how many samples the estimate has.
    double evidence(double prediction_error_s, double distance_s, int samples) const noexcept;

    /// One accumulated measurement, instead of `add(evidence(…))`: moves towards the interval that
    /// the noise makes worth it.
    void plan(const SourceView::Noise& noise, double prediction_error_s, double distance_s,
              bool lan) noexcept;

private:
    void pick() noexcept;

    int min_poll_;
    int max_poll_;
    int target_;
    int poll_;
    /// Exponent and score in one: [min, max + 1], when planning [min, max].
    double level_;

    bool planning_ = false;
    int attention_age_;             ///< samples since attention was last paid
    int surprises_ = 0;             ///< seen so far
    double mean_distance_s_ = 0.0;  ///< 0: none yet
    double owed_s_ = 0.0;           ///< planned less actual intervals
};

}  // namespace gnomon
