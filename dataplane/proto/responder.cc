#include "dataplane/proto/responder.h"

#include <algorithm>
#include <cmath>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/extensions.h"
#include "dataplane/wire/mac.h"
#include "servo/units/assert.h"

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

/// Receive timestamps closer than this to the one before are made distinct by counting on, 2^-32 s.
constexpr std::uint64_t kSameInstant = 1024;

std::int64_t rounded(double x) noexcept {
    return static_cast<std::int64_t>(x + (x < 0.0 ? -0.5 : 0.5));
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

TxDatagram Reply::datagram(const RxDatagram& request) noexcept {
    TxDatagram datagram;
    datagram.payload = bytes();
    datagram.remote = request.remote;
    datagram.local = request.local;
    datagram.interface_index = request.interface_index;
    datagram.want_stamp = want_stamp_;
    datagram.cookie = receive_;
    datagram.finisher = this;
    return datagram;
}

void Reply::finish(SystemTime now, std::size_t position) noexcept {
    responder_->complete(*this, now, position);
}

ReplyArray::ReplyArray(std::size_t count)
    : replies_(count), memory_(std::make_unique<std::uint8_t[]>(count * kNtpMaxSize)) {
    std::uint8_t* at = memory_.get();
    for (Reply& reply : replies_) {
        reply.use_buffer({at, kNtpMaxSize});
        at += kNtpMaxSize;
    }
}

void Responder::ServedLine::start(const ClockLine& line, double offset_s,
                                  SystemTime near) noexcept {
    clock = line;
    smoothing_offset_s = offset_s;
    base = near;
    base_bits = NtpTimestamp::from_utc(to_utc(near)).bits();
    units_per_ns = (1.0 + line.rate) * 0x1p32 / 1e9;
    // While a lead is worked off, the line has a corner.
    straight = line.lead == Duration::zero();
}

UtcTime Responder::ServedLine::to_utc(SystemTime t) const noexcept {
    const UtcTime utc = clock.to_utc(t);
    if (smoothing_offset_s == 0.0) return utc;
    return utc + Duration::from_seconds(smoothing_offset_s);
}

std::uint64_t Responder::ServedLine::to_bits(SystemTime t) const noexcept {
    const Duration since = t - base;
    // Within a second the product is exact to far below a unit.
    if (!straight || abs(since) > Duration::from_s(1)) {
        return NtpTimestamp::from_utc(to_utc(t)).bits();
    }
    return base_bits +
           static_cast<std::uint64_t>(rounded(static_cast<double>(since.ns()) * units_per_ns));
}

Responder::Responder(ClientLog& log, TimestampStore& store, RandomSource& random)
    : log_(log), store_(store), random_(random) {}

void Responder::prepare_burst(std::span<const RxDatagram> requests, const ServerState& state,
                              const ServerTables& tables, std::span<Reply> replies,
                              std::span<Drop> verdicts) noexcept {
    GNOMON_ASSERT(requests.size() <= kMaxBurst && requests.size() <= replies.size() &&
                  requests.size() <= verdicts.size());
    if (requests.empty()) return;
    counters_.requests.add(requests.size());
    if (analytics_ != nullptr) describe_due(requests);
    begin_burst(requests, state);
    const Burst burst{requests, state, tables, replies, verdicts};
    // Memory works for one chunk while the processor works for another: a chunk's lines are fetched a
    // turn before they are needed.
    std::array<Chunk, kMaxBurst / kChunk> chunks;
    const std::size_t count = (requests.size() + kChunk - 1) / kChunk;
    for (std::size_t turn = 0; turn < count + 2; ++turn) {
        if (turn < count) chunks[turn] = parse(burst, turn * kChunk);
        if (turn >= 1 && turn - 1 < count) look_up(burst, chunks[turn - 1]);
        if (turn >= 2) {
            Chunk& chunk = chunks[turn - 2];
            admit(burst, chunk);
            account(burst, chunk);
            match(burst, chunk);
            write(burst, chunk);
        }
    }
    if (analytics_ != nullptr) show_due(requests, replies, verdicts);
}

/// Before anything is written, because a reply may take the place of its request. Few requests are
/// due: they are parsed again, so that nothing need be remembered of the others.
void Responder::describe_due(std::span<const RxDatagram> requests) noexcept {
    const std::size_t count = requests.size();
    due_count_ = 0;
    for (std::size_t i = analytics_->next_due(count); i < count;
         i += 1 + analytics_->next_due(count - i - 1)) {
        const RxDatagram& request = requests[i];
        if (request.payload.size() < kNtpHeaderSize) continue;
        due_[due_count_] = static_cast<std::uint8_t>(i);
        ObservedRequest& observed = observed_[due_count_++];
        observed = ObservedRequest{};
        observed.remote = request.remote;
        observed.size = static_cast<std::uint16_t>(request.payload.size());
        observed.version = (request.payload[0] >> 3) & 7;
        observed.mode = static_cast<Mode>(request.payload[0] & 7);
        observed.poll = static_cast<std::int8_t>(request.payload[2]);
        if (parse_packet(request.payload, packet_) != Drop::None) continue;
        observed.has_mac = packet_.has_mac;
        for (const std::uint16_t type : kNtsFields) {
            observed.has_nts = observed.has_nts || packet_.find(type) != nullptr;
        }
    }
}

void Responder::show_due(std::span<const RxDatagram> requests, std::span<const Reply> replies,
                         std::span<const Drop> verdicts) noexcept {
    for (std::size_t i = 0; i < due_count_; ++i) {
        ObservedRequest& observed = observed_[i];
        const Drop verdict = verdicts[due_[i]];
        if (verdict == Drop::None) {
            const Reply& reply = replies[due_[i]];
            const auto bytes = reply.bytes();
            observed.interleaved = reply.interleaved();
            const bool kissed = bytes[1] == 0 && load_be32(bytes, 12) == kKissRate.value;
            observed.outcome = kissed ? Outcome::Kissed : Outcome::Answered;
        } else {
            observed.outcome = verdict == Drop::RateLimited ? Outcome::Limited : Outcome::Dropped;
        }
        analytics_->observe(observed, requests[due_[i]].stamp.time);
    }
}

Responder::Chunk Responder::parse(const Burst& burst, std::size_t first) noexcept {
    Chunk chunk{&requests_[first], 0};
    const std::size_t end = std::min(first + kChunk, burst.requests.size());
    for (std::size_t i = first; i < end; ++i) {
        Request& request = chunk.requests[chunk.count];
        request.index = static_cast<std::uint8_t>(i);
        burst.verdicts[i] = parse(burst.requests[i], request);
        if (burst.verdicts[i] != Drop::None) {
            count(burst.verdicts[i]);
            continue;
        }
        const IpAddress& client = burst.requests[i].remote.ip;
        burst.tables.access.prefetch_root(client);
        request.client = log_.hash(client);
        log_.prefetch_bucket(request.client);
        if (request.may_interleave) store_.prefetch(NtpTimestamp::from_bits(request.origin));
        ++chunk.count;
    }
    return chunk;
}

Drop Responder::parse(const RxDatagram& datagram, Request& request) noexcept {
    const bool bare = datagram.payload.size() == kNtpHeaderSize;
    NtpHeader header;
    if (bare) {
        header = decode_header(datagram.payload.first<kNtpHeaderSize>());
        if (header.version < 1 || header.version > kNewestVersion) return Drop::BadVersion;
    } else {
        const Drop reason = parse_packet(datagram.payload, packet_);
        if (reason != Drop::None) return reason;
        header = packet_.header;
    }
    request.origin = header.origin.bits();
    request.receive = header.receive.bits();
    request.transmit = header.transmit.bits();
    request.version = header.version;
    request.poll = header.poll;
    request.mode = answer_mode(header, datagram.remote.port);
    request.key = nullptr;
    request.kiss = false;
    request.may_interleave = log_.enabled() && header.version == 4 && (request.origin & 1) != 0 &&
                             request.receive != request.transmit;
    request.mac_at = 0;
    request.unknown_security = false;
    request.wants_mono_root = false;
    if (bare) return Drop::None;

    for (const std::uint16_t type : kNtsFields) {
        request.unknown_security = request.unknown_security || packet_.find(type) != nullptr;
    }
    const ExtensionField* mono_root = packet_.find(kExtensionMonoRoot);
    request.wants_mono_root = mono_root != nullptr && MonoRoot::decode(mono_root->body);
    if (packet_.has_mac) {
        request.mac_at = static_cast<std::uint16_t>(packet_.authenticated.size());
        request.key_id = packet_.key_id;
    }
    return Drop::None;
}

/// What was fetched by now tells what else will be needed.
void Responder::look_up(const Burst& burst, Chunk& chunk) noexcept {
    for (Request& request : std::span(chunk.requests, chunk.count)) {
        const RxDatagram& datagram = burst.requests[request.index];
        burst.tables.access.prefetch_flips(datagram.remote.ip);
        log_.prefetch_record(request.client);
        request.received =
            served_to(request.mode != Mode::Server).line.to_bits(datagram.stamp.time);
        request.received_as = choose_receive(request);
        if (request.may_interleave) store_.prefetch(NtpTimestamp::from_bits(request.received_as));
    }
}

void Responder::admit(const Burst& burst, Chunk& chunk) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < chunk.count; ++i) {
        const Request& request = chunk.requests[i];
        const RxDatagram& datagram = burst.requests[request.index];
        if (!burst.tables.access.is_allowed(datagram.remote.ip)) {
            refuse(burst, request, Drop::AccessDenied);
        } else if (request.mode == Mode::Reserved) {
            refuse(burst, request, Drop::BadMode);
        } else if (datagram.remote.port == 0) {
            refuse(burst, request, Drop::BadPort);
        } else {
            if (kept != i) chunk.requests[kept] = request;
            ++kept;
        }
    }
    chunk.count = kept;
}

