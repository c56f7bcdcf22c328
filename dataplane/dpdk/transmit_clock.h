#pragma once

/// `TransmitClock`: when a frame leaves through a device that never tells, measured from the reading of
/// the counter for T3.
///
/// Two kinds of such devices. Those that only write descriptors: the frame is with the device when the
/// burst call returns. And those that send within the call (packet sockets, AF_XDP in copy mode): frame
/// k of a burst is on its way after the call's fixed costs and k + 1 frames' costs, and what follows the
/// last one is unknown. For both the call's duration is an upper bound; a line over the burst's size is
/// followed to tell fixed from per-frame costs. Half of a single frame's call is assumed to lie before
/// the frame leaves; nothing measures that.

#include <cstddef>
#include <cstdint>

namespace gnomon {

class TransmitClock {
public:
    /// From the reading of the counter to the return of the call that sent `frames` frames, in counts.
    void observe(std::uint64_t counts, std::size_t frames) noexcept;

    /// Counts from the reading to the departure of frame number `position`.
    double predict(std::size_t position) const noexcept {
        return single_ * kShare + per_frame_ * static_cast<double>(position);
    }
    double single() const noexcept { return single_; }
    double per_frame() const noexcept { return per_frame_; }

private:
    static constexpr double kShare = 0.5;
    double single_ = 0.0;     ///< duration of a burst of one
    double per_frame_ = 0.0;  ///< what each further frame adds
    std::uint32_t seen_ = 0;
};

}  // namespace gnomon
