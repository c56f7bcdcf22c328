#include "mgmt/runtime/nic_clocks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mgmt/runtime/log.h"
#include "servo/actuator/clock_reader.h"

namespace gnomon {

namespace {

/// A stamp is of something that has just happened.
constexpr Duration kOldestStamp = Duration::from_s(1);
/// And not of the future, but for what reading the clocks is uncertain by.
constexpr double kFutureDeviations = 8.0;
constexpr double kFutureSlack_s = 1e-6;
constexpr int kFailedReads = 3;
/// Readings after which the relation's changes are of the oscillators and not of learning them.
constexpr int kSettledReadings = 16;
constexpr double kMaxCorrection_s = 1e-5;
constexpr double kMaxFrequencyChange = 1e-6;
/// What can be below a UDP payload on Ethernet: tags, IPv6 with extension headers.
constexpr std::size_t kLeastHeaders = 42;
constexpr std::size_t kMostHeaders = 256;

ReceiveFilter filter_of(HwTimestampConfig::RxFilter filter) {
    using Filter = HwTimestampConfig::RxFilter;
    switch (filter) {
        case Filter::Any: return ReceiveFilter::Any;
        case Filter::None: return ReceiveFilter::None;
        case Filter::Ntp: return ReceiveFilter::Ntp;
        case Filter::Ptp: return ReceiveFilter::Ptp;
        case Filter::All: return ReceiveFilter::All;
    }
    return ReceiveFilter::Any;
}

const char* text_of(ClockRelation::Fault fault) {
    switch (fault) {
        case ClockRelation::Fault::Jumped: return "has jumped";
        case ClockRelation::Fault::Stopped: return "has stopped";
        case ClockRelation::Fault::WrongRate: return "runs at a wrong rate";
        case ClockRelation::Fault::None: break;
    }
    return "cannot be read";
}

ClockRelationConfig relation_config(const HwTimestampConfig& config) {
    ClockRelationConfig relation;
    relation.min_readings = config.min_samples;
    return relation;
}

}  // namespace

NicClocks::Nic::Nic(const StampingInterface& found, PhcDevice opened,
                    const HwTimestampConfig& options, double clock_precision_s)
    : interface(found),
      device(std::move(opened)),
      config(options),
      sampler(clock_precision_s),
      relation(relation_config(options)),
      speed_mbps(link_speed(found.name)) {}

SysResult<void> NicClocks::open(const TimestampingConfig& config, double clock_precision_s) {
    for (const HwTimestampConfig& line : config.interfaces) {
        if (line.interface == "*") continue;
        if (auto added = add(line.interface, line, clock_precision_s); !added) return added;
    }
    const auto all = std::find_if(config.interfaces.begin(), config.interfaces.end(),
                                  [](const auto& line) { return line.interface == "*"; });
    if (all == config.interfaces.end()) return {};
    // What cannot stamp need not be named: most interfaces cannot.
    for (const std::string& name : interface_names()) (void)add(name, *all, clock_precision_s);
    return {};
}

SysResult<void> NicClocks::add(const std::string& name, const HwTimestampConfig& config,
                               double clock_precision_s) {
    for (const auto& nic : nics_) {
        if (nic->interface.name == name) return {};
    }
    const auto interface = enable_stamping(name, filter_of(config.rx_filter));
    if (!interface) return Unexpected(interface.error());
    auto device =
        PhcDevice::open("/dev/ptp" + std::to_string(interface->clock_index), /*writable=*/false);
    if (!device) return Unexpected(device.error());
    nics_.push_back(
        std::make_unique<Nic>(*interface, std::move(*device), config, clock_precision_s));
    log_info("Enabled HW timestamping {}on {}", interface->receives ? "" : "(TX only) ", name);
    return {};
}

NicClocks::Nic* NicClocks::find(int interface_index) noexcept {
    for (const auto& nic : nics_) {
        if (nic->interface.index == interface_index) return nic.get();
    }
    return nullptr;
}

MonoTime NicClocks::next_timeout() const noexcept {
    MonoTime next = MonoTime::max();
    for (const auto& nic : nics_) next = std::min(next, nic->next_read);
    return next;
}

void NicClocks::handle_timeout(MonoTime now) {
    for (const auto& nic : nics_) {
        if (nic->next_read <= now) read_clock(*nic, now);
    }
}

void NicClocks::read_clock(Nic& nic, MonoTime now) {
    nic.last_read = now;
    nic.next_read = now + Duration::from_log2_seconds(nic.config.max_poll_log2_s);
    std::vector<PhcReading> readings = nic.device.read(nic.config.cross_timestamps);
    if (readings.empty()) {
        if (++nic.failed_reads != kFailedReads) return;
        nic.relation.reset();
        tell(nic, ClockRelation::Fault::None);
        return;
    }
    nic.failed_reads = 0;
    // The sampler compares two clocks and does not care which; during a fast slew the system clock's
    // rate is far from what it was, the NTP clock's is not.
    for (PhcReading& reading : readings) {
        reading.before = SystemTime::from_ns(to_utc_(reading.before).ns());
        reading.after = SystemTime::from_ns(to_utc_(reading.after).ns());
    }
    const auto sample = nic.sampler.combine(readings);
    if (!sample || !sample->usable) return;
    nic.speed_mbps = link_speed(nic.interface.name);
    ClockReading reading;
    reading.at = UtcTime::from_ns(sample->at.ns());
    reading.phc = PhcTime::from_ns((sample->at.since_epoch() + sample->offset).ns());
    reading.variance_s2 = sample->variance_s2;
    reading.error_s = sample->error_s;
    const ClockRelation::Fault fault = nic.relation.update(reading);
    if (fault != ClockRelation::Fault::None) {
        nic.trial.reset();
        tell(nic, fault);
    }
    follow(nic);
    if (nic.reported && nic.relation.is_trusted()) {
        nic.reported = false;
        log_info("Hardware timestamps of {} are used again", nic.interface.name);
    }
}

void NicClocks::tell(Nic& nic, ClockRelation::Fault fault) {
    if (nic.reported) return;
    nic.reported = true;
    log_warning("Clock of {} {}, using kernel timestamps", nic.interface.name, text_of(fault));
}

SystemTime NicClocks::to_system(UtcTime utc) const {
    SystemTime system = SystemTime::from_ns(utc.ns());
    // The two scales drift apart slowly: each round gains at least an order of magnitude.
    for (int round = 0; round < 8; ++round) {
        const Duration off = utc - to_utc_(system);
        if (off == Duration::zero()) break;
        system += off;
    }
    return system;
}

std::optional<Stamp> NicClocks::convert(const Raw& raw) {
    Nic* nic = find(raw.interface_index);
    if (nic == nullptr) return std::nullopt;
    const MonoTime mono = read_mono_clock();
    // Polls are not quite regular; nearly due is due.
    const Duration least = Duration::from_log2_seconds(nic->config.min_poll_log2_s) * 7 / 8;
    if (nic->next_read == MonoTime::max() || mono - nic->last_read >= least) read_clock(*nic, mono);

    PhcTime at = PhcTime::from_ns(raw.ns);
    double duration_s = 0.0;
    if (raw.transmit) {
        const std::size_t headers =
            raw.frame_length - std::min<std::size_t>(raw.payload_length, raw.frame_length);
        if (headers >= kLeastHeaders && headers <= kMostHeaders) {
            (raw.family == IpAddress::Family::V6 ? nic->headers.ipv6 : nic->headers.ipv4) = headers;
        }
    } else {
        duration_s = frame_duration_s(raw.frame_length, raw.payload_length,
                                      nic->headers.of(raw.family), nic->speed_mbps);
        at += Duration::from_seconds(duration_s);
    }
    const auto converted = nic->relation.to_utc(at);
    if (!converted) return std::nullopt;
    const double compensation_s =
        raw.transmit ? nic->config.tx_compensation_s : -nic->config.rx_compensation_s;
    Stamp stamp;
    stamp.time = to_system(converted->at) + Duration::from_seconds(compensation_s);
    stamp.source = TimestampSource::Hardware;
    // Both stamps of an exchange share this error, with opposite signs in the two ways: the sum of their
    // variances shall be that of the offset they make.
    stamp.variance_s2 = 2.0 * converted->variance_s2;
    stamp.error_s = std::max(converted->error_s, nic->config.precision_s);
    stamp.rx_duration_s = duration_s;
    const double future_s = kFutureSlack_s + std::fabs(compensation_s) + stamp.error_s +
                            kFutureDeviations * std::sqrt(stamp.variance_s2);
    const Duration age = raw.now - stamp.time;
    if (age > kOldestStamp || age.to_seconds() < -future_s) return std::nullopt;
    return stamp;
}

void NicClocks::on_adjustment(const ClockAdjustment& adjustment) {
    for (const auto& nic : nics_) {
        nic->relation.adjust(adjustment);
        nic->trial.adjust(adjustment);
    }
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) return;
    followed_.at += adjustment.shift(followed_.at);
    followed_before_.at += adjustment.shift(followed_before_.at);
}

