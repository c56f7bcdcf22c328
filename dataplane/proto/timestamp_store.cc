#include "dataplane/proto/timestamp_store.h"

#include <algorithm>
#include <array>
#include <bit>

#include "dataplane/proto/byte_lock.h"
#include "dataplane/proto/byte_tags.h"

namespace gnomon {

namespace {

constexpr std::size_t kPairsPerBucket = 3;
constexpr unsigned kAfterBits = 40;
constexpr std::uint64_t kAfterMask = (std::uint64_t{1} << kAfterBits) - 1;
constexpr std::int64_t kUnitsPerS = std::int64_t{1} << 32;

std::int64_t difference(NtpTimestamp a, NtpTimestamp b) noexcept {
    return static_cast<std::int64_t>(a.bits() - b.bits());
}

/// A departure with the name of its pair, in one word that is written without the lock: if the place
/// has been given to another pair meanwhile, that one does not recognise it. Receive timestamps are
/// odd, so that a word of zero, "not known", belongs to none.
std::uint64_t departure_word(NtpTimestamp receive, std::int64_t after) noexcept {
    return receive.bits() << kAfterBits | (static_cast<std::uint64_t>(after) & kAfterMask);
}
bool is_of(std::uint64_t word, NtpTimestamp receive) noexcept {
    return word != 0 && ((word ^ departure_word(receive, 0)) >> kAfterBits) == 0;
}
std::int64_t after_of(std::uint64_t word) noexcept {
    return static_cast<std::int64_t>(word << (64 - kAfterBits)) >> (64 - kAfterBits);
}

}  // namespace

struct alignas(kCacheLine) TimestampStore::Bucket {
    ByteLock lock;
    std::uint8_t used;    ///< bit i: pair i has been taken
    std::uint16_t epoch;  ///< when it is not the store's, the bucket is empty
    std::uint16_t next_order;
    std::array<std::uint16_t, kPairsPerBucket> order;
    std::array<TimestampSource, kPairsPerBucket> source;
    std::array<std::uint64_t, kPairsPerBucket> receive;  ///< as sent; 0: empty
    std::array<std::atomic<std::uint64_t>, kPairsPerBucket> departure;

