#include "dataplane/proto/timestamp_store.h"

#include <algorithm>
#include <array>
#include <bit>

#include "dataplane/proto/byte_lock.h"
#include "dataplane/proto/byte_tags.h"

namespace gnomon {

namespace {

constexpr std::size_t kBucketSize = kTagsPerWord;
constexpr double kUnitsPerNs = 0x1p32 / 1e9;

/// A transmit time with the name of its pair, in one word that is written without the lock: if the
/// place has been given to another pair meanwhile, that one does not recognise it.
std::uint64_t departure(NtpTimestamp receive, std::int32_t after_ns) noexcept {
    return receive.bits() << 32 | static_cast<std::uint32_t>(after_ns);
}
bool is_of(std::uint64_t departure, NtpTimestamp receive) noexcept {
    // Receive timestamps are odd: zero, which is nobody's, belongs to none.
    return departure >> 32 == (receive.bits() & 0xffff'ffffU) && departure != 0;
}
std::int32_t after_ns(std::uint64_t departure) noexcept {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(departure));
}

}  // namespace

struct TimestampStore::Pair {
    std::uint64_t receive;  ///< as sent
    SystemTime receive_system;
    std::atomic<std::uint64_t> departure;
    float rate;
    std::int16_t excess;  ///< of `receive` over served time at the reception, 2^-32 s
    TimestampSource source;
};

struct alignas(kCacheLine / 2) TimestampStore::Bucket {
    ByteLock lock;
    std::uint8_t used;    ///< bit i: pair i has been taken
    std::uint16_t epoch;  ///< when it is not the store's, the bucket is empty
    std::uint16_t next_order;
    /// Read without the lock by `prefetch_pair` only.
    std::atomic<std::uint64_t> tags;
    std::array<std::uint16_t, kBucketSize> order;
};

TimestampStore::TimestampStore(std::size_t capacity) {
    static_assert(sizeof(Bucket) == kCacheLine / 2 && sizeof(Pair) == kCacheLine / 2);
    if (capacity == 0) return;
    const std::size_t pairs =
        std::bit_ceil(std::clamp<std::size_t>(capacity, kBucketSize, 1U << 24));
    bucket_count_ = pairs / kBucketSize;
    buckets_ = ZeroedArray<Bucket>(bucket_count_);
    pairs_ = ZeroedArray<Pair>(pairs);
}

TimestampStore::~TimestampStore() = default;

// Multiplicative hashing (Knuth 6.4): consecutive times spread well, and nobody chooses them.
std::uint64_t TimestampStore::hash(NtpTimestamp receive) noexcept {
    return (receive.bits() >> 1) * 0x9e3779b97f4a7c15ULL;
}

void TimestampStore::prefetch_bucket(NtpTimestamp receive) const noexcept {
    if (!buckets_.is_empty()) __builtin_prefetch(&buckets_[bucket_of(hash(receive))], 1);
}

void TimestampStore::prefetch_pair(NtpTimestamp receive) const noexcept {
    if (buckets_.is_empty()) return;
    const std::uint64_t h = hash(receive);
    const std::size_t bucket = bucket_of(h);
    const std::uint64_t tags = buckets_[bucket].tags.load(std::memory_order_relaxed);
    std::uint64_t matches = equal_tags(tags, tag_of(h));
    if (matches == 0) matches = equal_tags(tags, 0);
    if (matches == 0) return;
    __builtin_prefetch(&pairs_[bucket * kBucketSize + first_place(matches)], 1);
}

/// The bucket's lock is held, here and below.
void TimestampStore::refresh(Bucket& bucket) const noexcept {
    const std::uint16_t epoch = epoch_.load(std::memory_order_relaxed);
    if (bucket.epoch == epoch) return;
    bucket.epoch = epoch;
    bucket.used = 0;
    bucket.tags.store(0, std::memory_order_relaxed);
}

TimestampStore::Pair* TimestampStore::find(std::size_t bucket, std::uint64_t hash,
                                           NtpTimestamp receive,
                                           std::size_t& place) const noexcept {
    refresh(buckets_[bucket]);
    const std::uint64_t tags = buckets_[bucket].tags.load(std::memory_order_relaxed);
    for (std::uint64_t m = equal_tags(tags, tag_of(hash)); m != 0; m &= m - 1) {
        place = first_place(m);
        Pair& pair = pairs_[bucket * kBucketSize + place];
        if (pair.receive == receive.bits()) return &pair;
    }
    return nullptr;
}

TimestampStore::Reservation TimestampStore::reserve(NtpTimestamp receive,
                                                    const Conversion& conversion) noexcept {
    using Result = Reservation::Result;
    if (buckets_.is_empty() || receive.is_zero()) return {};
    const std::uint64_t h = hash(receive);
    const std::size_t bucket = bucket_of(h);
    Bucket& b = buckets_[bucket];
    ByteLockGuard guard(b.lock);
    if (!guard) return {};
    std::size_t place = 0;
    if (find(bucket, h, receive, place) != nullptr) return {Result::Taken, 0};

    const std::uint64_t tags = b.tags.load(std::memory_order_relaxed);
    const auto age = [&b](std::size_t i) {
        return static_cast<std::uint16_t>(b.next_order - b.order[i]);
    };
    if (const std::uint64_t empty = equal_tags(tags, 0); empty != 0) {
        place = first_place(empty);
    } else if (b.used != 0) {
        place = static_cast<std::size_t>(std::countr_zero(b.used));
    } else {
        place = 0;
        for (std::size_t i = 1; i < kBucketSize; ++i) {
            if (age(i) > age(place)) place = i;
        }
    }
    b.tags.store(with_tag(tags, place, tag_of(h)), std::memory_order_relaxed);
    b.order[place] = b.next_order++;
    b.used = static_cast<std::uint8_t>(b.used & ~(1U << place));
    const auto index = static_cast<std::uint32_t>(bucket * kBucketSize + place);
    Pair& pair = pairs_[index];
    pair.receive = receive.bits();
    pair.receive_system = conversion.receive;
    pair.departure.store(0, std::memory_order_relaxed);
    pair.rate = static_cast<float>(conversion.rate);
    pair.excess = static_cast<std::int16_t>(receive.bits() - conversion.utc.bits());
    pair.source = TimestampSource::Daemon;
    return {Result::Reserved, index};
}

void TimestampStore::complete(std::uint32_t place, NtpTimestamp receive, Duration after) noexcept {
    // Beyond two seconds the reply sat in a queue, or the clock was stepped in between.
    if (abs(after) >= Duration::from_s(2)) return;
    pairs_[place].departure.store(departure(receive, static_cast<std::int32_t>(after.ns())),
                                  std::memory_order_relaxed);
}

void TimestampStore::update(NtpTimestamp receive, SystemTime transmit,
                            TimestampSource source) noexcept {
    if (buckets_.is_empty() || receive.is_zero()) return;
    const std::uint64_t h = hash(receive);
    const std::size_t bucket = bucket_of(h);
    ByteLockGuard guard(buckets_[bucket].lock);
    if (!guard) return;
    std::size_t place = 0;
    Pair* pair = find(bucket, h, receive, place);
    // With both kinds of stamps switched on, the software one may come after the hardware one.
    if (pair == nullptr || pair->source > source) return;
    const std::uint64_t estimate = pair->departure.load(std::memory_order_relaxed);
    if (!is_of(estimate, receive)) return;
    // The first estimate is a prediction and may be late by what it mispredicts.
    const Duration after = transmit - pair->receive_system;
    const Duration delay = after - Duration::from_ns(after_ns(estimate));
    if (delay < -Duration::from_ms(1) || delay > Duration::from_s(1)) return;
    if (abs(after) >= Duration::from_s(2)) return;
    pair->departure.store(departure(receive, static_cast<std::int32_t>(after.ns())),
                          std::memory_order_relaxed);
    pair->source = source;
}

std::optional<TimestampStore::Transmit> TimestampStore::take(NtpTimestamp receive) noexcept {
    if (buckets_.is_empty() || receive.is_zero()) return std::nullopt;
    const std::uint64_t h = hash(receive);
    const std::size_t bucket = bucket_of(h);
    Bucket& b = buckets_[bucket];
    ByteLockGuard guard(b.lock);
    if (!guard) return std::nullopt;
    std::size_t place = 0;
    const Pair* pair = find(bucket, h, receive, place);
    if (pair == nullptr || (b.used >> place & 1) != 0) return std::nullopt;
    b.used = static_cast<std::uint8_t>(b.used | 1U << place);
    const std::uint64_t known = pair->departure.load(std::memory_order_relaxed);
    if (!is_of(known, receive)) return std::nullopt;
    const double units = after_ns(known) * (1.0 + static_cast<double>(pair->rate)) * kUnitsPerNs;
    const auto since = static_cast<std::int64_t>(units + (units < 0.0 ? -0.5 : 0.5));
    const std::uint64_t served = receive.bits() - static_cast<std::uint64_t>(pair->excess);
    return Transmit{NtpTimestamp::from_bits(served + static_cast<std::uint64_t>(since)),
                    pair->source};
}

void TimestampStore::adjust(const ClockAdjustment& adjustment) noexcept {
    if (adjustment.kind != ClockAdjustment::Kind::UnknownStep) return;
    epoch_.fetch_add(1, std::memory_order_relaxed);
}

TimestampStore::Held TimestampStore::held() const noexcept {
    Held held;
    std::uint64_t oldest = 0;
    std::uint64_t newest = 0;
    const std::uint16_t epoch = epoch_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < bucket_count_; ++i) {
        Bucket& bucket = buckets_[i];
        ByteLockGuard guard(bucket.lock);
        if (!guard || bucket.epoch != epoch) continue;
        const std::uint64_t empty = equal_tags(bucket.tags.load(std::memory_order_relaxed), 0);
        for (std::size_t place = 0; place < kBucketSize; ++place) {
            if ((empty >> (place * 8 + 7) & 1) != 0) continue;
            const std::uint64_t receive = pairs_[i * kBucketSize + place].receive;
            // By their difference, so that an era may end between them.
            if (held.count == 0 || static_cast<std::int64_t>(receive - oldest) < 0) {
                oldest = receive;
            }
            if (held.count == 0 || static_cast<std::int64_t>(receive - newest) > 0) {
                newest = receive;
            }
            ++held.count;
        }
    }
    held.span_s = (newest - oldest) >> 32;
    return held;
}

}  // namespace gnomon
