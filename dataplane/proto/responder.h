#pragma once

/// `Responder`: the NTP server for every kind of port (RFC 5905 modes 3→4 and 1→2, NTPv1, legacy
/// MACs, kiss of death RATE, interleaved mode of RFC 9769). No system call, lock or allocation; one
/// thread per object. Client log and timestamp store may be shared by several responders.
///
/// A response is made in two steps, because T3 should be taken as late as possible:
///  1. `prepare` judges the request and writes everything but T3 and the MAC into a `Reply`;
///  2. the port calls the reply's `finish(now, position)` right before it hands the packet on: T3
///  is
///     `now` plus the predicted time to the wire, then the MAC is computed.
/// Transmit stamps come back through `on_transmit_stamp`; they serve the interleaved mode and teach
/// the prediction.
///
/// Timestamps carry random bits below one nanosecond (the resolution of stamps), centred, so that
/// they cost no accuracy: T2 is odd and T3 even in units of 2^-32 s, which tells an interleaved
/// request (its origin is one of our T2) from a basic one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/port/port.h"
#include "dataplane/proto/access_table.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/timestamp_store.h"
#include "dataplane/proto/transmit_predictor.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/random_source.h"
#include "servo/units/server_state.h"

namespace gnomon {

class KeyTable;
class SymmetricKey;
class Responder;

/// One response on its way out. Reusable; must live until the port has sent it.
class Reply final : public TxFinisher {
public:
    /// What to give to `Port::send`. The payload's T3 is written by `finish`.
    TxDatagram datagram() noexcept;
    std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), size_}; }

    /// Called by the port; `now` has just been read, `position` packets of the batch go first.
    void finish(SystemTime now, std::size_t position) noexcept override;

    /// The response repeats a stored transmit time: T3 is that of the previous response.
    bool interleaved() const noexcept { return interleaved_; }
    bool wants_stamp() const noexcept { return want_stamp_; }

private:
    friend class Responder;

    Responder* responder_ = nullptr;
    std::array<std::uint8_t, kNtpMaxSize> bytes_;
    std::size_t size_ = 0;  ///< with the MAC
    std::size_t unsigned_size_ = 0;
    SocketAddress remote_;
    IpAddress local_;
    int interface_index_ = 0;
    bool want_stamp_ = false;
    bool save_ = false;  ///< remember the pair for the interleaved mode
    bool interleaved_ = false;
    const SymmetricKey* key_ = nullptr;
    std::uint8_t version_ = 4;
    NtpTimestamp origin_;
    NtpTimestamp receive_;
    NtpTimestamp transmit_;  ///< of the previous response, in the interleaved mode
    ClockLine clock_;
    double smoothing_offset_s_ = 0.0;
    SystemTime received_at_;
};

class Responder {
public:
    /// All of it outlives the responder. `random` is used from the responder's thread only.
    Responder(ClientLog& log, TimestampStore& store, RandomSource& random);

    /// `Drop::None`: `reply` is to be sent. `keys` may be null: requests with a MAC are dropped; it
    /// must live until the reply is finished. `request.stamp` is when it came in.
    Drop prepare(const RxDatagram& request, const ServerState& state, const AccessTable& access,
                 const KeyTable* keys, Reply& reply) noexcept;

    /// A report of the port for a reply of this responder, or of another one with the same store.
    /// `cookie` is T2's bits; 0 with a payload: T2 is read from the payload.
    void on_transmit_stamp(const TxStampReport& report) noexcept;

    /// Counts a reply that the port could not send.
    void count_send_failure() noexcept;

    const ServerCounters& counters() const noexcept { return counters_; }
    const TransmitPredictor& predictor() const noexcept { return predictor_; }

private:
    friend class Reply;

    struct Request;

    Drop judge(Request& request) noexcept;
    Drop authenticate_request(Request& request) noexcept;
    void match_interleaved(Request& request, Reply& reply) noexcept;
    void write_header(const Request& request, Reply& reply) noexcept;
    void write_mono_root(const Request& request, Reply& reply, UtcTime received) noexcept;
    void choose_receive(UtcTime received, Reply& reply) noexcept;
    bool stamp_is_due(SystemTime now) noexcept;
    void complete(Reply& reply, SystemTime now, std::size_t position) noexcept;
    std::uint64_t random_bits(int count) noexcept;
    Drop count(Drop reason) noexcept;

    /// Replies whose stamp is awaited, to learn the delay from the reading of the clock.
    struct Awaited {
        std::uint64_t cookie = 0;
        SystemTime read_at;
        std::uint8_t position = 0;
        TransmitPredictor::Lane lane = TransmitPredictor::Lane::Plain;
    };
    static constexpr std::size_t kAwaited = 64;
    Awaited& awaited_slot(std::uint64_t cookie) noexcept;

    ClientLog& log_;
    TimestampStore& store_;
    RandomSource& random_;
    TransmitPredictor predictor_;
    ServerCounters counters_;
    std::array<Awaited, kAwaited> awaited_{};
    std::uint64_t random_bits_ = 0;
    int random_left_ = 0;
    SystemTime last_sample_;
};

}  // namespace gnomon
