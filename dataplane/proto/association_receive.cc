/// The receiving half of `Association`: judging a reply, selecting the timestamps of the
/// measurement, and what a valid reply changes.

#include <algorithm>
#include <cmath>

#include "dataplane/proto/association.h"

namespace gnomon {
namespace {

constexpr RefId kKodRate = RefId::from_text("RATE");
// A kiss of death adds this many polling intervals to the next one.
constexpr double kKodBackOff = 4.0;
constexpr double kMaxSourceStepS = 16.0;
constexpr double kMaxNetCorrectionFrequency = 100e-6;
// Interleaved mode: the older pair of stamps is used when it is shorter by this ratio.
constexpr double kMaxInterleavedRatio = 0.1;
constexpr double kHalfEraS = 2147483648.0;
constexpr double kMaxOffsetS = 4294967296.0;
// Evidence for a longer interval when a reply is no good: little when the rest is fine.
constexpr double kBadReplyAdjustment = 0.02;
constexpr double kLoopAdjustment = 0.1;

double seconds_between(NtpTimestamp later, NtpTimestamp earlier) noexcept {
    return static_cast<double>(static_cast<std::int64_t>(later.bits() - earlier.bits())) * 0x1p-32;
}

/// Later in the sense of half an era.
bool is_after(NtpTimestamp a, NtpTimestamp b) noexcept {
    return static_cast<std::int64_t>(a.bits() - b.bits()) > 0;
}

/// Which end takes the packet.
enum class Taker { Association, Responder, Nobody };

Taker taker_of(Mode mode, bool symmetric) noexcept {
    switch (mode) {
        case Mode::SymmetricActive: return symmetric ? Taker::Association : Taker::Responder;
        case Mode::SymmetricPassive: return symmetric ? Taker::Association : Taker::Nobody;
        case Mode::Server: return symmetric ? Taker::Nobody : Taker::Association;
        case Mode::Client: return Taker::Responder;
        default: return Taker::Nobody;
    }
}

}  // namespace

struct Association::Reply {
    const ReceivedPacket& packet;
    const ParsedPacket& parsed;
    bool saved = false;
    std::optional<NetworkCorrection> correction;
    std::optional<MonoRoot> mono_root;
    bool interleaved = false;
    bool kod_rate = false;
    double source_step_s = 0.0;  ///< since the last valid reply, by the mono-root field
    ReplyRecord record;
    Measurement measurement;

