#pragma once

/// `Responder`: the NTP server for every kind of port (RFC 5905 modes 3→4 and 1→2, NTPv1, legacy
/// MACs, kiss of death RATE, interleaved mode of RFC 9769). No system call, lock or allocation; one
/// thread per object. Client log and timestamp store may be shared by several responders.
///
/// Requests come in bursts of 1 to kMaxBurst, because at line rate nearly all time is spent waiting
/// for memory: each step is done for the whole burst, and what the next one needs is fetched meanwhile.
///
/// Responses are made in two steps, because T3 should be taken as late as possible:
///  1. `prepare_burst` judges the requests and writes everything but T3 and the MAC;
///  2. right before the packets are handed on, the port calls `Reply::finish(now, position)` for each,
///     or `finish_burst` for all: T3 is `now` plus the predicted time to the wire, then comes the MAC.
/// Replies must be finished before the next `prepare_burst` of the same responder, or never.
/// Transmit stamps come back through `on_transmit_stamp`; they serve the interleaved mode and teach
/// the prediction.
///
/// A reply is written to a buffer of the caller's. It may be the request's own payload: all that is
/// needed of a request is read before anything is written, and no reply is longer than its request.
///
/// Timestamps carry random bits below one nanosecond (the resolution of stamps), centred, so that
/// they cost no accuracy: T2 is odd and T3 even in units of 2^-32 s, which tells an interleaved
/// request (its origin is one of our T2) from a basic one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/server_tables.h"
#include "dataplane/proto/timestamp_store.h"
#include "dataplane/proto/transmit_predictor.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/random_source.h"
#include "servo/units/server_state.h"

namespace gnomon {

class SymmetricKey;
class Responder;

/// One response on its way out. Reusable; must live until the port has sent it.
class Reply final : public TxFinisher {
public:
    /// Where the response is written. At least as long as the request that is answered; may be that
    /// request's payload. A shorter buffer drops the request.
    void use_buffer(std::span<std::uint8_t> buffer) noexcept { buffer_ = buffer; }

    /// The response. T3 and MAC are missing before `finish`.
    std::span<const std::uint8_t> bytes() const noexcept { return {buffer_.data(), size_}; }
    std::size_t size() const noexcept { return size_; }

    /// What to give to `Port::send`; `request` is what was answered.
    TxDatagram datagram(const RxDatagram& request) noexcept;

    /// Called by the port; `now` has just been read, `position` packets of the batch go first.
    void finish(SystemTime now, std::size_t position) noexcept override;

    /// The response repeats a stored transmit time: T3 is that of the previous response.
    bool interleaved() const noexcept { return interleaved_; }
    /// A transmit stamp of it is of use; report it with `cookie`.
    bool wants_stamp() const noexcept { return want_stamp_; }
    std::uint64_t cookie() const noexcept { return receive_; }

private:
    friend class Responder;

    Responder* responder_ = nullptr;
    std::span<std::uint8_t> buffer_;
    std::uint16_t size_ = 0;  ///< with the MAC
    std::uint16_t unsigned_size_ = 0;
    std::uint8_t version_ = 4;
    bool want_stamp_ = false;
    bool save_ = false;  ///< a place is kept for the pair, for the interleaved mode
    bool interleaved_ = false;
    bool symmetric_ = false;  ///< for a peer: not smoothed
    const SymmetricKey* key_ = nullptr;
    // Timestamps as they go out.
    std::uint64_t origin_ = 0;
    std::uint64_t receive_ = 0;
    std::uint64_t received_ = 0;  ///< served time at `received_at_`, without random bits
    std::uint64_t transmit_ = 0;  ///< of the previous response, in the interleaved mode
    SystemTime received_at_;
    std::uint32_t place_ = 0;  ///< in the timestamp store
};

/// Replies with memory of their own, for ports that need theirs back.
class ReplyArray {
public:
    explicit ReplyArray(std::size_t count);

