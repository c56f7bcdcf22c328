#pragma once

/// `TransmitPredictor`: how long after the clock was read for T3 the packet will pass the point
/// where the kernel or the NIC takes transmit stamps.
///
/// A server that puts the time of reading into T3 tells its clients a T3 that is early by the cost
/// of everything that follows: the MAC, the system call, the packets ahead of it in the batch. Half
/// of that becomes a constant error of every client's offset. So T3 is the reading plus the median
/// of the delay as transmit stamps have shown it, separately for each position in a batch and for
/// packets with and without a MAC.
///
/// It starts from the exact median of the first stamps and is then tracked with a step that follows
/// the spread: it does not move when one packet in ten is held up for a millisecond. One thread.
///
/// Taking a stamp costs the kernel some 0.2 µs before the stamp, so packets without one leave that
/// much earlier than predicted. Nobody can see that, so nothing is done about it.

#include <array>
#include <cstddef>
#include <cstdint>

#include "servo/units/duration.h"

namespace gnomon {

class TransmitPredictor {
public:
    static constexpr std::size_t kPositions = 16;
    /// Delays above this are accidents, not costs.
    static constexpr double kMaxDelayS = 1e-3;

    TransmitPredictor() noexcept = default;
    TransmitPredictor(const TransmitPredictor&) = delete;
    TransmitPredictor& operator=(const TransmitPredictor&) = delete;

    enum class Lane : std::uint8_t { Plain, Signed, Count };

    /// Zero until enough stamps were seen. `position`: packets of the same batch ahead of this one.
    Duration predict(Lane lane, std::size_t position) const noexcept {
        const Tracker* tracker = chosen_[static_cast<std::size_t>(lane)]
                                        [position < kPositions ? position : kPositions - 1];
        return Duration::from_ns(tracker == nullptr ? 0 : tracker->predicted_ns);
    }
    /// log2 s, rounded up: twice the mean deviation of the delays of lone plain replies from what was
    /// predicted; kExact while nothing is predicted. No T3 is more precise than that.
    std::int8_t precision() const noexcept { return precision_; }
    static constexpr std::int8_t kExact = -128;

    /// A transmit stamp: `delay` from the reading of the clock to the stamp.
    void observe(Lane lane, std::size_t position, Duration delay) noexcept;

private:
    static constexpr std::uint32_t kFirst = 15;
    static constexpr std::uint32_t kEnough = 5;

    struct Tracker {
        double median_ns = 0.0;
        std::int64_t predicted_ns = 0;  ///< the median as whole nanoseconds
        double spread_ns = 0.0;
        std::uint32_t count = 0;
        std::array<float, kFirst> first_ns{};

        void start(double ns) noexcept;
        void follow(double ns) noexcept;
    };

    static constexpr std::size_t kLanes = static_cast<std::size_t>(Lane::Count);

    const Tracker* nearest(Lane lane, std::size_t position) const noexcept;
    void choose_trackers() noexcept;

    std::int8_t precision_ = kExact;
    std::array<std::array<Tracker, kPositions>, kLanes> trackers_{};
    /// Which tracker speaks for a position; null: none yet.
    std::array<std::array<const Tracker*, kPositions>, kLanes> chosen_{};
};

}  // namespace gnomon
