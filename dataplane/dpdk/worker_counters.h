#pragma once

/// What a worker counts: written by its thread, read by the control loop.

#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/port/dataplane.h"
#include "dataplane/proto/server_stats.h"

namespace gnomon {

struct WorkerCounters {
    OwnedCounter turns;
    OwnedCounter empty_turns;
    OwnedCounter bursts;
    OwnedCounter full_bursts;
    OwnedCounter rx_frames;
    OwnedCounter tx_frames;
    OwnedCounter tx_failed;
    OwnedCounter to_kernel_lost;
    OwnedCounter forwarded;
    OwnedCounter forward_lost;
    OwnedCounter
        not_taken;  ///< frames received while the kernel serves, or before there was a clock
    OwnedCounter tx_stamps;
    OwnedCounter tx_stamps_missed;
    OwnedCounter busy_cycles;
    /// Of the busy ones, by `WorkerStage`.
    std::array<OwnedCounter, kWorkerStages> stage_cycles;
    std::array<OwnedCounter, kTimestampSources> rx_stamps;
    std::array<OwnedCounter, 32> latency_log2_ns;
    /// The estimated wait in the device's ring, ns, smoothed.
    std::atomic<double> queueing_ns{0.0};

    void add_stage(WorkerStage stage, std::uint64_t cycles) noexcept {
        stage_cycles[static_cast<std::size_t>(stage)].add(cycles);
    }
    void add_latency(std::int64_t ns, std::uint64_t frames) noexcept {
        const auto magnitude = static_cast<std::uint32_t>(ns < 1            ? 1
                                                          : ns > 0x7fffffff ? 0x7fffffff
                                                                            : ns);
        latency_log2_ns[static_cast<std::size_t>(std::bit_width(magnitude) - 1)].add(frames);
    }
};

}  // namespace gnomon