void NicClocks::on_measurement(SourceId source, const Measurement& measurement) {
    const UtcTime at = measurement.at;
    const bool changed = judge_ != source;
    judge_ = source;
    // Measurements are a little older than the last correction, which was of what came before it.
    const Followed& line = at < followed_.at ? followed_before_ : followed_;
    const double offset_s = measurement.offset_s();
    for (const auto& nic : nics_) {
        if (changed) nic->trial.change_source();
        if (!nic->relation.is_trusted() || nic->relation.readings() < kSettledReadings) continue;
        if (nic->base == Duration::zero()) nic->base = nic->relation.difference();
        nic->trial.add(at, offset_s + line.at_time(at),
                       offset_s - nic->relation.ahead_s(at, nic->base));
    }
}

void NicClocks::follow(Nic& nic) {
    const double weight = nic.config.follow ? nic.trial.weight() : 0.0;
    if (leader_ != nullptr && leader_ != &nic && leader_->trial.weight() >= weight) return;
    if (weight == 0.0) {
        if (leader_ == &nic) {
            leader_ = nullptr;
            log_info("Clock of {} is not followed any more", nic.interface.name);
        }
        return;
    }
    if (leader_ != &nic) {
        leader_ = &nic;
        log_info("Oscillator of {} is steadier, following it", nic.interface.name);
    }
    if (!nic.relation.is_trusted() || nic.relation.readings() < kSettledReadings) return;
    const ClockRelation::Change& change = nic.relation.last_change();
    ClockAdjustment adjustment;
    adjustment.at = to_utc_(read_system_clock());
    adjustment.frequency_change =
        weight * change.frequency / (1.0 + nic.relation.frequency() - change.frequency);
    adjustment.offset_change_s = weight * change.offset_s;
    // Oscillators do not wander so far in one interval: that was something else.
    if (std::fabs(adjustment.offset_change_s) > kMaxCorrection_s ||
        std::fabs(adjustment.frequency_change) > kMaxFrequencyChange) {
        return;
    }
    if (!follow_(adjustment.offset_change_s, adjustment.frequency_change)) return;
    nic.relation.adjust(adjustment);
    for (const auto& other : nics_) {
        if (other.get() != &nic) other->relation.adjust(adjustment);
    }
    followed_before_ = followed_;
    followed_.offset_s = followed_.at_time(adjustment.at) + adjustment.offset_change_s;
    followed_.frequency += adjustment.frequency_change;
    followed_.at = adjustment.at;
}

}  // namespace gnomon
