#pragma once

/// Counters of the server side. A `ServerCounters` is written by one thread and read by any; the
/// command protocol's `serverstats` is the sum over all responders plus what the shared client log
/// and timestamp store know.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/drop.h"
#include "servo/units/ntp_types.h"

namespace gnomon {

/// One writer, many readers: an add is a load and a store, without a locked instruction.
class OwnedCounter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::size_t kTimestampSources = 3;  ///< index: TimestampSource

struct ServerCounters {
    OwnedCounter requests;          ///< datagrams looked at
    OwnedCounter replies;           ///< prepared for sending
    OwnedCounter logged;            ///< requests given to the client log
    OwnedCounter records_replaced;  ///< client records that made room for others
    OwnedCounter authenticated;
    OwnedCounter interleaved;
    std::array<OwnedCounter, kTimestampSources> receive_stamps;
    std::array<OwnedCounter, kTimestampSources> transmit_stamps;
    std::array<OwnedCounter, static_cast<std::size_t>(Drop::Count)> drops;
};

/// The 17 values of `serverstats` in its order, and the reasons of drops.
struct ServerStats {
    std::uint64_t ntp_hits = 0;
    std::uint64_t nke_hits = 0;
    std::uint64_t command_hits = 0;
    std::uint64_t ntp_drops = 0;
    std::uint64_t nke_drops = 0;
    std::uint64_t command_drops = 0;
    std::uint64_t log_drops = 0;  ///< client records that made room for others
    std::uint64_t ntp_auth_hits = 0;
    std::uint64_t ntp_interleaved_hits = 0;
    std::uint64_t ntp_timestamps = 0;  ///< pairs held for the interleaved mode
    std::uint64_t ntp_timestamp_span_s = 0;
    std::array<std::uint64_t, kTimestampSources> ntp_rx_stamps{};
    std::array<std::uint64_t, kTimestampSources> ntp_tx_stamps{};

    std::array<std::uint64_t, static_cast<std::size_t>(Drop::Count)> drops{};  ///< index: Drop
    std::uint64_t requests = 0;
    std::uint64_t replies = 0;

    /// Adds what one responder counted.
    void add(const ServerCounters& counters) noexcept;
    /// Adds another sum.
    void add(const ServerStats& other) noexcept;
};

class ClientLog;
class TimestampStore;
/// Fills in what the shared structures count.
void add_shared(ServerStats& stats, const ClientLog& log, const TimestampStore& store) noexcept;

}  // namespace gnomon
