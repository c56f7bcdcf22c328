#pragma once

/// Rate limiting of responses: one token bucket per client and service (`ratelimit`,
/// `cmdratelimit`, `ntsratelimit`).
///
/// A bucket holds up to `burst` responses and refills by one response every 2^interval seconds.
/// When it is empty, a request is still answered with probability 2^-leak: otherwise somebody who
/// sends requests with a forged source address could cut the owner of that address off completely.
/// A refused NTP request is answered with a kiss of death (RATE) with probability 2^-kod.

#include <algorithm>
#include <cstdint>

namespace gnomon {

struct RateLimit {
    bool enabled = false;
    int interval = 3;  ///< log2 s, [-19, 12]
    int burst = 8;     ///< responses, [1, 255]
    int leak = 2;      ///< [1, 4]
    int kod = 0;       ///< [0, 4]; 0: no kiss of death

    static constexpr int kMinInterval = -19;
    static constexpr int kMaxInterval = 12;
};

/// A `RateLimit` in the integer arithmetic of the hot path. Time is counted in ticks of 1/16 s,
/// modulo 2^32; a bucket has 16 bits.
class TokenBucketScale {
public:
    static constexpr int kTickBits = 4;

    TokenBucketScale() noexcept = default;
    explicit TokenBucketScale(const RateLimit& limit) noexcept;

    bool enabled() const noexcept { return per_response_ != 0; }
    std::uint16_t capacity() const noexcept { return capacity_; }
    std::uint16_t per_response() const noexcept { return per_response_; }
    int leak() const noexcept { return leak_; }
    int kod() const noexcept { return kod_; }

    /// The bucket's content after the ticks from `before` to `now` (now ≥ before) have been added.
    std::uint16_t refill(std::uint16_t tokens, std::uint32_t before,
                         std::uint32_t now) const noexcept;

private:
    std::uint16_t capacity_ = 0;
    std::uint16_t per_response_ = 0;
    /// Tokens per tick are 2^-shift.
    int shift_ = 0;
    int leak_ = 0;
    int kod_ = 0;
};

/// The estimated request rate of one client: −4 · log2(interval in s), smoothed, in 8 bits.
class RequestRate {
public:
    /// Feeds the ticks since the previous request.
    void update(std::uint32_t ticks) noexcept;
    bool known() const noexcept { return value_ != kUnknown; }
    /// log2 s, rounded, as `clients` reports it; 127 when unknown.
    std::int8_t interval_log2() const noexcept;
    /// More than twice as many requests as `other`.
    bool exceeds_twice(const RequestRate& other) const noexcept {
        return known() && value_ > other.value_ + kScale;
    }

private:
    static constexpr int kScale = 4;
    static constexpr std::int8_t kUnknown = -128;  ///< below every rate

    std::int8_t value_ = kUnknown;
};

}  // namespace gnomon
