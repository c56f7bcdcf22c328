#include "dataplane/proto/association.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

constexpr double kInitialDelayS = 0.2;
// Every interval is made longer by up to 2 %, so that clients do not fall into step.
constexpr double kRandomness = 0.02;
// Sources with short intervals are kept apart less: eight of them fit into one interval.
constexpr double kMinSeparationS = 0.002;
constexpr double kMaxSeparationS = 0.2;
constexpr int kSeparationShift = 3;
// How much longer a peer waits for the other side's packet.
constexpr double kPeerPatience = 1.1;
constexpr double kMaxBurstIntervalS = 2.0;
constexpr double kMaxBurstPollRatio = 0.25;
constexpr double kWarmUpDelayS = 2.0;
constexpr int kInitialBurstGood = 4;
constexpr int kInitialBurstTotal = 8;
constexpr int kReachBits = 8;
constexpr double kMaxMaxDelayS = 1e3;
constexpr double kMaxMaxDelayRatio = 1e6;

// Written so that NaN becomes the lower bound.
double clamp_limit(double value, double max) noexcept {
    return value > 0.0 ? std::min(value, max) : 0.0;
}

AssociationConfig sanitised(AssociationConfig config) noexcept {
    config.min_stratum =
        std::min<Stratum>(config.min_stratum, static_cast<Stratum>(kStratumUnsynchronised - 1));
    if (config.symmetric) {
        // A presend would look to the peer like one more poll.
        config.presend_min_poll = kMaxPoll + 1;
        config.copy = false;
    }
    return config;
}

NtpReport blank_report(const SocketAddress& remote) {
    NtpReport report;
    report.reply.remote = remote;
    report.reply.header.leap = Leap::Normal;
    report.reply.header.version = 0;
    return report;
}

}  // namespace

Association::Association(const AssociationConfig& config, std::unique_ptr<ClientAuth> auth,
                         const Surroundings& surroundings)
    : config_(sanitised(config)),
      auth_(std::move(auth)),
      random_(surroundings.random),
      source_(surroundings.source),
      schedule_(surroundings.schedule),
      poll_(config.min_poll, config.max_poll,
            config.poll_target > 0 ? config.poll_target : kDefaultPollTarget) {
    if (schedule_ != nullptr) slot_ = schedule_->add();
    const bool needs_v4 =
        config.interleaved || config.network_correction || config.mono_root || config.mesh;
    version_ = needs_v4 ? 4 : auth_->suggested_version();
    if (config.version) version_ = std::clamp<std::uint8_t>(*config.version, 1, 4);
    set_max_delay(config.max_delay_s);
    set_max_delay_ratio(config.max_delay_ratio);
    set_max_delay_dev_ratio(config.max_delay_dev_ratio);
    limits_.max_clock_error = config.max_clock_error;
    if (config.max_delay_quantile > 0.0) {
        delay_quantile_.emplace(std::clamp(config.max_delay_quantile, 0.05, 0.95),
                                std::max(config.clock_precision_s, 1e-9) / 2.0);
    }
    report_ = blank_report(config.remote);
}

Association::~Association() {
    if (schedule_ != nullptr) schedule_->remove(slot_);
}

void Association::start(const LocalView& local) {
    if (started_) return;
    started_ = true;
    if (activity_ == Activity::Offline) {
        if (!config_.offline) go_online(local);
    } else {
        start_initial_timer(local);
    }
}

void Association::handle_timeout(const LocalView& local) {
    if (saved_ && saved_->size > 0 && saved_->deadline <= local.now) process_saved_reply(local);
    if (close_port_at_ && *close_port_at_ <= local.now) close_port();
    if (transmit_at_ && *transmit_at_ <= local.now) transmit(local);
}

void Association::handle_send_result(const LocalView& local, bool sent, UtcTime at) {
    if (sent) {
        if (local_tx_.source == TimestampSource::Daemon && !local_tx_.time.is_zero() &&
            !at.is_zero()) {
            local_tx_.time = at;
        }
        send_pending_ = false;
        return;
    }
    drops_.count(Drop::SendFailed);
    if (!send_pending_) return;
    send_pending_ = false;
    --report_.tx_count;
    if (poll_before_send_) poll_ = *poll_before_send_;
    if (config_.auto_offline) set_offline(local);
    // While nothing gets out a burst does not use itself up.
    if (activity_ == Activity::BurstWasOnline && reach_ == 0) ++burst_total_to_go_;
}

