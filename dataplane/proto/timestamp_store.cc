#include "dataplane/proto/timestamp_store.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "dataplane/proto/byte_lock.h"

namespace gnomon {

namespace {

constexpr std::size_t kBucketSize = 8;

}  // namespace

struct TimestampStore::Pair {
    std::uint64_t receive = 0;  ///< as sent; 0: empty
    SystemTime receive_system;
    Duration utc_minus_system;
    std::int32_t transmit_after_ns = 0;  ///< on the system clock, from `receive_system`
    float rate = 0.0F;
    std::uint32_t order = 0;
    std::uint16_t epoch = 0;
    TimestampSource source = TimestampSource::Daemon;
    bool disabled = false;

    SystemTime transmit() const noexcept {
        return receive_system + Duration::from_ns(transmit_after_ns);
    }
};

struct TimestampStore::Bucket {
    ByteLock lock;
    std::array<Pair, kBucketSize> pairs;

    Pair* find(std::uint64_t receive, std::uint16_t epoch) noexcept {
        for (Pair& pair : pairs) {
            if (pair.receive == receive && pair.epoch == epoch) return &pair;
        }
        return nullptr;
    }
};

TimestampStore::TimestampStore(std::size_t capacity) {
    if (capacity == 0) return;
    const std::size_t pairs =
        std::bit_ceil(std::clamp<std::size_t>(capacity, kBucketSize, 1U << 24));
    bucket_count_ = pairs / kBucketSize;
    static_assert(std::is_trivially_destructible_v<Bucket>);
    buckets_ = static_cast<Bucket*>(std::calloc(bucket_count_, sizeof(Bucket)));
    if (buckets_ == nullptr) throw std::bad_alloc();
}

TimestampStore::~TimestampStore() { std::free(buckets_); }

TimestampStore::Bucket& TimestampStore::bucket_of(std::uint64_t receive) const noexcept {
    // Multiplicative hashing (Knuth 6.4): consecutive times spread well, and nobody chooses them.
    const std::uint64_t hash = (receive >> 1) * 0x9e3779b97f4a7c15ULL;
    return buckets_[(hash >> 32) & (bucket_count_ - 1)];
}

bool TimestampStore::contains(NtpTimestamp receive) const noexcept {
    if (buckets_ == nullptr || receive.is_zero()) return false;
    Bucket& bucket = bucket_of(receive.bits());
    ByteLockGuard guard(bucket.lock);
    return guard && bucket.find(receive.bits(), epoch_.load(std::memory_order_relaxed)) != nullptr;
}

bool TimestampStore::save(NtpTimestamp receive, const Conversion& conversion, SystemTime transmit,
                          TimestampSource source) noexcept {
    const Duration after = transmit - conversion.receive;
    // Beyond two seconds the reply sat in a queue, or the clock was stepped in between.
    if (buckets_ == nullptr || receive.is_zero() || abs(after) >= Duration::from_s(2)) return false;
    const std::uint16_t epoch = epoch_.load(std::memory_order_relaxed);
    const std::uint32_t order = order_.fetch_add(1, std::memory_order_relaxed);

    Bucket& bucket = bucket_of(receive.bits());
    ByteLockGuard guard(bucket.lock);
    if (!guard) return false;
    if (Pair* pair = bucket.find(receive.bits(), epoch)) {
        pair->disabled = true;
        return false;
    }
    Pair* victim = &bucket.pairs[0];
    for (Pair& pair : bucket.pairs) {
        if (pair.receive == 0 || pair.epoch != epoch) {
            victim = &pair;
            break;
        }
        if (order - pair.order > order - victim->order) victim = &pair;
    }
    victim->receive = receive.bits();
    victim->receive_system = conversion.receive;
    victim->utc_minus_system = conversion.utc_minus_system;
    victim->transmit_after_ns = static_cast<std::int32_t>(after.ns());
    victim->rate = static_cast<float>(conversion.rate);
    victim->order = order;
    victim->epoch = epoch;
    victim->source = source;
    victim->disabled = false;
    return true;
}

void TimestampStore::update(NtpTimestamp receive, SystemTime transmit,
                            TimestampSource source) noexcept {
    if (buckets_ == nullptr || receive.is_zero()) return;
    Bucket& bucket = bucket_of(receive.bits());
    ByteLockGuard guard(bucket.lock);
    if (!guard) return;
    Pair* pair = bucket.find(receive.bits(), epoch_.load(std::memory_order_relaxed));
    // With both kinds of stamps switched on, the software one may come after the hardware one.
    if (pair == nullptr || pair->source > source) return;
    // The first estimate is a prediction and may be late by what it mispredicts.
    const Duration delay = transmit - pair->transmit();
    const Duration after = transmit - pair->receive_system;
    if (delay < -Duration::from_ms(1) || delay > Duration::from_s(1)) return;
    if (abs(after) >= Duration::from_s(2)) return;
    pair->transmit_after_ns = static_cast<std::int32_t>(after.ns());
    pair->source = source;
}

std::optional<TimestampStore::Transmit> TimestampStore::take(NtpTimestamp receive) noexcept {
    if (buckets_ == nullptr || receive.is_zero()) return std::nullopt;
    Bucket& bucket = bucket_of(receive.bits());
    ByteLockGuard guard(bucket.lock);
    if (!guard) return std::nullopt;
    Pair* pair = bucket.find(receive.bits(), epoch_.load(std::memory_order_relaxed));
    if (pair == nullptr || pair->disabled) return std::nullopt;
    pair->disabled = true;
    const Duration drift =
        Duration::from_seconds(static_cast<double>(pair->rate) * pair->transmit_after_ns * 1e-9);
    const Duration since_epoch = pair->transmit().since_epoch() + pair->utc_minus_system + drift;
    return Transmit{UtcTime::from_ns(since_epoch.ns()), pair->source};
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
        ByteLockGuard guard(buckets_[i].lock);
        if (!guard) continue;
        for (const Pair& pair : buckets_[i].pairs) {
            if (pair.receive == 0 || pair.epoch != epoch) continue;
            // By their difference, so that an era may end between them.
            if (held.count == 0 || static_cast<std::int64_t>(pair.receive - oldest) < 0) {
                oldest = pair.receive;
            }
            if (held.count == 0 || static_cast<std::int64_t>(pair.receive - newest) > 0) {
                newest = pair.receive;
            }
            ++held.count;
        }
    }
    held.span_s = (newest - oldest) >> 32;
    return held;
}

}  // namespace gnomon
