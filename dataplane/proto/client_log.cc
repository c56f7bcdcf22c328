#include "dataplane/proto/client_log.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/proto/byte_lock.h"
#include "dataplane/proto/byte_tags.h"

namespace gnomon {

namespace {

/// Memory that one client costs at most, with its timestamp pair.
constexpr std::uint64_t kBytesPerClient = 120;

std::size_t index_of(Service service) noexcept { return static_cast<std::size_t>(service); }

/// 64 bits in which every bit depends on every bit of the input (the finalizer of MurmurHash3).
std::uint64_t mix(std::uint64_t x) noexcept {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

}  // namespace

std::size_t ClientLogConfig::capacity() const noexcept {
    const std::uint64_t affordable = memory_limit / kBytesPerClient;
    if (affordable < kTagsPerWord) return kTagsPerWord;
    return static_cast<std::size_t>(std::bit_floor(std::min<std::uint64_t>(affordable, 1U << 24)));
}

/// What one client did with one service.
struct ClientLog::Use {
    std::uint32_t last_hit;  ///< ticks; 0: never
    std::uint32_t hits;
    std::uint16_t drops;
    std::uint16_t tokens;
    RequestRate rate;
    RequestRate limited_rate;  ///< after responses were withheld
    bool limited;              ///< the last request got no response (NTP only)
    IpAddress::Family family;  ///< of the client; used in Record only, where it fills a gap
};

struct ClientLog::Record {
    std::array<std::uint8_t, 16> address;
    Use ntp;

    bool is(const IpAddress& ip) const noexcept {
        return address == ip.bytes() && ntp.family == ip.family();
    }
    IpAddress ip() const noexcept {
        if (ntp.family == IpAddress::Family::V6) return IpAddress::v6(address);
        return IpAddress::v4(std::uint32_t{address[0]} << 24 | std::uint32_t{address[1]} << 16 |
                             std::uint32_t{address[2]} << 8 | address[3]);
    }
};

struct ClientLog::RareUses {
    std::array<Use, kServiceCount - 1> uses;
};

/// A line with what finds a record and what chooses the one that makes room; the records follow it.
struct alignas(kCacheLine) ClientLog::Bucket {
    ByteLock lock;
    std::uint8_t rare_used;  ///< bit i: RareUses of client i are not empty
    /// Read without the lock by `prefetch_record` only.
    std::atomic<std::uint64_t> tags;
    std::array<std::uint32_t, kTagsPerWord> last_hit;  ///< ticks, of any service
    std::array<std::uint8_t, kTagsPerWord> hits;       ///< of all services; stops at 255
    alignas(kCacheLine) std::array<Record, kTagsPerWord> records;
};

ClientLog::ClientLog(const ClientLogConfig& config, std::uint64_t phase)
    : config_(config),
      phase_ns_(phase % 62'500'000),
      hash_keys_{mix(phase + 1), mix(phase ^ 0x9e3779b97f4a7c15ULL) | 1} {
    for (std::size_t i = 0; i < kServiceCount; ++i) scales_[i] = TokenBucketScale(config.limits[i]);
    if (!config_.enabled) return;
    static_assert(sizeof(Bucket) == 5 * kCacheLine && sizeof(Record) == kCacheLine / 2);
    static_assert(sizeof(Bucket) / kTagsPerWord + sizeof(RareUses) + kCacheLine / 2 <=
                  kBytesPerClient);
    record_count_ = config_.capacity();
    bucket_count_ = record_count_ / kTagsPerWord;
    buckets_ = ZeroedArray<Bucket>(bucket_count_);
    rare_ = ZeroedArray<RareUses>(record_count_);
}

ClientLog::~ClientLog() = default;

std::uint32_t ClientLog::to_ticks(SystemTime t) const noexcept {
    const auto shifted = static_cast<std::uint64_t>(t.ns()) + phase_ns_;
    const auto ticks = static_cast<std::uint32_t>(shifted / 62'500'000);
    return ticks == 0 ? 1 : ticks;  // 0 stands for "never"
}

// Two multiplications whose halves are folded (as in wyhash); the keys are secret, so that nobody
// can choose addresses that share a bucket.
std::uint64_t ClientLog::hash(const IpAddress& client) const noexcept {
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), client.bytes().data(), sizeof(words));
    const std::uint64_t folded = fold_product(words[0] ^ hash_keys_[0], words[1] ^ hash_keys_[1]);
    return fold_product(folded ^ hash_keys_[1], 0xff51afd7ed558ccdULL);
}