void Association::handle_transmit_stamp(const LocalView& local, std::uint64_t cookie,
                                        const LocalStamp& stamp) {
    if (stamp.source == TimestampSource::Hardware) ++report_.hw_tx_stamps;
    if (stamp.source == TimestampSource::Kernel) ++report_.kernel_tx_stamps;
    if (cookie == sent_transmit_.bits() && !local_tx_.time.is_zero() &&
        stamp.source >= local_tx_.source) {
        constexpr double kMaxTransmitDelayS = 1.0;
        constexpr double kDeviations = 4.0;
        const double later_s = (stamp.time - local_tx_.time).to_seconds();
        // Nothing leaves before it is sent, but two clocks are compared. To refuse the half of the
        // stamps that are early by the uncertainty of that would bias the other half.
        const double slack_s = stamp.error_s + kDeviations * std::sqrt(stamp.variance_s2);
        if (later_s >= -slack_s && later_s <= kMaxTransmitDelayS) local_tx_ = stamp;
    }
    if (stamp.source == TimestampSource::Hardware && saved_ && saved_->size > 0) {
        process_saved_reply(local);
    }
}

void Association::handle_accumulated(const LocalView& local, double prediction_error_s,
                                     double distance_s, int samples) {
    const int before = poll_.poll();
    // The intervals of peers are negotiated; and without knowledge of the noise there is no error
    // to foresee.
    std::optional<SourceView::Noise> noise;
    if (config_.poll_target <= 0 && !config_.symmetric) noise = source_.noise();
    if (noise) {
        poll_.plan(*noise, prediction_error_s, distance_s, is_near(local));
    } else {
        poll_.add(poll_.evidence(prediction_error_s, distance_s, samples), is_near(local));
    }
    if (poll_.poll() != before && transmit_at_ && activity_ != Activity::Offline) {
        restart_timer(local, transmit_delay_s(local, false) + back_off_s_);
    }
}

void Association::adjust(const LocalView& local, const ClockAdjustment& adjustment) {
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        reset_protocol();
        reset_poll(local);
        return;
    }
    const auto move = [&adjustment](LocalStamp& stamp) {
        if (!stamp.time.is_zero()) stamp.time += adjustment.shift(stamp.time);
    };
    move(local_rx_);
    move(local_tx_);
    move(prev_local_tx_);
    move(init_local_rx_);
    if (saved_ && saved_->size > 0) move(saved_->packet.stamp);
}

void Association::set_online(const LocalView& local) {
    const bool was_online = is_online();
    if (activity_ == Activity::Offline) go_online(local);
    if (activity_ == Activity::BurstWasOffline) activity_ = Activity::BurstWasOnline;
    if (!was_online) emit(OnlineOutput{true});
}

void Association::set_offline(const LocalView& local) {
    const bool was_online = is_online();
    if (activity_ == Activity::Online) go_offline(local);
    if (activity_ == Activity::BurstWasOnline) activity_ = Activity::BurstWasOffline;
    if (was_online) emit(OnlineOutput{false});
}

void Association::start_burst(const LocalView& local, int good_samples, int total_samples) {
    // A burst would upset the polling of a peer.
    if (config_.symmetric || is_burst()) return;
    activity_ =
        activity_ == Activity::Online ? Activity::BurstWasOnline : Activity::BurstWasOffline;
    burst_good_to_go_ = good_samples;
    burst_total_to_go_ = total_samples;
    start_initial_timer(local);
}

void Association::reset_protocol() noexcept {
    tx_count_ = 0;
    prev_tx_count_ = 0;
    presend_to_go_ = 0;
    valid_rx_ = false;
    valid_stamps_ = false;
    prev_local_poll_ = 0;
    remote_poll_ = 0;
    remote_stratum_ = 0;
    remote_root_delay_s_ = 0.0;
    remote_root_dispersion_s_ = 0.0;
    remote_mono_epoch_ = 0;
    remote_mono_receive_ = {};
    source_step_s_ = 0.0;
    remote_receive_ = {};
    remote_transmit_ = {};
    sent_receive_ = {};
    sent_transmit_ = {};
    local_rx_ = {};
    prev_local_tx_ = {};
    init_updated_ = false;
    init_remote_transmit_ = {};
    init_local_rx_ = {};
    last_good_delay_s_ = 0.0;
    if (delay_quantile_) delay_quantile_->reset();
}

void Association::reset_poll(const LocalView& local) {
    // The timer was set for the longer interval.
    if (poll_.reset() && transmit_at_) restart_timer(local, transmit_delay_s(local, false));
}

void Association::change_remote(const LocalView& local, const SocketAddress& remote) {
    reset_protocol();
    config_.remote = remote;
    close_port();
    // Not when the source was unreachable: too much traffic may have been the cause.
    if (reach_ != 0) reset_poll(local);
    report_ = blank_report(remote);
}

void Association::set_max_delay(double seconds) noexcept {
    limits_.max_delay_s = clamp_limit(seconds, kMaxMaxDelayS);
}
void Association::set_max_delay_ratio(double ratio) noexcept {
    limits_.max_delay_ratio = clamp_limit(ratio, kMaxMaxDelayRatio);
}
void Association::set_max_delay_dev_ratio(double ratio) noexcept {
    limits_.max_delay_dev_ratio = clamp_limit(ratio, kMaxMaxDelayRatio);
}

