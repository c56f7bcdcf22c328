#include "mgmt/engine/ntp_source.h"

#include <cmath>
#include <utility>
#include <variant>

#include "mgmt/engine/source_statistics.h"

namespace gnomon {
namespace {

HistoryConfig history_config(const Config& config, const SourceOptions& options,
                             double precision_s) {
    HistoryConfig history;
    history.min_samples = options.min_samples.value_or(config.selection.min_samples);
    history.max_samples = options.max_samples.value_or(config.selection.max_samples);
    history.min_delay_s = options.min_delay_s;
    history.asymmetry = options.asymmetry;
    history.precision_s = precision_s;
    history.max_clock_error = config.clock.max_clock_error_ppm * 1e-6;
    return history;
}

AssociationConfig association_config(const Config& config, const SourceConfig& source,
                                     const SocketAddress& remote, double precision_s) {
    const SourceOptions& options = source.options;
    AssociationConfig result;
    result.remote = remote;
    result.symmetric = source.kind == SourceKind::Peer;
    result.min_poll = options.min_poll_log2_s;
    result.max_poll = options.max_poll_log2_s;
    result.poll_target = options.poll_target;
    result.presend_min_poll = options.presend_poll_log2_s;
    if (options.version != 0) result.version = static_cast<std::uint8_t>(options.version);
    result.max_delay_s = options.max_delay_s;
    result.max_delay_ratio = options.max_delay_ratio;
    result.max_delay_dev_ratio = options.max_delay_dev_ratio;
    result.max_delay_quantile = options.max_delay_quantile.value_or(0.0);
    result.offset_s = options.offset_s;
    result.min_stratum = static_cast<Stratum>(options.min_stratum);
    result.iburst = options.iburst;
    result.burst = options.burst;
    result.offline = options.offline;
    result.auto_offline = options.auto_offline;
    result.interleaved = options.interleaved;
    result.copy = options.copy;
    result.network_correction = options.ext_net_correction;
    result.mono_root = options.ext_mono_root;
    result.mesh = options.mesh;
    result.clock_precision_s = precision_s;
    result.max_clock_error = config.clock.max_clock_error_ppm * 1e-6;
    if (!config.timestamping.interfaces.empty()) {
        result.hw_stamp_timeout = Duration::from_seconds(config.timestamping.timeout_s);
    }
    return result;
}

SelectOptions select_options(const SourceOptions& options) {
    SelectOptions select;
    select.prefer = options.prefer;
    select.noselect = options.no_select;
    select.trust = options.trust;
    select.require = options.require;
    return select;
}

MeasurementRecord row_of(const ReplyRecord& reply) {
    MeasurementRecord row;
    row.at = reply.at;
    row.address = reply.remote.ip;
    row.leap = reply.header.leap;
    row.stratum = reply.header.stratum;
    row.tests = reply.tests.bits();
    row.local_poll = reply.local_poll;
    row.remote_poll = reply.header.poll;
    row.poll_score = reply.poll_score;
    row.offset_s = reply.offset_s;
    row.peer_delay_s = reply.peer_delay_s;
    row.peer_dispersion_s = reply.peer_dispersion_s;
    row.root_delay_s = reply.root_delay_s;
    row.root_dispersion_s = reply.root_dispersion_s;
    row.ref_id = reply.header.ref_id;
    row.mode = static_cast<std::uint8_t>(reply.header.mode);
    row.interleaved = reply.interleaved;
    row.tx_source = reply.tx_source;
    row.rx_source = reply.rx_source;
    row.valid = reply.tests.synchronised();
    return row;
}

}  // namespace

NtpSource::NtpSource(SourceId id, Origin origin, const SocketAddress& remote,
                     const SourceSurroundings& surroundings)
    : last_resolving(MonoTime()),
      resolved_address(remote.ip),
      origin_(std::move(origin)),
      around_(surroundings),
      selectable_(
          id, SourceType::Ntp,
          history_config(around_.config, origin_.config.options, around_.clock.precision_s()),
          around_.config.selection.estimator, around_.config.selection.shadows) {
    const SourceOptions& options = origin_.config.options;
    selectable_.label = SourceLabel{remote.ip, RefId{}, origin_.config.name};
    selectable_.configured = select_options(options);
    selectable_.effective = selectable_.configured;
    selectable_.authenticated = options.key_id != 0;
    selectable_.max_unreachable_polls = options.max_unreach_polls;

    if (options.filter_polls > 0) {
        MedianFilterConfig median;
        median.max_samples = options.filter_polls;
        median.precision_s = around_.clock.precision_s();
        median_.emplace(median);
    }

    std::unique_ptr<ClientAuth> auth;
    if (options.key_id != 0) {
        auth = std::make_unique<SymmetricAuth>(around_.keys, options.key_id);
    } else {
        auth = std::make_unique<NoAuth>();
    }
    association_ = std::make_unique<Association>(
        association_config(around_.config, origin_.config, remote, around_.clock.precision_s()),
        std::move(auth),
        Association::Surroundings{around_.services.random, selectable_.filter,
                                  is_peer() ? &around_.peer_schedule : &around_.client_schedule});
    if (remote.ip.is_ip()) selectable_.ref_id = association_->ref_id();
}

NtpSource::~NtpSource() { close_socket(); }

LocalView NtpSource::local_view(const Now& now) {
    LocalView local;
    local.now = now.mono;
    local.utc = around_.clock.to_utc(now.system);
    if (is_peer()) {
        peer_state_ = around_.clock.peer_state(now);
        local.server = &peer_state_;
    } else {
        local.server = &around_.clock.server_state();
    }
    local.serving = around_.listener.is_serving();
    local.selected = around_.listener.is_selected(*this);
    if (association_->config().mesh && is_peer()) {
        mesh_row_ = around_.listener.mesh_row(local.utc);
        local.mesh = &mesh_row_;
    }
    return local;
}

LocalStamp NtpSource::local_stamp(const Stamp& stamp) const {
    LocalStamp local;
    local.time = around_.clock.to_utc(stamp.time);
    local.source = stamp.source;
    local.variance_s2 = stamp.variance_s2;
    local.error_s = stamp.error_s;
    local.rx_duration_s = stamp.rx_duration_s;
    local.net_correction_s = stamp.rx_duration_s;
    return local;
}

void NtpSource::start(const Now& now) {
    association_->start(local_view(now));
    drain(now);
}

void NtpSource::handle_timeout(const Now& now) {
    association_->handle_timeout(local_view(now));
    drain(now);
}

PacketResult NtpSource::handle_packet(const RxDatagram& datagram, const Now& now) {
    ReceivedPacket packet;
    packet.datagram = datagram.payload;
    packet.stamp = local_stamp(datagram.stamp);
    packet.local = datagram.local;
    packet.interface_index = datagram.interface_index;
    if (datagram.local.is_ip()) selectable_.local_ref_id = RefId{datagram.local.ref_id()};
    const PacketResult result = association_->handle_packet(local_view(now), packet);
    drain(now);
    return result;
}

void NtpSource::handle_transmit_stamp(const TxStampReport& report, const Now& now) {
    association_->handle_transmit_stamp(local_view(now), report.cookie, local_stamp(report.stamp));
    drain(now);
}

void NtpSource::change_remote(const SocketAddress& remote, const Now& now) {
    association_->change_remote(local_view(now), remote);
    selectable_.label.address = remote.ip;
    selectable_.ref_id = association_->ref_id();
    selectable_.leap = Leap::Unsynchronised;
    selectable_.stratum = 0;
    set_mesh_correction(0.0);
    forget_measurements();
    drain(now);
    sync_reach();
    around_.listener.on_reset(*this, now);
}

void NtpSource::set_online(bool online, const Now& now) {
    online ? association_->set_online(local_view(now)) : association_->set_offline(local_view(now));
    drain(now);
    sync_reach();
}

void NtpSource::start_burst(int good, int total, const Now& now) {
    association_->start_burst(local_view(now), good, total);
    drain(now);
}

void NtpSource::reset(const Now& now) {
    forget_measurements();
    around_.listener.on_reset(*this, now);
}

void NtpSource::set_offset(double offset_s) { change_offset(offset_s + mesh_correction_s_); }

void NtpSource::set_mesh_correction(double correction_s) {
    const double configured_s = association_->config().offset_s - mesh_correction_s_;
    mesh_correction_s_ = correction_s;
    change_offset(configured_s + correction_s);
}

void NtpSource::change_offset(double offset_s) {
    const double change_s = offset_s - association_->config().offset_s;
    association_->set_offset(offset_s);
    selectable_.filter.shift_offsets(change_s);
    if (median_) median_->shift_offsets(change_s);
}

void NtpSource::adjust(const ClockAdjustment& adjustment, const Now& now) {
    selectable_.filter.adjust(adjustment);
    if (median_) median_->adjust(adjustment);
    association_->adjust(local_view(now), adjustment);
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        // Stamps of both sides of the step cannot make an exchange.
        association_->reset_protocol();
        association_->reset_poll(local_view(now));
        median_count_ = 0;
    }
}