void ClientLog::prefetch_bucket(std::uint64_t hash) const noexcept {
    if (!buckets_.is_empty()) fetch_line(&buckets_[bucket_of(hash)]);
}

void ClientLog::prefetch_record(std::uint64_t hash) const noexcept {
    if (buckets_.is_empty()) return;
    const Bucket& bucket = buckets_[bucket_of(hash)];
    const std::uint64_t tags = bucket.tags.load(std::memory_order_relaxed);
    std::uint64_t matches = equal_tags(tags, tag_of(hash));
    if (matches == 0) matches = equal_tags(tags, 0);
    if (matches == 0) return;
    fetch_line(&bucket.records[first_place(matches)]);
}

ClientLog::Use& ClientLog::use_of(Service service, std::size_t bucket,
                                  std::size_t place) const noexcept {
    if (service == Service::Ntp) return buckets_[bucket].records[place].ntp;
    return rare_[bucket * kTagsPerWord + place].uses[index_of(service) - 1];
}

/// The bucket's lock is held.
std::size_t ClientLog::find_or_replace(std::size_t bucket, std::uint64_t hash,
                                       const IpAddress& client, bool& replaced) noexcept {
    Bucket& b = buckets_[bucket];
    const std::uint64_t tags = b.tags.load(std::memory_order_relaxed);
    for (std::uint64_t m = equal_tags(tags, tag_of(hash)); m != 0; m &= m - 1) {
        if (b.records[first_place(m)].is(client)) return first_place(m);
    }

    std::size_t place = 0;
    if (const std::uint64_t empty = equal_tags(tags, 0); empty != 0) {
        place = first_place(empty);
    } else {
        std::uint32_t newest = b.last_hit[0];
        for (const std::uint32_t hit : b.last_hit) {
            if (static_cast<std::int32_t>(hit - newest) > 0) newest = hit;
        }
        for (std::size_t i = 1; i < kTagsPerWord; ++i) {
            const std::uint32_t idle = newest - b.last_hit[i];
            const std::uint32_t longest = newest - b.last_hit[place];
            if (idle > longest || (idle == longest && b.hits[i] < b.hits[place])) place = i;
        }
        replaced = true;
        if ((b.rare_used >> place & 1) != 0) rare_[bucket * kTagsPerWord + place] = RareUses{};
        b.rare_used = static_cast<std::uint8_t>(b.rare_used & ~(1U << place));
    }
    b.tags.store(with_tag(tags, place, tag_of(hash)), std::memory_order_relaxed);
    b.last_hit[place] = 0;
    b.hits[place] = 0;
    Record& record = b.records[place];
    record.address = client.bytes();
    record.ntp = Use{};
    record.ntp.family = client.family();
    return place;
}

ClientLog::Outcome ClientLog::update(Service service, std::uint64_t hash, const IpAddress& client,
                                     SystemTime now, RandomSource& random) noexcept {
    Outcome outcome;
    if (buckets_.is_empty() || !client.is_ip()) return outcome;
    const std::size_t bucket = bucket_of(hash);
    Bucket& b = buckets_[bucket];
    ByteLockGuard guard(b.lock);
    if (!guard) return outcome;

    const std::size_t place = find_or_replace(bucket, hash, client, outcome.replaced);
    const TokenBucketScale& scale = scales_[index_of(service)];
    Use& use = use_of(service, bucket, place);
    const std::uint32_t ticks = to_ticks(now);
    const std::uint32_t previous = use.last_hit;
    b.last_hit[place] = ticks;
    if (service != Service::Ntp) b.rare_used = static_cast<std::uint8_t>(b.rare_used | 1U << place);
    if (b.hits[place] < 0xff) ++b.hits[place];
    use.last_hit = ticks;
    ++use.hits;
    if (previous == 0) {
        use.tokens = scale.capacity();
        use.rate = use.limited_rate = RequestRate();
    } else if (static_cast<std::int32_t>(ticks - previous) >= 0) {
        // A clock that was stepped back gives a negative interval: it says nothing.
        use.tokens = scale.refill(use.tokens, previous, ticks);
        RequestRate& rate = use.limited ? use.limited_rate : use.rate;
        rate.update(ticks - previous);
    }
    outcome.verdict = limit(use, service, random);
    return outcome;
}