    std::span<Reply> all() noexcept { return replies_; }
    Reply& operator[](std::size_t i) noexcept { return replies_[i]; }

private:
    std::vector<Reply> replies_;
    std::unique_ptr<std::uint8_t[]> memory_;
};

class Responder {
public:
    static constexpr std::size_t kMaxBurst = 64;

    /// All of it outlives the responder. `random` is used from the responder's thread only.
    Responder(ClientLog& log, TimestampStore& store, RandomSource& random);

    /// At most kMaxBurst requests; `replies` and `verdicts` are as long or longer. replies[i] is to be
    /// sent when verdicts[i] is `Drop::None`; it answers requests[i]. A request's `stamp` is when it
    /// came in. The keys of `tables` must live until the replies are finished.
    void prepare_burst(std::span<const RxDatagram> requests, const ServerState& state,
                       const ServerTables& tables, std::span<Reply> replies,
                       std::span<Drop> verdicts) noexcept;

    /// Finishes the replies of a burst of verdicts.size() requests whose verdict is `Drop::None`, which
    /// leave in this order; `now` has just
    /// been read.
    void finish_burst(std::span<Reply> replies, std::span<const Drop> verdicts,
                      SystemTime now) noexcept;

    /// Whether the port can report transmit stamps at all (at first: yes). Without, no reply asks for
    /// one, and nothing is remembered of it.
    void expect_stamps(bool expected) noexcept { expect_stamps_ = expected; }

    /// A report of the port for a reply of this responder.
    /// `cookie` is T2's bits; 0 with a payload: T2 is read from the payload.
    void on_transmit_stamp(const TxStampReport& report) noexcept;

    /// Counts a reply that the port could not send.
    void count_send_failure() noexcept;

    /// Requests are shown to `analytics` from now on, which this thread alone observes with; null: to
    /// nobody. It outlives the responder.
    void set_analytics(ClientAnalytics* analytics) noexcept { analytics_ = analytics; }

    const ServerCounters& counters() const noexcept { return counters_; }
    const TransmitPredictor& predictor() const noexcept { return predictor_; }

private:
    friend class Reply;
    friend class ResponderStages;  // tests/bench/dataplane: times the stages one by one

    /// What is kept of a request from one stage to the next.
    struct Request {
        std::uint64_t origin = 0;
        std::uint64_t receive = 0;
        std::uint64_t transmit = 0;
        std::uint64_t client = 0;       ///< hash of the address
        std::uint64_t received = 0;     ///< when it came in, in served time
        std::uint64_t received_as = 0;  ///< the same as the answer says it
        const SymmetricKey* key = nullptr;
        std::uint32_t key_id = 0;
        std::uint16_t mac_at = 0;  ///< where a MAC begins; 0: none
        std::uint8_t index = 0;    ///< in the burst
        std::uint8_t version = 0;
        std::int8_t poll = 0;
        Mode mode = Mode::Reserved;  ///< of the answer
        bool kiss = false;
        bool may_interleave = false;
        bool unknown_security = false;  ///< fields of a scheme that needs what we do not have
        bool wants_mono_root = false;
    };

    /// Part of a burst: the requests that have passed the stages so far, in order.
    struct Chunk {
        Request* requests = nullptr;
        std::size_t count = 0;
    };
    static constexpr std::size_t kChunk = 8;

    /// Served time near one instant as a line, in units of NTP timestamps.
    struct ServedLine {
        ClockLine clock;
        double smoothing_offset_s = 0.0;
        SystemTime base;
        std::uint64_t base_bits = 0;
        double units_per_ns = 0.0;
        bool straight = false;

        void start(const ClockLine& line, double offset_s, SystemTime near) noexcept;
        UtcTime to_utc(SystemTime t) const noexcept;
        std::uint64_t to_bits(SystemTime t) const noexcept;
    };

    /// What all replies of a burst to one kind of asker have in common.
    struct Served {
        ServedLine line;
        std::array<std::uint8_t, 24> header{};  ///< as encoded, up to the reference timestamp
        double root_delay_s = 1.0;
        double root_dispersion_s = 1.0;
    };