void NtpSource::close_socket() {
    if (socket_ == kNoSocket) return;
    around_.services.network.close(socket_);
    socket_ = kNoSocket;
}

void NtpSource::drain(const Now& now) {
    // What an output leads to may come back here; the outer loop then takes what is added.
    if (draining_) return;
    draining_ = true;
    while (const auto output = association_->poll_output()) {
        std::visit([this, &now](const auto& o) { act(o, now); }, *output);
    }
    draining_ = false;
}

void NtpSource::act(const SendOutput& output, const Now& now) {
    Network& network = around_.services.network;
    TxDatagram datagram;
    datagram.payload = output.datagram;
    datagram.remote = output.remote;
    datagram.want_stamp = true;
    datagram.cookie = output.cookie;

    bool sent = false;
    const UtcTime at = around_.clock.to_utc(around_.services.clock.now());
    if (output.fresh_port) {
        close_socket();
        if (const auto opened = network.open_client(output.remote)) {
            socket_ = *opened;
            sent = network.send(socket_, datagram);
        }
    } else {
        sent = network.send_from_server(datagram);
    }
    association_->handle_send_result(local_view(now), sent, at);
}

void NtpSource::act(const ClosePortOutput&, const Now&) { close_socket(); }

void NtpSource::act(const MeasurementOutput& output, const Now& now) {
    selectable_.reference = output.measurement.ref_id;
    if (output.source_step_s != 0.0) selectable_.filter.shift_offsets(output.source_step_s);
    filter(&output.measurement, output.distance_s, now);
}