ClientLog::Outcome ClientLog::account_ntp(std::uint64_t hash, const IpAddress& client,
                                          SystemTime now, RandomSource& random) noexcept {
    return update(Service::Ntp, hash, client, now, random);
}

Verdict ClientLog::account(Service service, const IpAddress& client, SystemTime now,
                           RandomSource& random) noexcept {
    hits_[index_of(service)].fetch_add(1, std::memory_order_relaxed);
    const Outcome outcome = update(service, hash(client), client, now, random);
    if (outcome.replaced) record_drops_.fetch_add(1, std::memory_order_relaxed);
    if (outcome.verdict == Verdict::Drop) {
        drops_[index_of(service)].fetch_add(1, std::memory_order_relaxed);
    }
    return outcome.verdict;
}

Verdict ClientLog::limit(Use& use, Service service, RandomSource& random) noexcept {
    const TokenBucketScale& scale = scales_[index_of(service)];
    if (!scale.enabled()) return Verdict::Pass;
    use.limited = false;
    if (use.tokens >= scale.per_response()) {
        use.tokens = static_cast<std::uint16_t>(use.tokens - scale.per_response());
        return Verdict::Pass;
    }

    const std::uint64_t bits = random.next();
    bool dropped = (bits & ((1U << scale.leak()) - 1)) != 0;
    // Some clients ask faster when they get no answer. If this one does so at more than twice the
    // rate, limiting only makes things worse: mostly answer then, which slows it down.
    if (service == Service::Ntp && use.limited_rate.exceeds_twice(use.rate)) dropped = !dropped;
    if (!dropped) {
        use.tokens = 0;
        return Verdict::Pass;
    }
    if (scale.kod() > 0 && ((bits >> 32) & ((1U << scale.kod()) - 1)) == 0) return Verdict::Kod;

    if (service == Service::Ntp) use.limited = true;
    if (use.drops < 0xffff) ++use.drops;
    return Verdict::Drop;
}

int ClientLog::shortest_ntp_interval() const noexcept {
    const RateLimit& limit = config_.limits[index_of(Service::Ntp)];
    if (!limit.enabled) return RateLimit::kMinInterval;
    return std::clamp(limit.interval, RateLimit::kMinInterval, RateLimit::kMaxInterval);
}

std::optional<ClientRecordView> ClientLog::report(std::size_t position, std::uint32_t min_hits,
                                                  bool reset, SystemTime now) noexcept {
    if (position >= record_count_) return std::nullopt;
    Bucket& bucket = buckets_[position / kTagsPerWord];
    const std::size_t place = position % kTagsPerWord;
    ByteLockGuard guard(bucket.lock);
    if (!guard) return std::nullopt;
    const Record& record = bucket.records[place];
    if (record.ntp.family == IpAddress::Family::Unspecified) return std::nullopt;

    bool enough = min_hits == 0;
    ClientRecordView view;
    view.address = record.ip();
    const std::uint32_t now_ticks = to_ticks(now);
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        Use& use = use_of(static_cast<Service>(i), position / kTagsPerWord, place);
        enough = enough || use.hits >= min_hits;
        view.hits[i] = use.hits;
        view.drops[i] = use.drops;
        view.interval[i] = use.last_hit == 0 ? 127 : use.rate.interval_log2();
        const std::uint32_t ago = now_ticks - use.last_hit;
        view.last_hit_ago_s[i] = use.last_hit == 0 || static_cast<std::int32_t>(ago) < 0
                                     ? ClientRecordView::kNeverHit
                                     : ago >> TokenBucketScale::kTickBits;
        if (reset && use.last_hit != 0) {
            use.hits = 0;
            use.drops = 0;
        }
    }
    if (record.ntp.last_hit != 0) {
        view.ntp_limited_interval = record.ntp.limited_rate.interval_log2();
    }
    if (reset) bucket.hits[place] = 0;
    if (!enough) return std::nullopt;
    return view;
}

ClientLog::Totals ClientLog::totals() const noexcept {
    Totals totals;
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        totals.hits[i] = hits_[i].load(std::memory_order_relaxed);
        totals.drops[i] = drops_[i].load(std::memory_order_relaxed);
    }
    totals.record_drops = record_drops_.load(std::memory_order_relaxed);
    return totals;
}

void ClientLog::reset_totals() noexcept {
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        hits_[i].store(0, std::memory_order_relaxed);
        drops_[i].store(0, std::memory_order_relaxed);
    }
    record_drops_.store(0, std::memory_order_relaxed);
}

}  // namespace gnomon