    const NtpHeader& header() const noexcept { return parsed.header; }
    double correction_s() const noexcept { return correction ? correction->seconds() : 0.0; }
};

/// The four stamps of a measurement and what belongs to them.
struct Association::Exchange {
    LocalStamp transmit;          // t1
    UtcTime remote_receive;       // t2
    UtcTime remote_transmit;      // t3
    LocalStamp receive;           // t4
    UtcTime request_received;     // when the remote got the request that t3 answered
    UtcTime previous_transmit;    // t3 of the exchange before; zero in basic mode
    bool newest_transmit = true;  // t1 is that of the last request
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
};

PacketResult Association::handle_packet(const LocalView& local, const ReceivedPacket& packet) {
    ++report_.rx_count;
    if (packet.stamp.source == TimestampSource::Kernel) ++report_.kernel_rx_stamps;
    if (packet.stamp.source == TimestampSource::Hardware) ++report_.hw_rx_stamps;
    PacketResult result;
    const ParseResult parsed = parse_packet(packet.datagram);
    if (!parsed.packet) {
        result.drop = parsed.drop;
    } else {
        switch (taker_of(parsed.packet->header.mode, config_.symmetric)) {
            case Taker::Responder: result.for_responder = true; return result;
            case Taker::Nobody: result.drop = Drop::BadMode; break;
            case Taker::Association:
                if (!started_ || activity_ == Activity::Offline) {
                    result.drop = Drop::NotSolicited;
                } else {
                    result = process_reply(local, packet, *parsed.packet, false);
                }
                break;
        }
    }
    if (result.drop != Drop::None) drops_.count(result.drop);
    return result;
}

PacketResult Association::process_reply(const LocalView& local, const ReceivedPacket& packet,
                                        const ParsedPacket& parsed, bool saved) {
    Reply reply{packet, parsed};
    reply.saved = saved;
    judge(reply);
    TestBits& tests = reply.record.tests;
    if (tests.synchronised() && !saved && !valid_rx_ && save_reply(local, packet)) {
        return PacketResult{Drop::None, true, false};
    }
    if (tests.synchronised() && (!reply.interleaved || valid_stamps_)) measure(local, reply);

    PacketResult result;
    if (!tests[PacketTest::Test1]) {
        result.drop = Drop::Duplicate;
    } else if (!tests[PacketTest::Test5]) {
        result.drop = Drop::BadAuthentication;
    } else if (!tests.valid()) {
        result.drop = Drop::NotSolicited;
    }

    update_stamps(reply);
    // One reply per request. In symmetric mode the stamps above may be updated more often.
    if (valid_rx_) {
        if (result.drop == Drop::None) result.drop = Drop::Duplicate;
        tests.set(PacketTest::Test2, false);
        tests.set(PacketTest::Test3, false);
    } else if (tests.valid()) {
        valid_rx_ = true;
    }
    result.good = tests.good();
    if (tests.valid()) accept_valid(local, reply);
    emit(ReplyOutput{reply.record});
    return result;
}

bool Association::save_reply(const LocalView& local, const ReceivedPacket& packet) {
    // Only for sources that have proved good: a tentative one is not confirmed by waiting.
    if (config_.hw_stamp_timeout <= Duration::zero() || report_.good_count == 0 ||
        local_tx_.source == TimestampSource::Hardware) {
        return false;
    }
    if (!saved_) saved_ = std::make_unique<SavedReply>();
    if (saved_->size > 0) {
        process_saved_reply(local);
        return false;
    }
    std::copy(packet.datagram.begin(), packet.datagram.end(), saved_->bytes.begin());
    saved_->size = packet.datagram.size();
    saved_->packet = packet;
    saved_->packet.datagram = std::span(saved_->bytes).first(saved_->size);
    saved_->deadline = local.now + config_.hw_stamp_timeout;
    return true;
}

void Association::process_saved_reply(const LocalView& local) {
    const ReceivedPacket packet = saved_->packet;
    saved_->size = 0;
    const ParseResult parsed = parse_packet(packet.datagram);
    if (parsed.packet) process_reply(local, packet, *parsed.packet, true);
}

void Association::judge(Reply& reply) {
    const NtpHeader& header = reply.header();
    ReplyRecord& record = reply.record;
    if (config_.network_correction) {
        if (const auto* field = reply.parsed.find(kExtensionNetworkCorrection)) {
            reply.correction = NetworkCorrection::decode(field->body);
        }
    }
    if (config_.mono_root) {
        if (const auto* field = reply.parsed.find(kExtensionMonoRoot)) {
            reply.mono_root = MonoRoot::decode(field->body);
        }
    }
    record.at = reply.packet.stamp.time;
    record.remote = config_.remote;
    record.header = header;
    record.root_delay_s = reply.mono_root ? MonoRoot::from_fixed28(reply.mono_root->root_delay)
                                          : header.root_delay.to_seconds();
    record.root_dispersion_s = reply.mono_root
                                   ? MonoRoot::from_fixed28(reply.mono_root->root_dispersion)
                                   : header.root_dispersion.to_seconds();
    record.authenticated = is_authenticated();
    record.tx_source = local_tx_.source;
    record.rx_source = reply.packet.stamp.source;

    const bool basic = header.origin == sent_transmit_;
    const bool interleaved = config_.interleaved && header.origin == sent_receive_;
    reply.interleaved = !basic && interleaved;
    record.interleaved = reply.interleaved;
    TestBits& tests = record.tests;
    tests.set(PacketTest::Test1,
              !(header.receive == remote_receive_) || !(header.transmit == remote_transmit_));
    tests.set(PacketTest::Test2, basic || interleaved);
    tests.set(PacketTest::Test3,
              !header.origin.is_zero() && !header.receive.is_zero() && !header.transmit.is_zero());
    // A saved reply has been checked when it came; NTS would refuse it the second time.
    tests.set(PacketTest::Test5, reply.saved || auth_->check(reply.parsed));
    tests.set(PacketTest::Test6, is_synchronised(header));
    tests.set(PacketTest::Test7,
              is_root_distance_sane(record.root_delay_s, record.root_dispersion_s));
    reply.kod_rate = tests[PacketTest::Test1] && tests[PacketTest::Test2] &&
                     tests[PacketTest::Test5] && header.leap == Leap::Unsynchronised &&
                     header.stratum == 0 && header.ref_id == kKodRate.value;
}

Association::Exchange Association::select_stamps(const Reply& reply) const {
    const NtpHeader& header = reply.header();
    const auto resolve = [this](NtpTimestamp t) { return t.resolve(config_.era_pivot); };
    const Duration source_step = Duration::from_seconds(reply.source_step_s);
    const ReplyRecord& record = reply.record;
    Exchange exchange;
    exchange.transmit = local_tx_;
    exchange.transmit.net_correction_s = reply.correction_s();
    exchange.remote_receive = resolve(header.receive);
    exchange.remote_transmit = resolve(header.transmit);
    exchange.receive = reply.packet.stamp;
    exchange.request_received = exchange.remote_receive;
    exchange.root_delay_s = record.root_delay_s;
    exchange.root_dispersion_s = record.root_dispersion_s;
    if (!reply.interleaved) return exchange;

    // The transmit time is that of the previous reply, which we have already received. Its request
    // gives the shorter interval only if the server was slow to be asked again.
    exchange.remote_transmit = exchange.remote_transmit + source_step;
    exchange.receive = local_rx_;
    exchange.previous_transmit = resolve(remote_transmit_);
    exchange.request_received = resolve(remote_receive_);
    const double to_newest_s = (local_tx_.time - local_rx_.time).to_seconds();
    const double from_previous_s = (local_rx_.time - prev_local_tx_.time).to_seconds();
    if (!prev_local_tx_.time.is_zero() && kMaxInterleavedRatio * to_newest_s > from_previous_s) {
        exchange.transmit = prev_local_tx_;
        exchange.newest_transmit = false;
        exchange.remote_receive = resolve(remote_receive_) + source_step;
        exchange.request_received = exchange.remote_receive;
        exchange.root_delay_s = remote_root_delay_s_;
        exchange.root_dispersion_s = remote_root_dispersion_s_;
    } else {
        exchange.root_delay_s = std::max(record.root_delay_s, remote_root_delay_s_);
        exchange.root_dispersion_s = std::max(record.root_dispersion_s, remote_root_dispersion_s_);
    }
    return exchange;
}

void Association::measure(const LocalView& local, Reply& reply) {
    const NtpHeader& header = reply.header();
    const auto& mono = reply.mono_root;
    if (mono && mono->mono_epoch == remote_mono_epoch_ && !mono->mono_receive.is_zero() &&
        !remote_mono_receive_.is_zero()) {
        // What its clock was corrected by is what its two scales have moved apart.
        const double step_s = seconds_between(header.receive, remote_receive_) -
                              seconds_between(mono->mono_receive, remote_mono_receive_);
        if (std::fabs(step_s) <= kMaxSourceStepS) reply.source_step_s = step_s;
    }
    const Exchange exchange = select_stamps(reply);
    const LocalStamp& t1 = exchange.transmit;
    const LocalStamp& t4 = exchange.receive;
    const Duration interval = t4.time - t1.time;
    const Duration correction = Duration::from_seconds(config_.offset_s);
    const double remote_quantum_s = std::ldexp(1.0, header.precision);
    const double precision_s = config_.clock_precision_s + remote_quantum_s;

    Measurement& m = reply.measurement;
    m.at = t1.time + interval / 2;
    m.forward = exchange.remote_receive - t1.time + correction;
    m.backward = t4.time - exchange.remote_transmit - correction;
    const double remote_variance_s2 = remote_quantum_s * remote_quantum_s / 12.0;
    m.forward_variance_s2 = t1.variance_s2 + remote_variance_s2;
    m.backward_variance_s2 = t4.variance_s2 + remote_variance_s2;
    m.tx_source = t1.source;
    m.rx_source = t4.source;
    // In the interleaved mode the interval can be that between two polls.
    m.peer_dispersion_s =
        std::max(precision_s, std::max(t1.error_s, t4.error_s)) +
        (source_.skew_bound() + limits_.max_clock_error) * std::fabs(interval.to_seconds());
    m.root_delay_s = exchange.root_delay_s;
    m.root_dispersion_s = exchange.root_dispersion_s;
    m.leap = header.leap;
    m.ref_id = RefId{header.ref_id};

    ReplyRecord& record = reply.record;
    record.peer_delay_s = std::max(std::fabs(m.peer_delay_s()), precision_s);
    apply_network_correction(reply, exchange, precision_s);
    // What the stamps of two clocks leave of a short way can be less than nothing.
    const Duration missing = Duration::from_seconds(record.peer_delay_s - m.peer_delay_s());
    m.forward += missing / 2;
    m.backward += missing / 2;
    record.at = m.at;
    record.offset_s = m.offset_s();
    record.peer_dispersion_s = m.peer_dispersion_s;
    record.response_time_s =
        std::fabs((exchange.remote_transmit - exchange.request_received).to_seconds());
    record.tx_source = t1.source;
    record.rx_source = t4.source;

    TestBits& tests = record.tests;
    tests.set(PacketTest::TestA, passes_test_a(reply, exchange, precision_s));
    tests.set(PacketTest::TestB, passes_delay_ratio(limits_, source_, m.at, record.peer_delay_s));
    tests.set(PacketTest::TestC,
              delay_quantile_ ? delay_quantile_->passes(record.peer_delay_s)
                              : passes_delay_deviation(limits_, source_, m.at, record.offset_s,
                                                       record.peer_delay_s));
    tests.set(PacketTest::TestD, is_no_loop(local, reply));
}

void Association::apply_network_correction(Reply& reply, const Exchange& exchange,
                                           double precision_s) const {
    const LocalStamp& t1 = exchange.transmit;
    const LocalStamp& t4 = exchange.receive;
    // Both directions, and more than our own stamp was moved by.
    if (t4.net_correction_s <= t4.rx_duration_s || t1.net_correction_s <= 0.0) return;
    const double backward_s = t4.net_correction_s - t4.rx_duration_s;
    const double forward_s = t1.net_correction_s - t4.rx_duration_s;
    // A part of the delay stays, so that clocks on the way that run fast cannot make it negative.
    const double kept_s = (forward_s + backward_s) * kMaxNetCorrectionFrequency;
    const double removed_s = forward_s + backward_s - kept_s;
    // Nobody has authenticated these values.
    if (!(removed_s >= 0.0 && removed_s <= reply.record.peer_delay_s)) return;
    Measurement& m = reply.measurement;
    m.forward_correction = Duration::from_seconds(forward_s - kept_s / 2.0);
    m.backward_correction = Duration::from_seconds(backward_s - kept_s / 2.0);
    m.forward = m.forward - m.forward_correction;
    m.backward = m.backward - m.backward_correction;
    reply.record.peer_delay_s = std::max(reply.record.peer_delay_s - removed_s, precision_s);
}

bool Association::passes_test_a(const Reply& reply, const Exchange& exchange,
                                double precision_s) const {
    const ReplyRecord& record = reply.record;
    if (record.peer_delay_s - record.peer_dispersion_s > limits_.max_delay_s) return false;
    if (precision_s > limits_.max_delay_s) return false;
    if (presend_to_go_ > 0) return false;
    if (!(std::fabs(record.offset_s) < kMaxOffsetS)) return false;
    const double corrected_s = record.at.since_epoch().to_seconds() + record.offset_s;
    const double pivot_s = config_.era_pivot.since_epoch().to_seconds();
    if (corrected_s < 0.0 || std::fabs(corrected_s - pivot_s) > kHalfEraS) return false;

    if (!config_.symmetric) {
        if (record.response_time_s > kMaxServerIntervalS) return false;
        // After a switch from basic mode the best stamps have already been used.
        return !(reply.interleaved && prev_local_tx_.time.is_zero() && exchange.newest_transmit);
    }
    if (!reply.interleaved) return true;
    // Signs of a missed packet: stamps that do not belong together.
    const double peer_interval_s = std::ldexp(1.0, std::min(remote_poll_, prev_local_poll_));
    if (record.peer_delay_s > 0.5 * peer_interval_s) return false;
    if (!is_after(reply.header().receive, reply.header().transmit)) return false;
    const double since_previous_s =
        (exchange.remote_transmit - exchange.previous_transmit).to_seconds();
    return remote_poll_ > prev_local_poll_ || since_previous_s <= 1.5 * peer_interval_s;
}

bool Association::is_no_loop(const LocalView& local, const Reply& reply) const {
    if (!local.serving) return true;
    const NtpHeader& header = reply.header();
    if (header.stratum > 1 && reply.packet.local.is_ip() &&
        header.ref_id == reply.packet.local.ref_id()) {
        return false;
    }
    // The same reference data to the last bit: it is ourselves.
    const ServerState& server = *local.server;
    const bool is_me = server.synchronised && header.stratum == server.stratum &&
                       header.ref_id == server.ref_id.value &&
                       header.root_delay == NtpShort::from_seconds_up(server.root_delay_s) &&
                       !header.reference.is_zero() &&
                       header.reference == NtpTimestamp::from_utc(server.reference_time);
    return !is_me;
}

void Association::update_stamps(const Reply& reply) {
    const NtpHeader& header = reply.header();
    const TestBits& tests = reply.record.tests;
    // Protected against replay in client mode; in symmetric mode as long as the peers use the same
    // interval. Authentication is required, or strangers could disturb the exchange.
    const bool newer = config_.symmetric && is_after(header.transmit, remote_transmit_);
    if (tests.valid() && (!valid_rx_ || newer)) {
        remote_receive_ = header.receive;
        remote_transmit_ = header.transmit;
        local_rx_ = reply.packet.stamp;
        valid_stamps_ = tests.synchronised();
        init_remote_transmit_ = {};
        init_local_rx_ = {};
        init_updated_ = false;
        if (reply.mono_root && !reply.mono_root->mono_receive.is_zero()) {
            remote_mono_epoch_ = reply.mono_root->mono_epoch;
            remote_mono_receive_ = reply.mono_root->mono_receive;
            source_step_s_ += reply.source_step_s;
        } else {
            remote_mono_epoch_ = 0;
            remote_mono_receive_ = {};
            source_step_s_ = 0.0;
        }
        local_tx_.net_correction_s = reply.correction_s();
        // Stamps of a measurement already made in basic mode are not used once more.
        prev_local_tx_ = reply.interleaved || !tests.good() ? local_tx_ : LocalStamp{};
        return;
    }
    const bool can_start = config_.symmetric && tests[PacketTest::Test1] &&
                           tests[PacketTest::Test5] && !header.transmit.is_zero();
    if (can_start && (!init_updated_ || is_after(header.transmit, init_remote_transmit_))) {
        init_remote_transmit_ = header.transmit;
        init_local_rx_ = reply.packet.stamp;
        init_updated_ = true;
    }
}

void Association::accept_valid(const LocalView& local, Reply& reply) {
    const NtpHeader& header = reply.header();
    const TestBits& tests = reply.record.tests;
    remote_poll_ = header.poll;
    remote_stratum_ = header.stratum == 0
                          ? kStratumUnsynchronised
                          : std::min<Stratum>(header.stratum, kStratumUnsynchronised);
    remote_root_delay_s_ = reply.record.root_delay_s;
    remote_root_dispersion_s_ = reply.record.root_dispersion_s;
    prev_local_poll_ = poll_.poll();
    prev_tx_count_ = tx_count_;
    tx_count_ = 0;
    update_reach(tests.synchronised());
    take_status(reply);
    if (config_.mesh && config_.symmetric) {
        if (const auto* field = reply.parsed.find(kExtensionMesh)) {
            if (const auto row = MeshRow::decode(field->body)) emit(MeshOutput{*row});
        }
    }

    if (tests.good()) {
        take_measurement(local, reply);
    } else {
        poll_.add(tests[PacketTest::TestD] ? kBadReplyAdjustment : kLoopAdjustment, is_near(local));
        emit(MissedOutput{});
    }
    if (!config_.symmetric) close_port();

    back_off_s_ = 0.0;
    if (activity_ != Activity::Offline) {
        const double delay_s = transmit_delay_s(local, false);
        if (reply.kod_rate) {
            emit(KodOutput{kKodRate});
            back_off_s_ = kKodBackOff * std::ldexp(1.0, poll_.poll());
            if (is_burst()) burst_good_to_go_ = 0;
        }
        restart_timer(local, delay_s + back_off_s_);
    }
    fill_report(reply);
}

void Association::take_status(const Reply& reply) {
    const TestBits& tests = reply.record.tests;
    std::optional<RefId> copied;
    if (config_.copy) {
        if (tests.synchronised() && remote_stratum_ > 0) {
            --remote_stratum_;
            copied = RefId{reply.header().ref_id};
        } else {
            emit(ResetSourceOutput{});
        }
    }
    if (!tests.synchronised()) return;
    emit(StatusOutput{std::max(remote_stratum_, config_.min_stratum), reply.header().leap, copied});
    if (delay_quantile_ && reply.record.peer_delay_s > 0.0)
        delay_quantile_->add(reply.record.peer_delay_s, random_);
}

void Association::take_measurement(const LocalView& local, Reply& reply) {
    Measurement& m = reply.measurement;
    m.stratum = std::max(remote_stratum_, config_.min_stratum);
    last_good_delay_s_ = reply.record.peer_delay_s;
    emit(MeasurementOutput{m, m.peer_dispersion_s + 0.5 * reply.record.peer_delay_s,
                           source_step_s_});
    source_step_s_ = 0.0;
    if (!is_burst()) return;
    if (--burst_good_to_go_ > 0) return;
    if (activity_ == Activity::BurstWasOnline) {
        activity_ = Activity::Online;
    } else {
        go_offline(local);
    }
}

void Association::fill_report(const Reply& reply) {
    report_.local = reply.packet.local;
    report_.reply = reply.record;
    report_.reference_time = reply.header().reference.is_zero()
                                 ? UtcTime()
                                 : reply.header().reference.resolve(config_.era_pivot);
    ++report_.valid_count;
    if (reply.record.tests.good()) ++report_.good_count;
}

}  // namespace gnomon
