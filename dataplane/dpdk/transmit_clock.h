#pragma once

/// `TransmitClock`: when a frame leaves through a device that never tells, measured from the reading of
/// the counter for T3.
///
/// Two kinds of such devices. Those that only write descriptors: the frame is with the device when the
/// burst call returns. And those that send within the call (packet sockets, AF_XDP in copy mode): frame
/// k of a burst is on its way after the call's fixed costs and k + 1 frames' costs, and what follows the
/// last one is unknown. For both the call's duration is an upper bound; a line over the burst's size is
/// followed to tell fixed from per-frame costs, and `share` says which part of a single frame's call
/// lies before the frame leaves. With `share` unknown, ½ is assumed, and the variance says so.

#include <cstddef>
#include <cstdint>

namespace gnomon {

class TransmitClock {
public:
    /// `share`: of a single frame's duration, 0..1.
    void set_share(double share) noexcept {
        share_ = share;
        share_known_ = true;
    }

    /// From the reading of the counter to the return of the call that sent `frames` frames, in counts.
    void observe(std::uint64_t counts, std::size_t frames) noexcept;

    /// Counts from the reading to the departure of frame number `position`.
    double predict(std::size_t position) const noexcept {
        return single_ * share_ + per_frame_ * static_cast<double>(position);
    }
    /// Variance of the prediction, counts²: uniform over the part of a call that may come after.
    double variance() const noexcept {
        const double unknown = share_known_ ? 0.2 * single_ : single_;
        return unknown * unknown / 12.0;
    }
    double single() const noexcept { return single_; }
    double per_frame() const noexcept { return per_frame_; }

private:
    double share_ = 0.5;
    bool share_known_ = false;
    double single_ = 0.0;     ///< duration of a burst of one
    double per_frame_ = 0.0;  ///< what each further frame adds
    std::uint32_t seen_ = 0;
};

}  // namespace gnomon
