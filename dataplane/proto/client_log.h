#pragma once

/// `ClientLog`: what is remembered of every client, in fixed memory (`clientloglimit`): hits,
/// drops, request rates and token buckets per service. `clients` reports it, `ratelimit` acts on
/// it.
///
/// A hash table of slots with eight records each; when a slot is full, the record that has been
/// idle longest makes room (counted in `record_drops`).
///
/// Any number of threads may call `account` at once: each slot has a lock of one byte which is held
/// for the few dozen nanoseconds of one update. A worker that does not get it within a bounded
/// number of tries answers the request without accounting it, so no thread ever waits for a
/// descheduled one.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/proto/rate_limit.h"
#include "dataplane/wire/address.h"
#include "servo/units/random_source.h"
#include "servo/units/time_point.h"

namespace gnomon {

enum class Service : std::uint8_t { Ntp, NtsKe, Command, Count };
inline constexpr std::size_t kServiceCount = static_cast<std::size_t>(Service::Count);

struct ClientLogConfig {
    bool enabled = true;  ///< `noclientlog` turns it off
    /// Bytes for client records and timestamp pairs together: 524288 is 4096 of each.
    std::uint64_t memory_limit = 524288;
    std::array<RateLimit, kServiceCount> limits{};

    /// Number of records that the limit pays for, a power of two in [8, 2^24].
    std::size_t capacity() const noexcept;
};

/// What to do with a request.
enum class Verdict : std::uint8_t { Pass, Drop, Kod };

/// One client, as `clients` shows it. Intervals are log2 s, 127 when unknown.
struct ClientRecordView {
    IpAddress address;
    std::array<std::uint32_t, kServiceCount> hits{};
    std::array<std::uint32_t, kServiceCount> drops{};
    std::array<std::int8_t, kServiceCount> interval{};
    std::int8_t ntp_limited_interval = 127;  ///< after responses were withheld
    /// Whole seconds since the last request; kNeverHit when there was none.
    std::array<std::uint32_t, kServiceCount> last_hit_ago_s{};

    static constexpr std::uint32_t kNeverHit = 0xffff'ffff;
};

class ClientLog {
public:
    /// `phase` (any random number) shifts the ticks of rate limiting against the second, so that
    /// clients cannot predict them.
    ClientLog(const ClientLogConfig& config, std::uint64_t phase);
    ~ClientLog();
    ClientLog(const ClientLog&) = delete;
    ClientLog& operator=(const ClientLog&) = delete;

    bool enabled() const noexcept { return config_.enabled; }

    /// Counts a request and decides whether it is answered. `now`: when it was received.
    Verdict account(Service service, const IpAddress& client, SystemTime now,
                    RandomSource& random) noexcept;

    /// log2 s: what clients are told as the shortest useful polling interval.
    int shortest_ntp_interval() const noexcept;

    /// Size of the table: indices for `report` run from 0; 0 when disabled.
    std::size_t index_count() const noexcept { return record_count_; }
    /// Empty: no client at this index, or none of its services has `min_hits` requests. `reset`
    /// zeroes hits and drops of the client after they were read.
    std::optional<ClientRecordView> report(std::size_t index, std::uint32_t min_hits, bool reset,
                                           SystemTime now) noexcept;

    struct Totals {
        std::array<std::uint64_t, kServiceCount> hits{};
        std::array<std::uint64_t, kServiceCount> drops{};
        std::uint64_t record_drops = 0;
    };
    Totals totals() const noexcept;
    /// Zeroes the totals (`reset` of serverstats); not the records.
    void reset_totals() noexcept;

private:
    struct Record;
    struct Slot;

    std::uint32_t to_ticks(SystemTime t) const noexcept;
    Record& find_or_replace(Slot& slot, const IpAddress& client) noexcept;
    Verdict limit(Record& record, Service service, RandomSource& random) noexcept;

    ClientLogConfig config_;
    std::array<TokenBucketScale, kServiceCount> scales_{};
    std::uint64_t phase_ns_ = 0;
    std::uint64_t hash_key_ = 0;
    std::size_t record_count_ = 0;
    std::size_t slot_count_ = 0;
    Slot* slots_ = nullptr;  ///< from calloc: pages that no client touches cost nothing

    std::array<std::atomic<std::uint64_t>, kServiceCount> hits_{};
    std::array<std::atomic<std::uint64_t>, kServiceCount> drops_{};
    std::atomic<std::uint64_t> record_drops_{0};
};

}  // namespace gnomon