void Responder::account(const Burst& burst, Chunk& chunk) noexcept {
    counters_.logged.add(chunk.count);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < chunk.count; ++i) {
        Request& request = chunk.requests[i];
        const RxDatagram& datagram = burst.requests[request.index];
        const ClientLog::Outcome outcome =
            log_.account_ntp(request.client, datagram.remote.ip, datagram.stamp.time, random_);
        if (outcome.replaced) counters_.records_replaced.add();
        Drop reason = Drop::RateLimited;
        if (outcome.verdict != Verdict::Drop) {
            request.kiss = outcome.verdict == Verdict::Kod;
            reason = authenticate_request(datagram, burst.tables.keys.get(), request);
        }
        if (reason != Drop::None) {
            refuse(burst, request, reason);
            continue;
        }
        if (kept != i) chunk.requests[kept] = request;
        ++kept;
    }
    chunk.count = kept;
}

Drop Responder::authenticate_request(const RxDatagram& datagram, const KeyTable* keys,
                                     Request& request) noexcept {
    if (request.unknown_security) return Drop::BadAuthentication;
    if (request.mac_at == 0) return Drop::None;
    if (keys == nullptr) return Drop::BadAuthentication;
    request.key = keys->find(request.key_id);
    if (request.key == nullptr ||
        !check_mac(datagram.payload, request.mac_at, request.version, *request.key)) {
        return Drop::BadAuthentication;
    }
    return Drop::None;
}

