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
    std::uint8_t used;  ///< bit i: pair i has been taken
    /// Pairs of this bucket that found room in the one beside only; may stay too high.
    std::atomic<std::uint8_t> away;
    std::uint16_t epoch;  ///< when it is not the store's, the bucket is empty
    std::uint8_t next_order;
    std::array<std::uint8_t, kPairsPerBucket> order;  ///< modulo 256
    std::array<TimestampSource, kPairsPerBucket> source;
    std::array<std::uint64_t, kPairsPerBucket> receive;  ///< as sent; 0: empty
    std::array<std::atomic<std::uint64_t>, kPairsPerBucket> departure;

    /// kPairsPerBucket when it is not here.
    std::size_t find(NtpTimestamp wanted) const noexcept {
        std::size_t place = 0;
        while (place < kPairsPerBucket && receive[place] != wanted.bits()) ++place;
        return place;
    }
    /// A place that is empty or whose pair was used; kPairsPerBucket when there is none.
    std::size_t free_place() const noexcept {
        std::size_t place = 0;
        while (place < kPairsPerBucket && receive[place] != 0 && (used >> place & 1) == 0) ++place;
        return place;
    }
    std::size_t oldest() const noexcept {
        std::size_t place = 0;
        for (std::size_t i = 1; i < kPairsPerBucket; ++i) {
            const auto age = static_cast<std::uint8_t>(next_order - order[i]);
            if (age > static_cast<std::uint8_t>(next_order - order[place])) place = i;
        }
        return place;
    }
    void put(std::size_t place, NtpTimestamp pair) noexcept {
        used = static_cast<std::uint8_t>(used & ~(1U << place));
        order[place] = next_order++;
        source[place] = TimestampSource::Daemon;
        receive[place] = pair.bits();
        departure[place].store(0, std::memory_order_relaxed);
    }
};

TimestampStore::TimestampStore(std::size_t capacity) {
    static_assert(sizeof(Bucket) == kCacheLine);
    if (capacity == 0) return;
    const std::size_t pairs = std::bit_ceil(std::clamp<std::size_t>(capacity, 4, 1U << 24));
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
    bucket.away.store(0, std::memory_order_relaxed);
    bucket.receive.fill(0);
}

/// The other line of the two that the processor likes to fetch together.
TimestampStore::Bucket& TimestampStore::beside(const Bucket& bucket) const noexcept {
    return buckets_[static_cast<std::size_t>(&bucket - &buckets_[0]) ^ 1];
}

TimestampStore::Reservation TimestampStore::reserved(Bucket& bucket, std::size_t place,
                                                     NtpTimestamp receive) const noexcept {
    bucket.put(place, receive);
    const auto index = static_cast<std::size_t>(&bucket - &buckets_[0]);
    return {Reservation::Result::Reserved,
            static_cast<std::uint32_t>(index * kPairsPerBucket + place)};
}

TimestampStore::Reservation TimestampStore::reserve(NtpTimestamp receive) noexcept {
    using Result = Reservation::Result;
    if (buckets_.is_empty() || receive.is_zero()) return {};
    Bucket& home = bucket_of(receive);
    {
        ByteLockGuard guard(home.lock);
        if (!guard) return {};
        refresh(home);
        if (home.find(receive) < kPairsPerBucket) return {Result::Taken, 0};
        const std::size_t place = home.free_place();
        if (place < kPairsPerBucket) return reserved(home, place, receive);
    }
    {
        Bucket& other = beside(home);
        ByteLockGuard guard(other.lock);
        if (!guard) return {};
        refresh(other);
        if (other.find(receive) < kPairsPerBucket) return {Result::Taken, 0};
        const std::size_t place = other.free_place();
        if (place < kPairsPerBucket && home.away.load(std::memory_order_relaxed) < 200) {
            home.away.fetch_add(1, std::memory_order_relaxed);
            return reserved(other, place, receive);
        }
    }
    ByteLockGuard guard(home.lock);
    if (!guard) return {};
    return reserved(home, home.oldest(), receive);
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
    Bucket& home = bucket_of(receive);
    if (!update_in(home, receive, transmit, source) &&
        home.away.load(std::memory_order_relaxed) != 0) {
        update_in(beside(home), receive, transmit, source);
    }
}

/// False: the pair is not in this bucket.
bool TimestampStore::update_in(Bucket& bucket, NtpTimestamp receive, NtpTimestamp transmit,
                               TimestampSource source) noexcept {
    ByteLockGuard guard(bucket.lock);
    if (!guard) return false;
    refresh(bucket);
    const std::size_t place = bucket.find(receive);
    if (place == kPairsPerBucket) return false;
    // With both kinds of stamps switched on, the software one may come after the hardware one.
    if (bucket.source[place] > source) return true;
    const std::uint64_t estimate = bucket.departure[place].load(std::memory_order_relaxed);
    if (!is_of(estimate, receive)) return true;
    // The first estimate is a prediction and may be late by what it mispredicts.
    const std::int64_t after = difference(transmit, receive);
    if (after >= 2 * kUnitsPerS || after <= -2 * kUnitsPerS) return true;
    const std::int64_t delay = after - after_of(estimate);
    if (delay < -kUnitsPerS / 1000 || delay > kUnitsPerS) return true;
    bucket.departure[place].store(departure_word(receive, after), std::memory_order_relaxed);
    bucket.source[place] = source;
    return true;
}

std::optional<TimestampStore::Transmit> TimestampStore::take(NtpTimestamp receive) noexcept {
    if (buckets_.is_empty() || receive.is_zero()) return std::nullopt;
    Bucket& home = bucket_of(receive);
    if (const auto transmit = take_from(home, receive)) return transmit;
    if (home.away.load(std::memory_order_relaxed) == 0) return std::nullopt;
    const auto transmit = take_from(beside(home), receive);
    if (transmit) home.away.fetch_sub(1, std::memory_order_relaxed);
    return transmit;
}

std::optional<TimestampStore::Transmit> TimestampStore::take_from(Bucket& bucket,
                                                                  NtpTimestamp receive) noexcept {
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