std::optional<AssociationOutput> Association::poll_output() {
    if (outputs_.empty()) return std::nullopt;
    std::optional<AssociationOutput> output(std::move(outputs_.front()));
    outputs_.pop_front();
    // The measurement before this output may have moved them meanwhile.
    if (auto* reply = std::get_if<ReplyOutput>(&*output)) {
        reply->record.local_poll = poll_.poll();
        reply->record.poll_score = poll_.score();
    }
    return output;
}

MonoTime Association::next_timeout() const noexcept {
    MonoTime next = MonoTime::max();
    if (transmit_at_) next = std::min(next, *transmit_at_);
    if (close_port_at_) next = std::min(next, *close_port_at_);
    if (saved_ && saved_->size > 0) next = std::min(next, saved_->deadline);
    return next;
}

int Association::poll() const noexcept {
    // The peer's wish counts when it answers, but never below our own minimum.
    if (config_.symmetric && reach_ != 0 && poll_.poll() > remote_poll_) {
        return std::max(remote_poll_, poll_.min_poll());
    }
    return poll_.poll();
}

void Association::go_online(const LocalView& local) {
    activity_ = Activity::Online;
    reset_protocol();
    start_initial_timer(local);
    if (config_.iburst) start_burst(local, kInitialBurstGood, kInitialBurstTotal);
}

void Association::go_offline(const LocalView&) {
    activity_ = Activity::Offline;
    stop_timer();
    reach_size_ = 0;
    reach_ = 0;
    unreachable_run_ = 0;
    // Two polls count as missed, so that the source is taken for unreachable and not for a new one.
    update_reach(false);
    update_reach(false);
    close_port();
    reset_protocol();
}

void Association::start_initial_timer(const LocalView& local) {
    // After a short break the interval since the last request is still kept.
    double delay_s = kInitialDelayS;
    if (last_sent_) delay_s = std::max(delay_s, transmit_delay_s(local, false));
    restart_timer(local, delay_s);
}

void Association::restart_timer(const LocalView& local, double delay_s) {
    if (!started_) return;
    const double factor = 1.0 + kRandomness * random_.uniform();
    const Duration delay = Duration::from_seconds(delay_s * factor);
    if (schedule_ == nullptr) {
        transmit_at_ = local.now + delay;
        return;
    }
    const double separation_s = std::clamp(std::ldexp(1.0, poll_.poll() - kSeparationShift),
                                           kMinSeparationS, kMaxSeparationS);
    transmit_at_ =
        schedule_->place(slot_, local.now, delay, Duration::from_seconds(separation_s * factor));
}

void Association::stop_timer() noexcept {
    transmit_at_.reset();
    if (schedule_ != nullptr) schedule_->cancel(slot_);
}

void Association::close_port() {
    close_port_at_.reset();
    if (saved_) saved_->size = 0;
    if (port_open_) emit(ClosePortOutput{});
    port_open_ = false;
}

void Association::update_reach(bool reachable) {
    reach_ = static_cast<std::uint8_t>(reach_ << 1 | (reachable ? 1 : 0));
    reach_size_ = std::min(reach_size_ + 1, kReachBits);
    if (reach_ != 0) {
        unreachable_run_ = 0;
    } else if (unreachable_run_ < std::numeric_limits<int>::max()) {
        ++unreachable_run_;
    }
    emit(ReachOutput{reach_});
}

double Association::transmit_delay_s(const LocalView& local, bool on_transmit) const {
    double elapsed_s = 0.0;
    if (!on_transmit && last_sent_) elapsed_s = (local.now - *last_sent_).to_seconds();
    double delay_s = std::ldexp(1.0, poll());
    if (is_burst()) {
        delay_s = std::min(kMaxBurstIntervalS, kMaxBurstPollRatio * delay_s);
    } else if (!config_.symmetric) {
        if (presend_to_go_ > 0) delay_s = kWarmUpDelayS;
    } else {
        // A peer of higher stratum profits from an answer right after its packet, so wait a bit for
        // it; with an equal one the packets are placed evenly between the other's.
        const int ours =
            local.server->synchronised ? local.server->stratum : int{kStratumUnsynchronised};
        const int difference = remote_stratum_ - ours;
        const bool wait_for_peer = difference > 0 && elapsed_s * kPeerPatience < delay_s;
        const bool interleave =
            !on_transmit && difference == 0 && elapsed_s / delay_s > kPeerPatience - 0.5;
        if (wait_for_peer || interleave) delay_s *= kPeerPatience;
    }
    return std::max(0.0, delay_s - std::max(0.0, elapsed_s));
}

bool Association::is_near(const LocalView& local) const {
    if (reach_ == 0) return false;
    if (last_good_delay_s_ > 0.0 && last_good_delay_s_ <= kMaxLanDelayS) return true;
    const auto prediction = source_.predict(local.utc);
    return prediction && prediction->min_delay_s <= kMaxLanDelayS;
}

}  // namespace gnomon