// RFC 9769: a request whose origin is the receive timestamp of our previous response asks for the
// transmit timestamp of that response. Our receive timestamps are odd and transmit timestamps even,
// so only pairs of clients that may be interleaved are ever stored: the third response of a new
// client is the first that can be.
void Responder::match(const Burst& burst, Chunk& chunk) noexcept {
    for (Request& request : std::span(chunk.requests, chunk.count)) {
        const RxDatagram& datagram = burst.requests[request.index];
        Reply& reply = burst.replies[request.index];
        reply.responder_ = this;
        reply.key_ = request.key;
        reply.received_at_ = datagram.stamp.time;
        reply.symmetric_ = request.mode != Mode::Server;
        reply.interleaved_ = false;
        reply.save_ = false;
        TimestampSource source = TimestampSource::Daemon;
        if (request.may_interleave && !request.kiss) {
            if (const auto previous = store_.take(NtpTimestamp::from_bits(request.origin))) {
                reply.interleaved_ = true;
                reply.transmit_ = previous->time.bits();
                source = previous->source;
                counters_.interleaved.add();
            }
            reply.save_ = reserve(request, reply);
        }
        counters_.transmit_stamps[static_cast<std::size_t>(source)].add();
        reply.origin_ = reply.interleaved_ ? request.receive : request.transmit;
        reply.receive_ = request.received_as;
        reply.received_ = request.received;
    }
}

std::uint64_t Responder::choose_receive(const Request& request) noexcept {
    // Random bits of one nanosecond, −2…1, and the flag bit, which adds a half on average.
    std::uint64_t bits = (request.received + random_bits(2) - 2) | 1;
    // Requests that share a stamp were stamped by whoever polled, not when they came: counting on
    // makes them distinct within the resolution of the stamp.
    if (last_receive_ - bits < kSameInstant) bits = last_receive_ + 2;
    while (bits == request.receive || bits == request.transmit) bits += 2;
    return last_receive_ = bits;
}