void NtpSource::act(const MissedOutput&, const Now& now) { filter(nullptr, 0.0, now); }

void NtpSource::act(const ReachOutput& output, const Now& now) {
    sync_reach();
    selectable_.reach.bits = output.reach;
    around_.listener.on_reach(*this, now);
}

void NtpSource::act(const StatusOutput& output, const Now& now) {
    selectable_.stratum = output.stratum;
    if (output.copied_ref_id) selectable_.ref_id = *output.copied_ref_id;
    // Servers disagree for some seconds on whether a leap second is over.
    const Instant instant{now.system, now.mono};
    if (around_.clock.discipline().is_leap_close(instant)) return;
    selectable_.leap = output.leap;
    around_.listener.on_status(*this, now);
}

void NtpSource::act(const ResetSourceOutput&, const Now& now) {
    forget_measurements();
    around_.listener.on_reset(*this, now);
}

void NtpSource::act(const KodOutput&, const Now&) {
    around_.services.events.on_event(KodReceived{selectable_.label});
}

void NtpSource::act(const OnlineOutput& output, const Now&) {
    around_.services.events.on_event(OnlineChanged{selectable_.label, output.online});
}

void NtpSource::act(const ReplyOutput& output, const Now&) {
    around_.services.events.on_event(row_of(output.record));
}

void NtpSource::act(const MeshOutput& output, const Now& now) {
    around_.listener.on_mesh_row(*this, output.row, now);
}

void NtpSource::filter(const Measurement* measurement, double distance_s, const Now& now) {
    if (!median_) {
        if (measurement != nullptr) accumulate(*measurement, distance_s, now);
        return;
    }
    if (measurement != nullptr) median_->add(*measurement);
    if (++median_count_ < median_->max_samples()) return;
    const auto merged = median_->take();
    if (!merged) return;
    median_count_ = 0;
    accumulate(*merged, merged->peer_dispersion_s + 0.5 * merged->peer_delay_s(), now);
}

void NtpSource::accumulate(const Measurement& measurement, double distance_s, const Now& now) {
    SourceFilter& filter = selectable_.filter;
    const double error_s =
        std::fabs(measurement.offset_s() - filter.predicted_offset_s(measurement.at));
    const Discipline& discipline = around_.clock.discipline();
    if (discipline.is_leap_close(Instant{now.system, now.mono}) ||
        discipline.is_leap_close(measurement.at)) {
        around_.services.events.on_event(SampleDroppedAtLeap{selectable_.label});
    } else {
        filter.update(measurement);
        ClockObserver* const observer = around_.services.observer;
        if (observer != nullptr && around_.listener.is_selected(*this)) {
            observer->on_measurement(selectable_.id, measurement);
        }
        tell_statistics();
    }
    around_.listener.on_sample(*this, now);
    association_->handle_accumulated(local_view(now), error_s, distance_s, filter.sample_count());
}

void NtpSource::tell_statistics() const {
    if (const auto row = statistics_record(selectable_)) around_.services.events.on_event(*row);
}

void NtpSource::forget_measurements() {
    selectable_.filter.reset();
    if (median_) median_->reset();
    median_count_ = 0;
}

void NtpSource::sync_reach() {
    selectable_.reach.bits = association_->reach();
    selectable_.reach.size = association_->reach_size();
    selectable_.reach.unreachable_polls = association_->unreachable_run();
    selectable_.active = association_->activity() != Association::Activity::Offline;
}

}  // namespace gnomon