    /// kPairsPerBucket when it is not here.
    std::size_t find(NtpTimestamp wanted) const noexcept {
        std::size_t place = 0;
        while (place < kPairsPerBucket && receive[place] != wanted.bits()) ++place;
        return place;
    }
    /// The place for another pair: an empty one, else one that was used, else the oldest.
    std::size_t victim() const noexcept {
        std::size_t place = 0;
        for (std::size_t i = 0; i < kPairsPerBucket; ++i) {
            if (receive[i] == 0) return i;
            const auto age = static_cast<std::uint16_t>(next_order - order[i]);
            const auto oldest = static_cast<std::uint16_t>(next_order - order[place]);
            if (age > oldest) place = i;
        }
        return used == 0 ? place : static_cast<std::size_t>(std::countr_zero(used));
    }
};

TimestampStore::TimestampStore(std::size_t capacity) {
    static_assert(sizeof(Bucket) == kCacheLine);
    if (capacity == 0) return;
    const std::size_t pairs = std::bit_ceil(std::clamp<std::size_t>(capacity, 2, 1U << 24));
    bucket_count_ = pairs / 2;
    buckets_ = ZeroedArray<Bucket>(bucket_count_);
}

TimestampStore::~TimestampStore() = default;

TimestampStore::Bucket& TimestampStore::bucket_of(NtpTimestamp receive) const noexcept {
    // Nobody chooses these times but we: no secret is needed.
    const std::uint64_t hash =
        fold_product(receive.bits() ^ 0xa0761d6478bd642fULL, 0xe7037ed1a0b428dbULL);
    return buckets_[hash & (bucket_count_ - 1)];
}

void TimestampStore::prefetch(NtpTimestamp receive) const noexcept {
    if (!buckets_.is_empty()) fetch_line(&bucket_of(receive));
}

/// The bucket's lock is held.
void TimestampStore::refresh(Bucket& bucket) const noexcept {
    const std::uint16_t epoch = epoch_.load(std::memory_order_relaxed);
    if (bucket.epoch == epoch) return;
    bucket.epoch = epoch;
    bucket.used = 0;
    bucket.receive.fill(0);
}

TimestampStore::Reservation TimestampStore::reserve(NtpTimestamp receive) noexcept {
    using Result = Reservation::Result;
    if (buckets_.is_empty() || receive.is_zero()) return {};
    Bucket& bucket = bucket_of(receive);
    ByteLockGuard guard(bucket.lock);
    if (!guard) return {};
    refresh(bucket);
    if (bucket.find(receive) < kPairsPerBucket) return {Result::Taken, 0};
    const std::size_t place = bucket.victim();
    bucket.used = static_cast<std::uint8_t>(bucket.used & ~(1U << place));
    bucket.order[place] = bucket.next_order++;
    bucket.source[place] = TimestampSource::Daemon;
    bucket.receive[place] = receive.bits();
    bucket.departure[place].store(0, std::memory_order_relaxed);
    const auto index = static_cast<std::size_t>(&bucket - &buckets_[0]);
    return {Result::Reserved, static_cast<std::uint32_t>(index * kPairsPerBucket + place)};
}

void TimestampStore::complete(std::uint32_t place, NtpTimestamp receive,
                              NtpTimestamp transmit) noexcept {
    // Beyond two seconds the reply sat in a queue, or the clock was stepped in between.
    const std::int64_t after = difference(transmit, receive);
    if (after >= 2 * kUnitsPerS || after <= -2 * kUnitsPerS) return;
    buckets_[place / kPairsPerBucket].departure[place % kPairsPerBucket].store(
        departure_word(receive, after), std::memory_order_relaxed);
}

void TimestampStore::update(NtpTimestamp receive, NtpTimestamp transmit,
                            TimestampSource source) noexcept {
    if (buckets_.is_empty() || receive.is_zero()) return;
    Bucket& bucket = bucket_of(receive);
    ByteLockGuard guard(bucket.lock);
    if (!guard) return;
    refresh(bucket);
    const std::size_t place = bucket.find(receive);
    // With both kinds of stamps switched on, the software one may come after the hardware one.
    if (place == kPairsPerBucket || bucket.source[place] > source) return;
    const std::uint64_t estimate = bucket.departure[place].load(std::memory_order_relaxed);
    if (!is_of(estimate, receive)) return;
    // The first estimate is a prediction and may be late by what it mispredicts.
    const std::int64_t after = difference(transmit, receive);
    if (after >= 2 * kUnitsPerS || after <= -2 * kUnitsPerS) return;
    const std::int64_t delay = after - after_of(estimate);
    if (delay < -kUnitsPerS / 1000 || delay > kUnitsPerS) return;
    bucket.departure[place].store(departure_word(receive, after), std::memory_order_relaxed);
    bucket.source[place] = source;
}

std::optional<TimestampStore::Transmit> TimestampStore::take(NtpTimestamp receive) noexcept {
    if (buckets_.is_empty() || receive.is_zero()) return std::nullopt;
    Bucket& bucket = bucket_of(receive);
    ByteLockGuard guard(bucket.lock);
    if (!guard) return std::nullopt;
    refresh(bucket);
    const std::size_t place = bucket.find(receive);
    if (place == kPairsPerBucket || (bucket.used >> place & 1) != 0) return std::nullopt;
    bucket.used = static_cast<std::uint8_t>(bucket.used | 1U << place);
    const std::uint64_t known = bucket.departure[place].load(std::memory_order_relaxed);
    if (!is_of(known, receive)) return std::nullopt;
    const auto after = static_cast<std::uint64_t>(after_of(known));
    return Transmit{NtpTimestamp::from_bits(receive.bits() + after), bucket.source[place]};
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
        for (const std::uint64_t receive : bucket.receive) {
            if (receive == 0) continue;
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
