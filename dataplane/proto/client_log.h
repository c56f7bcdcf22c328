#pragma once

/// `ClientLog`: what is remembered of every client, in fixed memory (`clientloglimit`): hits,
/// drops, request rates and token buckets per service. `clients` reports it, `ratelimit` acts on
/// it.
///
/// A hash table of buckets with eight clients each; when a bucket is full, the client that has been
/// idle longest makes room (counted in `record_drops`).
///
/// What an NTP request needs lies in two cache lines: the bucket's, with tags that tell which record
/// is meant, and one with half a line for the client. What other services count lies apart and is never
/// touched by them who only ask for the time. A burst fetches the lines of all its requests before it
/// needs the first.
///
/// Any number of threads may account at once: each bucket has a lock of one byte which is held
/// for the few dozen nanoseconds of one update. A worker that does not get it within a bounded
/// number of tries answers the request without accounting it, so no thread ever waits for a
/// descheduled one.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/proto/rate_limit.h"
#include "dataplane/proto/zeroed_array.h"
#include "dataplane/wire/address.h"
#include "servo/units/random_source.h"
#include "servo/units/time_point.h"

namespace gnomon {

enum class Service : std::uint8_t { Ntp, NtsKe, Command, Count };
inline constexpr std::size_t kServiceCount = static_cast<std::size_t>(Service::Count);

struct ClientLogConfig {
    bool enabled = true;  ///< `noclientlog` turns it off
    /// Bytes for client records and timestamp pairs together: 524288 is 4096 of each. A client costs
    /// 72 bytes and a pair 32; both numbers are the largest power of two that 120 for each allow.
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

    /// The same for NTP in three steps with time in between, so that a burst does not wait for memory:
    /// with the client's hash, `prefetch_bucket`; a while later `prefetch_record`; then `account_ntp`.
    /// It does not count into the totals: the caller does (server_stats.h), as it has to itself what
    /// all threads would otherwise write.
    struct Outcome {
        Verdict verdict = Verdict::Pass;
        bool replaced = false;  ///< another client's record made room
    };
    std::uint64_t hash(const IpAddress& client) const noexcept;
    void prefetch_bucket(std::uint64_t hash) const noexcept;
    void prefetch_record(std::uint64_t hash) const noexcept;
    Outcome account_ntp(std::uint64_t hash, const IpAddress& client, SystemTime now,
                        RandomSource& random) noexcept;

    /// log2 s: what clients are told as the shortest useful polling interval.
    int shortest_ntp_interval() const noexcept;

    /// Size of the table: indices for `report` run from 0; 0 when disabled.
    std::size_t index_count() const noexcept { return record_count_; }
    /// Empty: no client at this index, or none of its services has `min_hits` requests. `reset`
    /// zeroes hits and drops of the client after they were read.
    std::optional<ClientRecordView> report(std::size_t index, std::uint32_t min_hits, bool reset,
                                           SystemTime now) noexcept;

    /// What `account` has counted; `account_ntp` counts elsewhere.
    struct Totals {
        std::array<std::uint64_t, kServiceCount> hits{};
        std::array<std::uint64_t, kServiceCount> drops{};
        std::uint64_t record_drops = 0;
    };
    Totals totals() const noexcept;
    /// Zeroes the totals (`reset` of serverstats); not the records.
    void reset_totals() noexcept;

private:
    struct Use;
    struct Record;
    struct RareUses;
    struct Bucket;

    std::uint32_t to_ticks(SystemTime t) const noexcept;
    std::size_t bucket_of(std::uint64_t hash) const noexcept { return hash & (bucket_count_ - 1); }
    Use& use_of(Service service, std::size_t bucket, std::size_t place) const noexcept;
    Outcome update(Service service, std::uint64_t hash, const IpAddress& client, SystemTime now,
                   RandomSource& random) noexcept;
    std::size_t find_or_replace(std::size_t bucket, std::uint64_t hash, const IpAddress& client,
                                bool& replaced) noexcept;
    Verdict limit(Use& use, Service service, RandomSource& random) noexcept;

    ClientLogConfig config_;
    std::array<TokenBucketScale, kServiceCount> scales_{};
    std::uint64_t phase_ns_ = 0;
    std::array<std::uint64_t, 2> hash_keys_{};
    std::size_t record_count_ = 0;
    std::size_t bucket_count_ = 0;
    ZeroedArray<Bucket> buckets_;
    ZeroedArray<RareUses> rare_;  ///< one for each client

    std::array<std::atomic<std::uint64_t>, kServiceCount> hits_{};
    std::array<std::atomic<std::uint64_t>, kServiceCount> drops_{};
    std::atomic<std::uint64_t> record_drops_{0};
};

}  // namespace gnomon