/// A place for the pair of this response, so that the next one can be interleaved. Another responder may
/// have chosen the same receive timestamp; a nanosecond later is within the resolution of the stamp.
bool Responder::reserve(Request& request, Reply& reply) noexcept {
    using Result = TimestampStore::Reservation::Result;
    for (int i = 0; i < 8; ++i) {
        const auto reserved = store_.reserve(NtpTimestamp::from_bits(request.received_as));
        reply.place_ = reserved.place;
        if (reserved.result != Result::Taken) return reserved.result == Result::Reserved;
        last_receive_ = request.received_as + 2;
        request.received_as = choose_receive(request);
    }
    return false;
}

void Responder::begin_burst(std::span<const RxDatagram> requests,
                            const ServerState& state) noexcept {
    SystemTime latest = requests[0].stamp.time;
    for (const RxDatagram& request : requests) latest = std::max(latest, request.stamp.time);
    begin_served(to_clients_, state, state.smoothing_offset_s, latest);
    smoothed_ = state.smoothing_offset_s != 0.0;
    if (smoothed_) begin_served(to_peers_, state, 0.0, latest);
}

void Responder::begin_served(Served& served, const ServerState& state, double smoothing_offset_s,
                             SystemTime latest) noexcept {
    served.line.start(state.clock, smoothing_offset_s, latest);
    NtpHeader header;
    // A client takes half of the round trip for the most that its offset can be wrong: a T3 that was
    // predicted too late shortens the trip, so it has to know how well we predict.
    header.precision = std::max(state.precision, Log2Seconds{predictor_.precision()});
    served.root_delay_s = 1.0;
    served.root_dispersion_s = 1.0;
    if (state.synchronised) {
        header.leap = state.leap;
        header.stratum = state.stratum < kStratumUnsynchronised ? state.stratum : Stratum{0};
        header.ref_id = state.ref_id.value;
        UtcTime reference = state.reference_time;
        if (std::fabs(smoothing_offset_s) > std::ldexp(1.0, state.precision)) {
            header.ref_id = RefId::smoothing().value;
            reference += Duration::from_seconds(smoothing_offset_s);
        }
        header.reference = NtpTimestamp::from_utc(reference);
        served.root_delay_s = state.root_delay_s;
        served.root_dispersion_s = state.root_dispersion_at(served.line.to_utc(latest));
    }
    header.root_delay = NtpShort::from_seconds_up(served.root_delay_s);
    header.root_dispersion =
        NtpShort::dispersion_beside(served.root_delay_s, served.root_dispersion_s);
    std::array<std::uint8_t, kNtpHeaderSize> bytes;
    encode_header(header, bytes);
    std::copy_n(bytes.begin(), served.header.size(), served.header.begin());
}

void Responder::write(const Burst& burst, Chunk& chunk) noexcept {
    std::size_t written = 0;
    for (const Request& request : std::span(chunk.requests, chunk.count)) {
        const RxDatagram& datagram = burst.requests[request.index];
        Reply& reply = burst.replies[request.index];
        const Served& served = served_to(reply.symmetric_);
        // Nobody may be hit with more bytes than were sent in his name.
        const std::size_t room = std::min(datagram.payload.size(), reply.buffer_.size());
        const std::size_t mac_size =
            request.mac_at != 0 ? datagram.payload.size() - request.mac_at : 0;
        if (room < kNtpHeaderSize + mac_size) {
            refuse(burst, request, Drop::BadFraming);
            continue;
        }
        write_header(request, served, reply);
        if (request.wants_mono_root && burst.state.mono_epoch != 0) {
            write_mono_root(served, burst.state, reply);
        }
        reply.size_ = static_cast<std::uint16_t>(reply.unsigned_size_ + mac_size);
        if (reply.size_ > room) {
            refuse(burst, request, Drop::BadFraming);
            continue;
        }
        reply.want_stamp_ = expect_stamps_ && (reply.save_ || stamp_is_due(datagram.stamp.time));
        if (request.key != nullptr && !request.kiss) counters_.authenticated.add();
        counters_.receive_stamps[static_cast<std::size_t>(datagram.stamp.source)].add();
        ++written;
    }
    counters_.replies.add(written);
}

void Responder::write_header(const Request& request, const Served& served,
                             Reply& reply) const noexcept {
    reply.version_ = std::min(request.version, kNewestVersion);
    const std::span<std::uint8_t> bytes = reply.buffer_;
    std::copy(served.header.begin(), served.header.end(), bytes.begin());
    if (request.kiss) {
        bytes[0] = static_cast<std::uint8_t>(static_cast<unsigned>(Leap::Unsynchronised) << 6);
        bytes[1] = 0;
        store_be32(bytes, 12, kKissRate.value);
    }
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xc0U) | reply.version_ << 3 |
                                         static_cast<unsigned>(request.mode));
    bytes[2] = static_cast<std::uint8_t>(
        std::max(log_.shortest_ntp_interval(), static_cast<int>(request.poll)));
    store_be64(bytes, 24, reply.origin_);
    store_be64(bytes, kReceiveAt, reply.receive_);
    reply.unsigned_size_ = kNtpHeaderSize;
}

