#pragma once

/// `ReceiveClock`: when frames came in that nobody has stamped. All that a poller knows is that a frame
/// of this burst was not there at the poll before: it came in between, or earlier if that burst was
/// full.
///
/// The stamp is the middle of that interval; its variance is that of a uniform distribution over it. The
/// wait in the ring that this cannot see (the ring was not emptied) is estimated from full bursts and
/// reported, not corrected: half of it would be the error of every client's offset.

#include <cstdint>

namespace gnomon {

class ReceiveClock {
public:
    struct Estimate {
        std::uint64_t count = 0;       ///< of the counter: the most likely time of arrival
        std::uint64_t half_width = 0;  ///< counts
        double queued_counts = 0.0;    ///< mean wait of the burst's frames, counts, with backlog
    };

    /// `polled`: the counter just before the queue was looked at.
    Estimate burst(std::uint64_t polled, bool full) noexcept {
        // Before the first poll nothing is known of how long frames have waited.
        const std::uint64_t since = last_poll_ == 0 ? 0 : polled - last_poll_;
        // While the ring is not emptied, frames have waited since it last was.
        if (!backlog_) emptied_ = last_poll_ == 0 ? polled : last_poll_;
        Estimate estimate;
        estimate.half_width = since / 2;
        estimate.count = polled - since / 2;
        estimate.queued_counts = backlog_ ? static_cast<double>(polled - emptied_) / 2.0
                                          : static_cast<double>(since) / 2.0;
        backlog_ = full;
        last_poll_ = polled;
        return estimate;
    }
    void empty(std::uint64_t polled) noexcept {
        backlog_ = false;
        last_poll_ = polled;
    }

private:
    std::uint64_t last_poll_ = 0;
    std::uint64_t emptied_ = 0;
    bool backlog_ = false;
};

}  // namespace gnomon
