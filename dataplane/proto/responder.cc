#include "dataplane/proto/responder.h"

#include <algorithm>
#include <cmath>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/extensions.h"
#include "dataplane/wire/mac.h"

namespace gnomon {

namespace {

constexpr std::size_t kReceiveAt = 32;   ///< offset of T2 in the packet
constexpr std::size_t kTransmitAt = 40;  ///< offset of T3
constexpr std::uint16_t kNtpPort = 123;
constexpr std::uint8_t kNewestVersion = 4;
constexpr RefId kKissRate = RefId::from_text("RATE");
/// Extension fields of RFC 8915: the sender wants an answer that we cannot authenticate.
constexpr std::array<std::uint16_t, 4> kNtsFields{0x0104, 0x0204, 0x0304, 0x0404};
/// A basic reply is stamped when the last one that was is this long ago, to learn the way to the wire.
/// Up to this rate every reply is; beyond it the stamps cost a processor less than one percent.
constexpr Duration kSampleInterval = Duration::from_us(500);

UtcTime on_line(const ClockLine& clock, double smoothing_offset_s, SystemTime t) noexcept {
    const UtcTime utc = clock.to_utc(t);
    if (smoothing_offset_s == 0.0) return utc;
    return utc + Duration::from_seconds(smoothing_offset_s);
}

/// The mode of the answer; Reserved: none.
Mode answer_mode(const NtpHeader& header, std::uint16_t port) noexcept {
    switch (header.mode) {
        case Mode::Client: return Mode::Server;
        // An answer as from a passive peer, though we never synchronise to who sent it.
        case Mode::SymmetricActive: return Mode::SymmetricPassive;
        // Version 1 has no mode field: a client is who does not send from the server's port.
        case Mode::Reserved:
            return header.version == 1 && port != kNtpPort ? Mode::Server : Mode::Reserved;
        default: return Mode::Reserved;
    }
}

}  // namespace

/// A request and all that belongs to it, while it is handled.
struct Responder::Request {
    const RxDatagram& datagram;
    const ServerState& state;
    const AccessTable& access;
    const KeyTable* keys;
    ParsedPacket packet;
    Mode mode = Mode::Reserved;
    bool kiss = false;
    const SymmetricKey* key = nullptr;
};

TxDatagram Reply::datagram() noexcept {
    TxDatagram datagram;
    datagram.payload = bytes();
    datagram.remote = remote_;
    datagram.local = local_;
    datagram.interface_index = interface_index_;
    datagram.want_stamp = want_stamp_;
    datagram.cookie = receive_.bits();
    datagram.finisher = this;
    return datagram;
}

void Reply::finish(SystemTime now, std::size_t position) noexcept {
    responder_->complete(*this, now, position);
}

Responder::Responder(ClientLog& log, TimestampStore& store, RandomSource& random)
    : log_(log), store_(store), random_(random) {}

Drop Responder::prepare(const RxDatagram& datagram, const ServerState& state,
                        const AccessTable& access, const KeyTable* keys, Reply& reply) noexcept {
    counters_.requests.add();
    ParseResult parsed = parse_packet(datagram.payload);
    if (!parsed.packet) return count(parsed.drop);
    Request request{datagram, state, access, keys, *parsed.packet};
    if (const Drop reason = judge(request); reason != Drop::None) return count(reason);

    reply.responder_ = this;
    reply.remote_ = datagram.remote;
    reply.local_ = datagram.local;
    reply.interface_index_ = datagram.interface_index;
    reply.key_ = request.key;
    reply.clock_ = state.clock;
    reply.received_at_ = datagram.stamp.time;
    reply.smoothing_offset_s_ = request.mode == Mode::Server ? state.smoothing_offset_s : 0.0;
    match_interleaved(request, reply);
    write_header(request, reply);
    reply.size_ = reply.unsigned_size_ + (request.key ? 4 + request.packet.mac.size() : 0);
    // Nobody may be hit with more bytes than were sent in his name.
    if (reply.size_ > datagram.payload.size()) return count(Drop::BadFraming);

    reply.want_stamp_ = reply.save_ || stamp_is_due(datagram.stamp.time);
    if (request.key && !request.kiss) counters_.authenticated.add();
    counters_.receive_stamps[static_cast<std::size_t>(datagram.stamp.source)].add();
    counters_.replies.add();
    return Drop::None;
}

Drop Responder::judge(Request& request) noexcept {
    const RxDatagram& datagram = request.datagram;
    if (!request.access.is_allowed(datagram.remote.ip)) return Drop::AccessDenied;
    request.mode = answer_mode(request.packet.header, datagram.remote.port);
    if (request.mode == Mode::Reserved) return Drop::BadMode;
    if (datagram.remote.port == 0) return Drop::BadPort;

    const Verdict verdict =
        log_.account(Service::Ntp, datagram.remote.ip, datagram.stamp.time, random_);
    if (verdict == Verdict::Drop) return Drop::RateLimited;
    request.kiss = verdict == Verdict::Kod;
    return authenticate_request(request);
}

Drop Responder::authenticate_request(Request& request) noexcept {
    for (const std::uint16_t type : kNtsFields) {
        if (request.packet.find(type) != nullptr) return Drop::BadAuthentication;
    }
    if (!request.packet.has_mac) return Drop::None;
    if (request.keys == nullptr) return Drop::BadAuthentication;
    request.key = authenticate(request.packet, *request.keys);
    return request.key != nullptr ? Drop::None : Drop::BadAuthentication;
}

// RFC 9769: a request whose origin is the receive timestamp of our previous response asks for the
// transmit timestamp of that response. Our receive timestamps are odd and transmit timestamps even,
// so only pairs of clients that may be interleaved are ever stored: the third response of a new
// client is the first that can be.
void Responder::match_interleaved(Request& request, Reply& reply) noexcept {
    const NtpHeader& header = request.packet.header;
    reply.interleaved_ = false;
    reply.save_ = log_.enabled() && !request.kiss && header.version == 4 &&
                  (header.origin.bits() & 1) != 0 && header.receive != header.transmit;
    TimestampSource source = TimestampSource::Daemon;
    if (reply.save_) {
        if (const auto previous = store_.take(header.origin)) {
            reply.interleaved_ = true;
            reply.transmit_ = NtpTimestamp::from_utc(previous->time);
            source = previous->source;
            counters_.interleaved.add();
        }
    }
    counters_.transmit_stamps[static_cast<std::size_t>(source)].add();
    reply.origin_ = reply.interleaved_ ? header.receive : header.transmit;
}

void Responder::write_header(const Request& request, Reply& reply) noexcept {
    const NtpHeader& asked = request.packet.header;
    const ServerState& state = request.state;
    const UtcTime received =
        on_line(state.clock, reply.smoothing_offset_s_, request.datagram.stamp.time);
    choose_receive(received, reply);

    NtpHeader header;
    header.version = reply.version_ = std::min(asked.version, kNewestVersion);
    header.mode = request.mode;
    header.poll = static_cast<std::int8_t>(
        std::max(log_.shortest_ntp_interval(), static_cast<int>(asked.poll)));
    header.precision = state.precision;
    double root_delay_s = 1.0;
    double root_dispersion_s = 1.0;
    if (state.synchronised) {
        header.leap = state.leap;
        header.stratum = state.stratum < kStratumUnsynchronised ? state.stratum : Stratum{0};
        header.ref_id = state.ref_id.value;
        UtcTime reference = state.reference_time;
        if (std::fabs(reply.smoothing_offset_s_) > std::ldexp(1.0, state.precision)) {
            header.ref_id = RefId::smoothing().value;
            reference += Duration::from_seconds(reply.smoothing_offset_s_);
        }
        header.reference = NtpTimestamp::from_utc(reference);
        root_delay_s = state.root_delay_s;
        root_dispersion_s = state.root_dispersion_at(received);
    }
    if (request.kiss) {
        header.leap = Leap::Unsynchronised;
        header.stratum = 0;
        header.ref_id = kKissRate.value;
    }
    header.root_delay = NtpShort::from_seconds_up(root_delay_s);
    header.root_dispersion = NtpShort::dispersion_beside(root_delay_s, root_dispersion_s);
    header.origin = reply.origin_;
    header.receive = reply.receive_;
    encode_header(header, std::span(reply.bytes_).first<kNtpHeaderSize>());
    reply.unsigned_size_ = kNtpHeaderSize;
    write_mono_root(request, reply, received);
}

void Responder::write_mono_root(const Request& request, Reply& reply, UtcTime received) noexcept {
    const ExtensionField* field = request.packet.find(kExtensionMonoRoot);
    const ServerState& state = request.state;
    if (field == nullptr || state.mono_epoch == 0 || !MonoRoot::decode(field->body)) return;
    MonoRoot root;
    root.root_delay = MonoRoot::to_fixed28(state.synchronised ? state.root_delay_s : 1.0);
    root.root_dispersion =
        MonoRoot::to_fixed28(state.synchronised ? state.root_dispersion_at(received) : 1.0);
    root.mono_epoch = state.mono_epoch;
    // Smoothed time does not follow our corrections: there is no monotonic time to offer then.
    if (reply.smoothing_offset_s_ == 0.0) {
        root.mono_receive =
            NtpTimestamp::from_utc(received + Duration::from_seconds(state.mono_offset_s));
    }
    const std::size_t size =
        append_extension(reply.bytes_, reply.unsigned_size_, kExtensionMonoRoot, root.encode());
    if (size != 0) reply.unsigned_size_ = size;
}

void Responder::choose_receive(UtcTime received, Reply& reply) noexcept {
    // Random bits of one nanosecond, −2…1, and the flag bit, which adds a half on average.
    std::uint64_t bits = (NtpTimestamp::from_utc(received).bits() + random_bits(2) - 2) | 1;
    // Unique among the stored ones; a nanosecond later is within the stamp's resolution.
    for (int i = 0; i < 8; ++i) {
        const NtpTimestamp candidate = NtpTimestamp::from_bits(bits);
        if (candidate != reply.origin_ && !(reply.save_ && store_.contains(candidate))) break;
        bits += 2;
    }
    reply.receive_ = NtpTimestamp::from_bits(bits);
}

bool Responder::stamp_is_due(SystemTime now) noexcept {
    const Duration since = now - last_sample_;
    if (since >= Duration::zero() && since < kSampleInterval) return false;
    last_sample_ = now;
    return true;
}

void Responder::complete(Reply& reply, SystemTime now, std::size_t position) noexcept {
    using Lane = TransmitPredictor::Lane;
    const Lane lane = reply.key_ != nullptr ? Lane::Signed : Lane::Plain;
    const SystemTime departure = now + predictor_.predict(lane, position);

    NtpTimestamp transmit = reply.transmit_;
    if (!reply.interleaved_) {
        transmit =
            NtpTimestamp::from_utc(on_line(reply.clock_, reply.smoothing_offset_s_, departure));
    }
    // −1…2, and the cleared flag bit takes a half off on average.
    std::uint64_t bits = (transmit.bits() + random_bits(2) - 1) & ~std::uint64_t{1};
    if (bits == reply.origin_.bits()) bits += 2;
    store_be64(reply.bytes_, kTransmitAt, bits);
    if (reply.key_ != nullptr) {
        append_mac(reply.bytes_, reply.unsigned_size_, reply.version_, *reply.key_);
    }

    if (reply.want_stamp_) {
        awaited_slot(reply.receive_.bits()) =
            Awaited{reply.receive_.bits(), now,
                    static_cast<std::uint8_t>(std::min<std::size_t>(position, 255)), lane};
    }
    if (reply.save_) {
        reply.save_ = false;  // once, even if the port finishes a reply again after a failed send
        const UtcTime received =
            on_line(reply.clock_, reply.smoothing_offset_s_, reply.received_at_);
        store_.save(reply.receive_,
                    {reply.received_at_, received.since_epoch() - reply.received_at_.since_epoch(),
                     reply.clock_.rate},
                    departure, TimestampSource::Daemon);
    }
}

void Responder::on_transmit_stamp(const TxStampReport& report) noexcept {
    std::uint64_t cookie = report.cookie;
    if (cookie == 0 && report.payload.size() >= kNtpHeaderSize) {
        cookie = load_be64(report.payload, kReceiveAt);
    }
    if (cookie == 0 || report.stamp.source == TimestampSource::Daemon) return;
    store_.update(NtpTimestamp::from_bits(cookie), report.stamp.time, report.stamp.source);
    Awaited& awaited = awaited_slot(cookie);
    if (awaited.cookie != cookie) return;
    predictor_.observe(awaited.lane, awaited.position, report.stamp.time - awaited.read_at);
    awaited.cookie = 0;
}

void Responder::count_send_failure() noexcept { count(Drop::SendFailed); }

Responder::Awaited& Responder::awaited_slot(std::uint64_t cookie) noexcept {
    return awaited_[((cookie >> 1) * 0x9e3779b97f4a7c15ULL) >> 58];
}

std::uint64_t Responder::random_bits(int count) noexcept {
    if (random_left_ < count) {
        random_bits_ = random_.next();
        random_left_ = 64;
    }
    const std::uint64_t bits = random_bits_ & ((1ULL << count) - 1);
    random_bits_ >>= count;
    random_left_ -= count;
    return bits;
}

Drop Responder::count(Drop reason) noexcept {
    counters_.drops[static_cast<std::size_t>(reason)].add();
    return reason;
}

}  // namespace gnomon
