// The half of SourceManager that deals with names: first resolution, replacement, refreshment.

#include <algorithm>

#include "mgmt/engine/source_manager.h"

namespace gnomon {
namespace {

/// The longest pause between two replacements: chrony's 7·2^9 s.
constexpr double kMaxReplacementPauseS = 7.0 * 512.0;

}  // namespace

bool SourceManager::is_wanted(const NameLookup& lookup) const {
    if (lookup.host_rule) return !server_.host_rules()[*lookup.host_rule].applied;
    if (lookup.pool != kNoPool && lookup.source == 0) {
        const auto pool = pools_.find(lookup.pool);
        return pool != pools_.end() && pool->second.unresolved > 0;
    }
    const NtpSource* source = find(lookup.source);
    return source != nullptr && source->remote() == lookup.current;
}

void SourceManager::use_addresses(const NameLookup& lookup, const std::vector<IpAddress>& addresses,
                                  const Now& now) {
    if (lookup.host_rule) {
        if (!addresses.empty()) server_.apply_host_rule(*lookup.host_rule, addresses.front());
        return;
    }
    NtpSource* source = lookup.source != 0 ? find(lookup.source) : nullptr;
    if (lookup.refresh) {
        if (source == nullptr) return;
        const IpAddress& current = source->resolved_address;
        if (std::find(addresses.begin(), addresses.end(), current) != addresses.end()) return;
    }
    const std::size_t first =
        lookup.random_order && !addresses.empty() ? services_.random.next() % addresses.size() : 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const IpAddress& address = addresses[(first + i) % addresses.size()];
        if (lookup.family != IpAddress::Family::Unspecified && lookup.family != address.family()) {
            continue;
        }
        if (!accepts_family(address.family())) continue;
        if (lookup.source == 0) {
            replace_in_pool(lookup, address, now);
        } else if (source != nullptr && replace_address(*source, address, now)) {
            return;
        }
    }
}

void SourceManager::name_not_found(const NameLookup& lookup) {
    services_.events.on_event(NameNotFound{lookup.name});
}

void SourceManager::replace_in_pool(const NameLookup& lookup, const IpAddress& address,
                                    const Now& now) {
    for (const auto& source : sources_) {
        if (source->origin().pool != lookup.pool || source->has_address()) continue;
        replace_address(*source, address, now);
        return;
    }
}

bool SourceManager::replace_address(NtpSource& source, const IpAddress& address, const Now& now) {
    const SocketAddress old = source.remote();
    const SocketAddress remote{address, old.port};
    if (!services_.network.is_connectable(remote)) return false;
    if (by_address_.count(address) != 0) return false;

    if (source.is_peer()) {
        if (old.ip.is_ip()) server_.remove_user(old.ip.family());
        server_.add_user(address.family());
    }
    by_address_.erase(old.ip);
    by_address_[address] = &source;
    source.change_remote(remote, now);
    source.resolved_address = address;

    const auto pool = pools_.find(source.origin().pool);
    if (!old.ip.is_ip()) {
        if (pool != pools_.end()) --pool->second.unresolved;
        if (started_) source.start(now);
    }
    if (!source.tentative) {
        source.tentative = true;
        if (pool != pools_.end()) --pool->second.confirmed;
    }
    services_.events.on_event(SourceReplaced{old.ip, address, source.name(), false});
    return true;
}

void SourceManager::on_bad_source(SourceId id, const Now& now) {
    NtpSource* source = find(id);
    if (source == nullptr) return;
    // Somebody who wrote an address means that address.
    const auto configured = IpAddress::parse(source->name());
    if (configured && *configured == source->remote().ip) return;
    if (!source->has_address() || now.mono < next_replacement_) return;
    const double share = static_cast<double>(services_.random.next() >> 11) * 0x1p-53;
    next_replacement_ = now.mono + Duration::from_seconds(share * kMaxReplacementPauseS);
    look_up_again(*source, false, now);
}

void SourceManager::look_up_again(NtpSource& source, bool refresh, const Now& now) {
    source.last_resolving = now.mono;
    NameLookup lookup;
    lookup.name = source.name();
    lookup.family = source.origin().config.options.family;
    lookup.source = source.id();
    lookup.current = source.remote();
    lookup.random_order = true;
    lookup.refresh = refresh;
    names_.add(std::move(lookup));
    if (!names_.is_busy()) names_.resolve();
}

void SourceManager::maybe_refresh(const Now& now) {
    const Duration interval = Duration::from_s(config_.client.refresh_s);
    if (config_.client.refresh_s <= 0 || now.mono - last_refresh_ < interval) return;
    last_refresh_ = now.mono;
    NtpSource* oldest = nullptr;
    for (const auto& source : sources_) {
        if (IpAddress::parse(source->name())) continue;
        if (oldest == nullptr || source->last_resolving < oldest->last_resolving) {
            oldest = source.get();
        }
    }
    if (oldest == nullptr) return;
    if (now.mono - oldest->last_resolving < interval) {
        last_refresh_ = oldest->last_resolving;
        return;
    }
    look_up_again(*oldest, true, now);
}

void SourceManager::refresh_addresses(const Now& now) {
    for (const auto& source : sources_) look_up_again(*source, true, now);
}

}  // namespace gnomon
