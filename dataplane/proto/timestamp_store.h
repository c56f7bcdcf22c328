#pragma once

/// `TimestampStore`: the server's side of the interleaved mode (RFC 9769). A response in this mode
/// carries the precise transmit time of the *previous* response, which the client names by that
/// response's receive timestamp in its origin field.
///
/// Pairs are found by receive timestamp alone and never by address: so it works behind address
/// translation and for clients that change their port, and whichever worker gets the request.
/// Therefore a receive timestamp may be stored once only; `save` refuses the second.
///
/// Both times of a pair are on the scale that its receive timestamp was served on; who reports a
/// transmit stamp converts it the way the receive timestamp was. Then a client sees no jump between
/// the two when the clock was corrected in between.
///
/// A response takes its place when its receive timestamp is chosen (`reserve`) and tells its transmit
/// time when that is known (`complete`); in between there is nothing to find.
///
/// Fixed memory: a bucket is one cache line with three pairs, and there is one for every two pairs of
/// capacity. A pair that was used makes room first; a full bucket passes a pair to the one beside; when
/// that is full too, the oldest makes room.
/// Thread-safe as `ClientLog`: a byte lock per bucket, bounded tries; who does not get it answers in
/// the basic mode. `complete` needs no lock.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/proto/zeroed_array.h"
#include "servo/units/duration.h"
#include "servo/units/measurement.h"
#include "servo/units/ntp_time.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

class TimestampStore {
public:
    /// `capacity`: pairs, rounded up to a power of two, at least 4. 0: stores nothing.
    explicit TimestampStore(std::size_t capacity);
    ~TimestampStore();
    TimestampStore(const TimestampStore&) = delete;
    TimestampStore& operator=(const TimestampStore&) = delete;

    struct Transmit {
        NtpTimestamp time;  ///< on the time scale that was served with the pair's receive timestamp
        TimestampSource source = TimestampSource::Daemon;
    };

    struct Reservation {
        enum class Result : std::uint8_t {
            Reserved,
            Taken,  ///< the timestamp is there already: it would be ambiguous, take another one
            None,   ///< nothing is stored
        };
        Result result = Result::None;
        std::uint32_t place = 0;
    };
    Reservation reserve(NtpTimestamp receive) noexcept;
    /// `transmit`: when the response leaves, as good as it is known yet; the pair is of no use when
    /// that is 2 s or more from `receive`. `place` is from `reserve`; harmless when the pair has made
    /// room.
    void complete(std::uint32_t place, NtpTimestamp receive, NtpTimestamp transmit) noexcept;

    /// For bursts: fetches what all calls with this timestamp will need.
    void prefetch(NtpTimestamp receive) const noexcept;

    /// A transmit stamp of the response with this receive timestamp. Ignored when the pair is gone
    /// or when the stamp is not within a second after the first estimate.
    void update(NtpTimestamp receive, NtpTimestamp transmit, TimestampSource source) noexcept;

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
    struct Bucket;

    Bucket& bucket_of(NtpTimestamp receive) const noexcept;
    Bucket& beside(const Bucket& bucket) const noexcept;
    void refresh(Bucket& bucket) const noexcept;
    Reservation reserved(Bucket& bucket, std::size_t place, NtpTimestamp receive) const noexcept;
    bool update_in(Bucket& bucket, NtpTimestamp receive, NtpTimestamp transmit,
                   TimestampSource source) noexcept;
    std::optional<Transmit> take_from(Bucket& bucket, NtpTimestamp receive) noexcept;

    std::size_t bucket_count_ = 0;
    ZeroedArray<Bucket> buckets_;
    std::atomic<std::uint16_t> epoch_{1};
};

}  // namespace gnomon
