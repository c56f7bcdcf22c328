#pragma once

/// `TimestampStore`: the server's side of the interleaved mode (RFC 9769). A response in this mode
/// carries the precise transmit time of the *previous* response, which the client names by that
/// response's receive timestamp in its origin field.
///
/// Pairs are found by receive timestamp alone and never by address: so it works behind address
/// translation and for clients that change their port, and whichever worker gets the request.
/// Therefore a receive timestamp may be stored once only; `save` refuses the second.
///
/// Each pair keeps the conversion from system time to NTP time that its receive timestamp was made
/// with. A transmit stamp that arrives after the clock was corrected is converted the old way, and
/// the client sees no jump between the two.
///
/// Fixed memory: buckets of eight pairs, the oldest makes room. Thread-safe as `ClientLog`: a byte
/// lock per bucket, bounded tries; who does not get it answers in the basic mode.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "servo/units/duration.h"
#include "servo/units/measurement.h"
#include "servo/units/ntp_time.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

class TimestampStore {
public:
    /// `capacity`: pairs, rounded up to a power of two, at least 8. 0: stores nothing.
    explicit TimestampStore(std::size_t capacity);
    ~TimestampStore();
    TimestampStore(const TimestampStore&) = delete;
    TimestampStore& operator=(const TimestampStore&) = delete;

    struct Transmit {
        UtcTime time;  ///< on the time scale that was served with the pair's receive timestamp
        TimestampSource source = TimestampSource::Daemon;
    };

    /// How the pair's receive timestamp was made: utc = system + offset, near `receive`.
    struct Conversion {
        SystemTime receive;
        Duration utc_minus_system;
        double rate = 0.0;  ///< s/s, slope of that difference
    };

    bool contains(NtpTimestamp receive) const noexcept;

    /// Remembers the response with this receive timestamp; `transmit` is the best that is known of
    /// its departure yet. False when the timestamp is there already (the stored pair is then
    /// disabled: it would be ambiguous), or when nothing is stored.
    bool save(NtpTimestamp receive, const Conversion& conversion, SystemTime transmit,
              TimestampSource source) noexcept;

    /// A transmit stamp of the response with this receive timestamp. Ignored when the pair is gone
    /// or when the stamp is not within a second after the first estimate.
    void update(NtpTimestamp receive, SystemTime transmit, TimestampSource source) noexcept;

    /// The transmit time that belongs to this receive timestamp, once: the pair is disabled, so
    /// that a replayed request gets an ordinary response.
    std::optional<Transmit> take(NtpTimestamp receive) noexcept;

    /// Somebody stepped the clock: stored times are worthless. Slews and steps of our own need
    /// nothing, see above.
    void adjust(const ClockAdjustment& adjustment) noexcept;

    /// For serverstats; walks the whole store.
    struct Held {
        std::uint64_t count = 0;
        std::uint64_t span_s = 0;  ///< from the oldest receive timestamp to the newest
    };
    Held held() const noexcept;

private:
    struct Pair;
    struct Bucket;

    Bucket& bucket_of(std::uint64_t receive) const noexcept;

    std::size_t bucket_count_ = 0;
    Bucket* buckets_ = nullptr;  ///< from calloc, as in ClientLog
    std::atomic<std::uint32_t> order_{0};
    std::atomic<std::uint16_t> epoch_{1};
};

}  // namespace gnomon
