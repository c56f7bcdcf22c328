#include "mgmt/engine/source_commands.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

using command::Status;

int clamped(std::uint32_t value, int low, int high) {
    return std::clamp(static_cast<int>(std::min<std::uint32_t>(value, 0x7fff'ffff)), low, high);
}

}  // namespace

bool is_in_range(const IpAddress& address, const command::SourceRange& range) {
    if (range.address.family() == IpAddress::Family::Unspecified) return true;
    if (address.family() != range.address.family()) return false;
    if (range.mask.family() == IpAddress::Family::Unspecified) return address == range.address;
    if (range.mask.family() != address.family()) return false;
    for (std::size_t i = 0; i < address.bytes().size(); ++i) {
        const std::uint8_t mask = range.mask.bytes()[i];
        if ((address.bytes()[i] & mask) != (range.address.bytes()[i] & mask)) return false;
    }
    return true;
}

std::optional<SourceConfig> source_config_of(const command::AddSourceRequest& request) {
    SourceConfig config;
    switch (request.kind) {
        case command::SourceKind::Server: config.kind = SourceKind::Server; break;
        case command::SourceKind::Peer: config.kind = SourceKind::Peer; break;
        case command::SourceKind::Pool: config.kind = SourceKind::Pool; break;
        default: return std::nullopt;
    }
    config.name = request.name;
    SourceOptions& options = config.options;
    if (request.ipv4_only) options.family = IpAddress::Family::V4;
    if (request.ipv6_only && !request.ipv4_only) options.family = IpAddress::Family::V6;
    options.port = static_cast<std::uint16_t>(request.port);
    options.min_poll_log2_s = request.minpoll;
    options.max_poll_log2_s = request.maxpoll;
    options.presend_poll_log2_s = request.presend_minpoll;
    options.iburst = request.iburst;
    options.burst = request.burst;
    options.offline = !request.online;
    options.auto_offline = request.auto_offline;
    options.min_stratum = clamped(request.min_stratum, 0, 16);
    // chronyc always sends one; its default is not a wish.
    options.poll_target =
        request.poll_target == kDefaultPollTarget ? 0 : clamped(request.poll_target, 1, 1'000'000);
    options.version = clamped(request.version, 0, 4);
    options.max_sources = clamped(request.max_sources, 1, 16);
    if (request.min_samples >= 0) options.min_samples = request.min_samples;
    if (request.max_samples >= 0) options.max_samples = request.max_samples;
    options.max_unreach_polls = std::max(request.max_unreach, 0);
    options.filter_polls = std::clamp(request.filter_length, 0, 256);
    options.interleaved = request.interleaved;
    options.copy = request.copy;
    options.prefer = request.select.prefer;
    options.no_select = request.select.noselect;
    options.trust = request.select.trust;
    options.require = request.select.require;
    options.ext_net_correction = request.ef_net_correction;
    options.ext_mono_root = request.ef_exp_mono_root;
    options.key_id = request.key_id;
    options.max_delay_s = std::clamp(request.max_delay_s, 0.0, 1000.0);
    options.max_delay_ratio = std::clamp(request.max_delay_ratio, 0.0, 1e6);
    options.max_delay_dev_ratio = std::clamp(request.max_delay_dev_ratio, 0.0, 1e6);
    if (request.max_delay_quantile > 0.0) options.max_delay_quantile = request.max_delay_quantile;
    options.min_delay_s = std::max(request.min_delay_s, 0.0);
    if (std::fabs(request.asymmetry) <= 0.5) options.asymmetry = request.asymmetry;
    options.offset_s = request.offset_s;
    return config;
}

SourceCommandAgent::SourceCommandAgent(const Now& now, const Services& services, ClockAgent& clock,
                                       SelectionAgent& selection, SourceManager& sources,
                                       RefclockAgent& refclocks)
    : now_(now),
      services_(services),
      clock_(clock),
      selection_(selection),
      sources_(sources),
      refclocks_(refclocks) {}

Status SourceCommandAgent::add_source(const command::AddSourceRequest& request) {
    const auto config = source_config_of(request);
    if (!config) return Status::Invalid;
    // Never fall back to no authentication.
    if (request.nts) return Status::Failed;
    switch (sources_.add(*config, SourceOrigin::Command, now_)) {
        case SourceManager::AddResult::Added: return Status::Success;
        case SourceManager::AddResult::Unresolved: sources_.resolve(); return Status::Success;
        case SourceManager::AddResult::InUse: return Status::SourceAlreadyKnown;
        case SourceManager::AddResult::TooMany: return Status::TooManySources;
        case SourceManager::AddResult::InvalidFamily: return Status::InvalidAddressFamily;
        case SourceManager::AddResult::InvalidName: return Status::InvalidName;
    }
    return Status::Failed;
}

Status SourceCommandAgent::delete_source(const IpAddress& source) {
    return sources_.remove(source, now_) ? Status::Success : Status::NoSuchSource;
}

Status SourceCommandAgent::set_connectivity(const command::SourceRange& range, bool online) {
    if (online) sources_.resolve();
    bool any = false;
    NtpSource* selected = nullptr;
    for (const auto& source : sources_.sources()) {
        if (!is_in_range(source->remote().ip, range)) continue;
        any = true;
        if (selection_.is_selected(source->id())) {
            selected = source.get();
        } else {
            source->set_online(online, now_);
        }
    }
    // Last, so that no other source is selected for an instant.
    if (selected != nullptr) selected->set_online(online, now_);
    return any ? Status::Success : Status::NoSuchSource;
}

Status SourceCommandAgent::set_online(const command::SourceRange& range) {
    return set_connectivity(range, true);
}

Status SourceCommandAgent::set_offline(const command::SourceRange& range) {
    return set_connectivity(range, false);
}

Status SourceCommandAgent::set_online_by_route() {
    sources_.resolve();
    for (const bool selected : {false, true}) {
        for (const auto& source : sources_.sources()) {
            if (!source->has_address() || selection_.is_selected(source->id()) != selected)
                continue;
            source->set_online(services_.network.is_connectable(source->remote()), now_);
        }
    }
    return Status::Success;
}

Status SourceCommandAgent::burst(const command::BurstRequest& request) {
    bool any = false;
    for (const auto& source : sources_.sources()) {
        if (!is_in_range(source->remote().ip, request.range)) continue;
        any = true;
        if (source->has_address()) {
            source->start_burst(request.good_samples, request.total_samples, now_);
        }
    }
    return any ? Status::Success : Status::NoSuchSource;
}

void SourceCommandAgent::tell(const NtpSource& source, Parameter parameter, double value) const {
    services_.events.on_event(SourceParameterChanged{source.selectable().label, parameter, value});
}

Status SourceCommandAgent::modify_minpoll(const IpAddress& address, std::int32_t poll) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    if (source->association().set_min_poll(poll)) tell(*source, Parameter::MinPoll, poll);
    return Status::Success;
}

Status SourceCommandAgent::modify_maxpoll(const IpAddress& address, std::int32_t poll) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    if (source->association().set_max_poll(poll)) tell(*source, Parameter::MaxPoll, poll);
    return Status::Success;
}