    void begin_burst(std::span<const RxDatagram> requests, const ServerState& state) noexcept;
    void begin_served(Served& served, const ServerState& state, double smoothing_offset_s,
                      SystemTime latest) noexcept;
    // The stages, for a chunk each; `burst` is what they have in common.
    struct Burst {
        std::span<const RxDatagram> requests;
        const ServerState& state;
        const ServerTables& tables;
        std::span<Reply> replies;
        std::span<Drop> verdicts;
    };
    Chunk parse(const Burst& burst, std::size_t first) noexcept;
    Drop parse(const RxDatagram& datagram, Request& request) noexcept;
    void look_up(const Burst& burst, Chunk& chunk) noexcept;
    void admit(const Burst& burst, Chunk& chunk) noexcept;
    void account(const Burst& burst, Chunk& chunk) noexcept;
    Drop authenticate_request(const RxDatagram& datagram, const KeyTable* keys,
                              Request& request) noexcept;
    void describe_due(std::span<const RxDatagram> requests) noexcept;
    void show_due(std::span<const RxDatagram> requests, std::span<const Reply> replies,
                  std::span<const Drop> verdicts) noexcept;
    void match(const Burst& burst, Chunk& chunk) noexcept;
    void write(const Burst& burst, Chunk& chunk) noexcept;
    void refuse(const Burst& burst, const Request& request, Drop reason) noexcept {
        burst.verdicts[request.index] = count(reason);
    }
    void write_header(const Request& request, const Served& served, Reply& reply) const noexcept;
    void write_mono_root(const Served& served, const ServerState& state,
                         Reply& reply) const noexcept;
    const Served& served_to(bool symmetric) const noexcept {
        return symmetric && smoothed_ ? to_peers_ : to_clients_;
    }
    std::uint64_t choose_receive(const Request& request) noexcept;
    bool reserve(Request& request, Reply& reply) noexcept;
    bool stamp_is_due(SystemTime now) noexcept;
    void complete(Reply& reply, SystemTime now, std::size_t position) noexcept;
    std::uint64_t random_bits(int count) noexcept;
    Drop count(Drop reason) noexcept;

    /// Replies whose stamp is awaited: how to convert it, and the reading of the clock that it tells
    /// the delay from. A later reply may take the slot; the stamp is lost then.
    struct Awaited {
        std::uint64_t cookie = 0;
        SystemTime read_at;
        SystemTime received_at;
        std::uint64_t received = 0;
        double units_per_ns = 0.0;
        std::uint8_t position = 0;
        TransmitPredictor::Lane lane = TransmitPredictor::Lane::Plain;
    };
    static constexpr std::size_t kAwaited = 1024;
    Awaited& awaited_slot(std::uint64_t cookie) noexcept {
        // Timestamps that were counted on from one another get neighbouring slots.
        return awaited_[(cookie >> 1) % kAwaited];
    }

    ClientLog& log_;
    TimestampStore& store_;
    RandomSource& random_;

    // The burst at hand.
    std::array<Request, kMaxBurst> requests_{};
    Served to_clients_;
    Served to_peers_;
    bool smoothed_ = false;
    bool expect_stamps_ = true;
    std::uint64_t last_receive_ = 0;
    ParsedPacket packet_;

    ClientAnalytics* analytics_ = nullptr;
    // Requests of the burst that analytics want to see, and where they are in the burst.
    std::array<ObservedRequest, kMaxBurst> observed_{};
    std::array<std::uint8_t, kMaxBurst> due_{};
    std::size_t due_count_ = 0;
    TransmitPredictor predictor_;
    ServerCounters counters_;
    std::array<Awaited, kAwaited> awaited_{};
    std::uint64_t random_bits_ = 0;
    int random_left_ = 0;
    SystemTime last_sample_;
};

}  // namespace gnomon