void Responder::write_mono_root(const Served& served, const ServerState& state,
                                Reply& reply) const noexcept {
    MonoRoot root;
    root.root_delay = MonoRoot::to_fixed28(served.root_delay_s);
    root.root_dispersion = MonoRoot::to_fixed28(served.root_dispersion_s);
    root.mono_epoch = state.mono_epoch;
    // Smoothed time does not follow our corrections: there is no monotonic time to offer then.
    if (served.line.smoothing_offset_s == 0.0) {
        root.mono_receive = NtpTimestamp::from_utc(served.line.to_utc(reply.received_at_) +
                                                   Duration::from_seconds(state.mono_offset_s));
    }
    const std::size_t size =
        append_extension(reply.buffer_, reply.unsigned_size_, kExtensionMonoRoot, root.encode());
    if (size != 0) reply.unsigned_size_ = static_cast<std::uint16_t>(size);
}

bool Responder::stamp_is_due(SystemTime now) noexcept {
    const Duration since = now - last_sample_;
    if (since >= Duration::zero() && since < kSampleInterval) return false;
    last_sample_ = now;
    return true;
}

void Responder::finish_burst(std::span<Reply> replies, std::span<const Drop> verdicts,
                             SystemTime now) noexcept {
    std::size_t position = 0;
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        if (verdicts[i] == Drop::None) complete(replies[i], now, position++);
    }
}

void Responder::complete(Reply& reply, SystemTime now, std::size_t position) noexcept {
    using Lane = TransmitPredictor::Lane;
    const Lane lane = reply.key_ != nullptr ? Lane::Signed : Lane::Plain;
    const SystemTime departure = now + predictor_.predict(lane, position);
    const ServedLine& line = served_to(reply.symmetric_).line;

    const std::uint64_t leaves = line.to_bits(departure);
    const std::uint64_t transmit = reply.interleaved_ ? reply.transmit_ : leaves;
    // −1…2, and the cleared flag bit takes a half off on average.
    std::uint64_t bits = (transmit + random_bits(2) - 1) & ~std::uint64_t{1};
    if (bits == reply.origin_) bits += 2;
    store_be64(reply.buffer_, kTransmitAt, bits);
    if (reply.key_ != nullptr) {
        append_mac(reply.buffer_, reply.unsigned_size_, reply.version_, *reply.key_);
    }

    if (reply.want_stamp_) {
        awaited_slot(reply.receive_) =
            Awaited{reply.receive_,
                    now,
                    reply.received_at_,
                    reply.received_,
                    line.units_per_ns,
                    static_cast<std::uint8_t>(std::min<std::size_t>(position, 255)),
                    lane};
    }
    if (reply.save_) {
        reply.save_ = false;  // once, even if the port finishes a reply again after a failed send
        store_.complete(reply.place_, NtpTimestamp::from_bits(reply.receive_),
                        NtpTimestamp::from_bits(leaves));
    }
}

void Responder::on_transmit_stamp(const TxStampReport& report) noexcept {
    std::uint64_t cookie = report.cookie;
    if (cookie == 0 && report.payload.size() >= kNtpHeaderSize) {
        cookie = load_be64(report.payload, kReceiveAt);
    }
    if (cookie == 0 || report.stamp.source == TimestampSource::Daemon) return;
    Awaited& awaited = awaited_slot(cookie);
    if (awaited.cookie != cookie) return;
    // The way its receive timestamp was converted, though the clock may have been corrected since.
    const Duration since = report.stamp.time - awaited.received_at;
    if (abs(since) < Duration::from_s(2)) {
        const auto units = static_cast<std::uint64_t>(
            rounded(static_cast<double>(since.ns()) * awaited.units_per_ns));
        store_.update(NtpTimestamp::from_bits(cookie),
                      NtpTimestamp::from_bits(awaited.received + units), report.stamp.source);
    }
    predictor_.observe(awaited.lane, awaited.position, report.stamp.time - awaited.read_at);
    // A second stamp, of the interface, may follow the kernel's.
    if (report.stamp.source == TimestampSource::Hardware) awaited.cookie = 0;
}

void Responder::count_send_failure() noexcept { count(Drop::SendFailed); }

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