Status SourceCommandAgent::modify_minstratum(const IpAddress& address, std::int32_t stratum) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    const int value = std::clamp<int>(stratum, 0, kStratumUnsynchronised);
    source->association().set_min_stratum(static_cast<Stratum>(value));
    tell(*source, Parameter::MinStratum, value);
    return Status::Success;
}

Status SourceCommandAgent::modify_polltarget(const IpAddress& address, std::int32_t target) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    source->association().set_poll_target(target);
    tell(*source, Parameter::PollTarget, target);
    return Status::Success;
}

Status SourceCommandAgent::modify_maxdelay(const IpAddress& address, double max_delay_s) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    source->association().set_max_delay(max_delay_s);
    tell(*source, Parameter::MaxDelay, max_delay_s);
    return Status::Success;
}

Status SourceCommandAgent::modify_maxdelayratio(const IpAddress& address, double ratio) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    source->association().set_max_delay_ratio(ratio);
    tell(*source, Parameter::MaxDelayRatio, ratio);
    return Status::Success;
}

Status SourceCommandAgent::modify_maxdelaydevratio(const IpAddress& address, double ratio) {
    NtpSource* source = sources_.find(address);
    if (source == nullptr) return Status::NoSuchSource;
    source->association().set_max_delay_dev_ratio(ratio);
    tell(*source, Parameter::MaxDelayDevRatio, ratio);
    return Status::Success;
}

SelectableSource* SourceCommandAgent::find(const IpAddress& address, RefId ref_id) const {
    if (address.family() != IpAddress::Family::Unspecified) {
        NtpSource* source = sources_.find(address);
        return source != nullptr ? &source->selectable() : nullptr;
    }
    for (SelectableSource* source : selection_.sources()) {
        if (source->type == SourceType::Refclock && source->ref_id == ref_id) return source;
    }
    return nullptr;
}

Status SourceCommandAgent::modify_select_options(const command::SelectOptionsRequest& request) {
    SelectableSource* source = find(request.address, request.ref_id);
    if (source == nullptr) return Status::NoSuchSource;
    SelectOptions changed = source->configured;
    if (request.mask.noselect) changed.noselect = request.options.noselect;
    if (request.mask.prefer) changed.prefer = request.options.prefer;
    if (request.mask.trust) changed.trust = request.options.trust;
    if (request.mask.require) changed.require = request.options.require;
    if (changed == source->configured) return Status::Success;
    source->configured = changed;
    services_.events.on_event(SourceParameterChanged{source->label, Parameter::SelectOptions, 0.0});
    selection_.update_options();
    return Status::Success;
}

Status SourceCommandAgent::modify_offset(const command::SourceOffsetRequest& request) {
    if (request.address.family() == IpAddress::Family::Unspecified) {
        RefclockSource* clock = refclocks_.find(request.ref_id);
        if (clock == nullptr) return Status::NoSuchSource;
        clock->set_offset(request.offset_s);
        services_.events.on_event(
            SourceParameterChanged{clock->selectable().label, Parameter::Offset, request.offset_s});
        return Status::Success;
    }
    NtpSource* source = sources_.find(request.address);
    if (source == nullptr) return Status::NoSuchSource;
    source->set_offset(request.offset_s);
    tell(*source, Parameter::Offset, request.offset_s);
    return Status::Success;
}

Status SourceCommandAgent::reselect() {
    selection_.reselect(now_);
    return Status::Success;
}

Status SourceCommandAgent::set_reselect_distance(double distance_s) {
    selection_.set_reselect_distance(distance_s);
    return Status::Success;
}

Status SourceCommandAgent::reset_sources(UtcTime) {
    for (const auto& source : sources_.sources()) source->reset(now_);
    refclocks_.reset(now_);
    services_.events.on_event(AllSourcesReset{});
    clock_.forget_sources(now_);
    return Status::Success;
}

Status SourceCommandAgent::refresh_addresses() {
    sources_.refresh_addresses(now_);
    return Status::Success;
}

Status SourceCommandAgent::reload_sources() {
    sources_.reload_source_files(now_);
    return Status::Success;
}

}  // namespace gnomon
