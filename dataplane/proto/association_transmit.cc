/// The sending half of `Association`: what a request looks like and what sending it changes.

#include <algorithm>
#include <span>

#include "dataplane/proto/association.h"

namespace gnomon {
namespace {

constexpr int kAutoBurstGood = 1;
constexpr int kMaxAutoBurstTotal = 4;
// More unanswered requests than this, and an interleaved reply would carry a very old transmit
// time.
constexpr unsigned kMaxClientInterleavedTx = 4;
// In mode 3 the packet tells nothing about us: every bit of its timestamps is random.
constexpr int kHiddenPrecision = 32;
constexpr int kFinestPrecision = -30;
// Missed polls lengthen the interval, less so for the source that steers the clock.
constexpr double kMissedAdjustment = 0.25;
constexpr double kMissedSelectedAdjustment = 0.1;

/// Random bits in all places finer than 2^precision seconds.
std::uint64_t random_mask(int precision) noexcept {
    const int bits = std::clamp(precision, kFinestPrecision, kHiddenPrecision) + 32;
    return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

}  // namespace

void Association::transmit(const LocalView& local) {
    transmit_at_.reset();
    if (schedule_ != nullptr) schedule_->dispatched(slot_, local.now);
    back_off_s_ = 0.0;
    if (saved_ && saved_->size > 0) {
        process_saved_reply(local);
        if (transmit_at_) return;
    }
    if (!update_activity_before_transmit(local)) return;
    if (!auth_->prepare(local.now)) {
        update_reach(false);
        restart_timer(local, transmit_delay_s(local, true));
        emit(MissedOutput{});
        return;
    }
    if (!config_.symmetric) close_port();

    // A peer must be able to tell which of our packets the transmit time belongs to: interleave
    // only in the first answer to its last packet, and only when the one before was answered once.
    const bool interleaved =
        config_.interleaved && (config_.symmetric ? prev_tx_count_ == 1 && tx_count_ == 0
                                                  : tx_count_ < kMaxClientInterleavedTx);
    // To (re)start the symmetric protocol, answer even a packet that answered nothing of ours.
    const bool initial = config_.symmetric && !valid_rx_ && !init_remote_transmit_.is_zero();
    valid_rx_ = false;
    init_updated_ = false;
    if (initial) valid_stamps_ = false;
    update_presend(interleaved);

    const std::size_t length = build_request(local, interleaved, initial);
    if (length > 0) {
        local_tx_ = LocalStamp{};
        local_tx_.time = local.utc;
        port_open_ = !config_.symmetric;
        emit(SendOutput{std::span(request_).first(length), config_.remote, !config_.symmetric,
                        sent_transmit_.bits()});
    }
    count_request(local, length > 0);
}

bool Association::update_activity_before_transmit(const LocalView& local) {
    switch (activity_) {
        case Activity::BurstWasOnline:
            // The last request of the burst already keeps the normal interval.
            if (burst_total_to_go_ <= 1) activity_ = Activity::Online;
            break;
        case Activity::BurstWasOffline:
            if (burst_total_to_go_ <= 0) go_offline(local);
            break;
        case Activity::Online:
            // As many requests as keep the mean interval at the configured minimum.
            if (config_.burst && poll_.poll() > poll_.min_poll()) {
                const int shift = std::min(poll_.poll() - poll_.min_poll(), 2);
                start_burst(local, kAutoBurstGood, std::min(1 << shift, kMaxAutoBurstTotal));
            }
            break;
        case Activity::Offline: break;
    }
    return activity_ != Activity::Offline;
}

void Association::update_presend(bool interleaved) noexcept {
    // Warms the caches of address resolution on the way; an interleaved server needs two requests
    // to have a fresh timestamp for us.
    if (config_.presend_min_poll <= poll_.poll() && presend_to_go_ == 0 && !is_burst()) {
        presend_to_go_ = interleaved ? 2 : 1;
    } else if (presend_to_go_ > 0) {
        --presend_to_go_;
    }
}

NtpTimestamp Association::unique_stamp(UtcTime time, int precision,
                                       std::initializer_list<NtpTimestamp> taken) {
    if (time.is_zero()) return NtpTimestamp();
    const std::uint64_t plain = NtpTimestamp::from_utc(time).bits();
    const std::uint64_t mask = random_mask(precision);
    NtpTimestamp stamp;
    // Two bits or more are random, and at most three values are taken.
    for (std::uint64_t attempt = 0; attempt < 64; ++attempt) {
        stamp = NtpTimestamp::from_bits(plain ^ ((random_.next() + attempt) & mask));
        const bool used = std::find(taken.begin(), taken.end(), stamp) != taken.end();
        if (!used) break;
    }
    return stamp;
}

std::size_t Association::build_request(const LocalView& local, bool interleaved, bool initial) {
    const ServerState& server = *local.server;
    const LocalStamp& receive = initial ? init_local_rx_ : local_rx_;
    if (initial || local_tx_.time.is_zero()) interleaved = false;

    NtpHeader header;
    header.version = version_;
    header.poll = static_cast<std::int8_t>(poll_.poll());
    int precision = kHiddenPrecision;
    if (config_.symmetric) {
        precision = server.precision;
        header.mode = Mode::SymmetricActive;
        header.leap = server.synchronised ? server.leap : Leap::Unsynchronised;
        const bool has_stratum = server.synchronised && server.stratum < kStratumUnsynchronised;
        header.stratum = has_stratum ? server.stratum : 0;
        header.ref_id = server.synchronised ? server.ref_id.value : 0;
        header.root_delay = NtpShort::from_seconds_up(server.root_delay_s);
        header.root_dispersion =
            NtpShort::dispersion_beside(server.root_delay_s, server.root_dispersion_at(local.utc));
        if (!server.reference_time.is_zero()) {
            header.reference = NtpTimestamp::from_utc(server.reference_time);
        }
    } else {
        header.mode = Mode::Client;
        header.leap = Leap::Normal;
    }
    header.precision = static_cast<std::int8_t>(precision);

    // What the protocol does not need is not revealed.
    if (config_.symmetric || interleaved) {
        header.origin = interleaved ? remote_receive_
                        : initial   ? init_remote_transmit_
                                    : remote_transmit_;
        header.receive = unique_stamp(receive.time, precision, {header.origin, sent_receive_});
    }
    // Different from the receive time, so that the other side can tell the modes apart; from the
    // origin, so that the packet is no answer to itself; from the last one, so that late answers to
    // that fail.
    header.transmit = unique_stamp(interleaved ? local_tx_.time : local.utc, precision,
                                   {header.receive, header.origin, sent_transmit_});
    encode_header(header, std::span(request_).first<kNtpHeaderSize>());
    sent_receive_ = header.receive;
    sent_transmit_ = header.transmit;

    const std::size_t length = add_extensions(local, kNtpHeaderSize, receive);
    return length == 0 ? 0 : auth_->sign(request_, length, version_);
}

std::size_t Association::add_extensions(const LocalView& local, std::size_t length,
                                        const LocalStamp& receive) {
    // Only version 4 has extension fields.
    if (version_ < 4) return length;
    if (config_.network_correction) {
        NetworkCorrection field;
        if (config_.symmetric && receive.net_correction_s > receive.rx_duration_s) {
            field = NetworkCorrection::from_seconds(receive.net_correction_s);
        }
        length = append_extension(request_, length, kExtensionNetworkCorrection, field.encode());
    }
    if (config_.mono_root && length > 0) {
        MonoRoot field;
        if (config_.symmetric) {
            field.root_delay = MonoRoot::to_fixed28(local.server->root_delay_s);
            field.root_dispersion =
                MonoRoot::to_fixed28(local.server->root_dispersion_at(local.utc));
            field.mono_epoch = local.server->mono_epoch;
            if (field.mono_epoch != 0 && !receive.time.is_zero()) {
                field.mono_receive = NtpTimestamp::from_utc(
                    receive.time + Duration::from_seconds(local.server->mono_offset_s));
            }
        }
        length = append_extension(request_, length, kExtensionMonoRoot, field.encode());
    }
    if (config_.mesh && config_.symmetric && local.mesh != nullptr && length > 0) {
        std::array<std::uint8_t, MeshRow::kMaxSize> body;
        const std::size_t size = local.mesh->encode(body);
        length = append_extension(request_, length, kExtensionMesh, std::span(body).first(size));
    }
    return length;
}

void Association::count_request(const LocalView& local, bool sent) {
    ++tx_count_;
    send_pending_ = sent;
    poll_before_send_ = poll_;
    last_sent_ = local.now;
    if (sent) ++report_.tx_count;
    if (tx_count_ >= 2) {
        if (sent) {
            poll_.add(local.selected ? kMissedSelectedAdjustment : kMissedAdjustment,
                      is_near(local));
        }
        update_reach(false);
        emit(MissedOutput{});
    }
    if (!sent && config_.auto_offline) set_offline(local);
    if (is_burst()) {
        const bool keep = activity_ == Activity::BurstWasOnline && !sent && reach_ == 0;
        if (!keep) --burst_total_to_go_;
    }
    if (activity_ == Activity::Offline) return;
    restart_timer(local, transmit_delay_s(local, true));
    // When a reply could no longer pass the delay test.
    if (!config_.symmetric) {
        close_port_at_ =
            local.now + Duration::from_seconds(limits_.max_delay_s + kMaxServerIntervalS);
    }
}

}  // namespace gnomon
