#include "mgmt/engine/source_manager.h"

#include <algorithm>
#include <cctype>

#include "mgmt/config/source_parser.h"

namespace gnomon {
namespace {

constexpr std::size_t kMaxSources = 65536;
constexpr int kMaxPoolSources = 16;

bool is_printable_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isgraph(static_cast<unsigned char>(c)) != 0;
    });
}

bool is_client_request(std::span<const std::uint8_t> payload) {
    return !payload.empty() && (payload[0] & 7) == static_cast<std::uint8_t>(Mode::Client);
}

}  // namespace

SourceManager::SourceManager(const Config& config, const Services& services,
                             const EngineOptions& options, ClockAgent& clock, ServerAgent& server,
                             SelectionAgent& selection, const KeyTable& keys)
    : config_(config),
      services_(services),
      options_(options),
      clock_(clock),
      server_(server),
      selection_(selection),
      keys_(keys),
      names_(services.resolver, *this),
      mesh_(services.events) {
    selection_.set_listener(this);
}

SourceManager::~SourceManager() { selection_.set_listener(nullptr); }

void SourceManager::start(const Now& now) {
    last_refresh_ = now.mono;
    for (const SourceConfig& source : config_.client.sources) {
        add_or_tell(source, SourceOrigin::Config, ++last_configuration_, now);
    }
    reload_source_files(now);
    for (std::size_t i = 0; i < server_.host_rules().size(); ++i) {
        NameLookup lookup;
        lookup.name = server_.host_rules()[i].rule.host;
        lookup.host_rule = i;
        names_.add(std::move(lookup));
    }
    started_ = true;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (sources_[i]->has_address()) sources_[i]->start(now);
    }
    names_.resolve();
}

void SourceManager::shutdown() {
    for (const auto& source : sources_) source->close_socket();
}

// --- Input -------------------------------------------------------------------------------------

NtpSource* SourceManager::find(const IpAddress& address) const {
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? nullptr : found->second;
}

NtpSource* SourceManager::find(SourceId id) const {
    for (const auto& source : sources_) {
        if (source->id() == id) return source.get();
    }
    return nullptr;
}

NtpSource* SourceManager::find_remote(const SocketAddress& remote) const {
    NtpSource* source = find(remote.ip);
    return source != nullptr && source->remote().port == remote.port ? source : nullptr;
}

bool SourceManager::handle_datagram(SocketHandle socket, const RxDatagram& datagram,
                                    const Now& now) {
    // A request is not from a source of ours; all else must come from one, on the way it was asked.
    if (is_client_request(datagram.payload)) return false;
    NtpSource* source = find_remote(datagram.remote);
    if (source == nullptr || source->socket() != socket) return false;
    const PacketResult result = source->handle_packet(datagram, now);
    if (result.for_responder) return false;
    if (result.good) handle_good_reply(*source, now);
    return true;
}

void SourceManager::handle_transmit_stamp(SocketHandle socket, const TxStampReport& report,
                                          const Now& now) {
    for (const auto& source : sources_) {
        if (source->socket() != socket) continue;
        if (report.remote.ip.is_ip() && report.remote != source->remote()) continue;
        source->handle_transmit_stamp(report, now);
        if (socket != kServerSocket) return;
    }
}

void SourceManager::handle_socket_error(SocketHandle socket, const Now& now) {
    if (socket == kServerSocket) return;
    for (const auto& source : sources_) {
        if (source->socket() != socket || !source->association().config().auto_offline) continue;
        source->set_online(false, now);
        return;
    }
}

void SourceManager::handle_timeout(const Now& now) {
    names_.handle_timeout(now);
    // By index: a timeout may add and remove sources.
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (sources_[i]->next_timeout() <= now.mono) sources_[i]->handle_timeout(now);
    }
}

MonoTime SourceManager::next_timeout() const {
    MonoTime next = names_.next_timeout();
    for (const auto& source : sources_) next = std::min(next, source->next_timeout());
    return next;
}

void SourceManager::handle_resolved(NameResolver::QueryId query, const ResolvedName& answer,
                                    const Now& now) {
    names_.handle_resolved(query, answer, now);
}

void SourceManager::adjust(const ClockAdjustment& adjustment, const Now& now) {
    for (const auto& source : sources_) source->adjust(adjustment, now);
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        selection_.select(std::nullopt, now);
    }
}

void SourceManager::drain(const Now& now) {
    for (std::size_t i = 0; i < sources_.size(); ++i) sources_[i]->drain(now);
    graveyard_.clear();
}

// --- What sources tell ---------------------------------------------------------------------------

void SourceManager::on_sample(NtpSource& source, const Now& now) {
    selection_.select(source.id(), now);
}

void SourceManager::on_reach(NtpSource& source, const Now& now) {
    selection_.handle_reach(source.selectable(), now);
}

void SourceManager::on_status(NtpSource& source, const Now& now) {
    selection_.handle_status(source.selectable(), now);
}

void SourceManager::on_reset(NtpSource& source, const Now& now) {
    mesh_.forget(source.id());
    selection_.handle_reset(source.selectable(), now);
}

void SourceManager::on_mesh_row(NtpSource& source, const MeshRow& row, const Now& now) {
    mesh_.hear(sources_, source, row, clock_.to_utc(now.system), now.mono);
}

bool SourceManager::is_selected(const NtpSource& source) const {
    return selection_.is_selected(source.id());
}

bool SourceManager::is_serving() const {
    return options_.mode == EngineOptions::Mode::Normal && server_.is_open();
}

void SourceManager::handle_good_reply(NtpSource& source, const Now& now) {
    if (source.tentative) {
        source.tentative = false;
        const auto pool = pools_.find(source.origin().pool);
        if (pool != pools_.end() && ++pool->second.confirmed >= pool->second.max_sources) {
            remove_tentative(pool->first, now);
        }
    }
    maybe_refresh(now);
}

// --- Adding and removing -------------------------------------------------------------------------

bool SourceManager::accepts_family(IpAddress::Family family) const {
    return options_.family == IpAddress::Family::Unspecified || options_.family == family;
}

SourceManager::AddResult SourceManager::add(const SourceConfig& config, SourceOrigin origin,
                                            const Now& now) {
    return add_line(config, origin, ++last_configuration_, now);
}

void SourceManager::add_or_tell(const SourceConfig& config, SourceOrigin origin,
                                std::uint32_t configuration, const Now& now) {
    SourceAddFailed failed;
    failed.name = config.name;
    switch (add_line(config, origin, configuration, now)) {
        case AddResult::Added:
        case AddResult::Unresolved: return;
        case AddResult::InUse: failed.reason = SourceAddFailed::Reason::InUse; break;
        case AddResult::TooMany: failed.reason = SourceAddFailed::Reason::TooMany; break;
        case AddResult::InvalidFamily:
            failed.reason = SourceAddFailed::Reason::InvalidFamily;
            break;
        case AddResult::InvalidName: failed.reason = SourceAddFailed::Reason::InvalidName; break;
    }
    services_.events.on_event(failed);
}

SourceManager::AddResult SourceManager::add_line(const SourceConfig& config, SourceOrigin origin,
                                                 std::uint32_t configuration, const Now& now) {
    const auto address = IpAddress::parse(config.name);
    if (!address || !address->is_ip()) return add_named(config, origin, configuration, now);
    if (config.options.family != IpAddress::Family::Unspecified &&
        config.options.family != address->family()) {
        return AddResult::InvalidFamily;
    }
    return add_one(NtpSource::Origin{config, kNoPool, configuration}, origin,
                   SocketAddress{*address, config.options.port}, now);
}

SourceManager::AddResult SourceManager::add_named(const SourceConfig& config, SourceOrigin origin,
                                                  std::uint32_t configuration, const Now& now) {
    if (!is_printable_name(config.name)) return AddResult::InvalidName;

    NameLookup lookup;
    lookup.name = config.name;
    lookup.family = config.options.family;
    int count = 1;
    PoolId pool = kNoPool;
    if (config.kind == SourceKind::Pool) {
        pool = ++last_pool_;
        const int wanted = std::clamp(config.options.max_sources, 1, kMaxPoolSources);
        // Twice as many as wanted are tried; those that answer first stay.
        count = std::min(2 * wanted, kMaxPoolSources);
        pools_[pool].max_sources = wanted;
        lookup.pool = pool;
    }
    for (int i = 0; i < count; ++i) {
        const SocketAddress remote{IpAddress::id(++last_address_id_), config.options.port};
        const AddResult result =
            add_one(NtpSource::Origin{config, pool, configuration}, origin, remote, now);
        if (result != AddResult::Added) return result;
        if (pool == kNoPool) {
            lookup.source = last_id_;
            lookup.current = remote;
        }
    }
    names_.add(std::move(lookup));
    return AddResult::Unresolved;
}

SourceManager::AddResult SourceManager::add_one(NtpSource::Origin origin, SourceOrigin from,
                                                const SocketAddress& remote, const Now& now) {
    if (by_address_.count(remote.ip) != 0) return AddResult::InUse;
    if (sources_.size() >= kMaxSources) return AddResult::TooMany;
    // A pool member by address does not exist: a `pool` line with an address is a plain source.
    const auto pool = pools_.find(origin.pool);
    const SourceSurroundings around{config_,          services_,      clock_, keys_,
                                    client_schedule_, peer_schedule_, *this};
    auto source = std::make_unique<NtpSource>(++last_id_, std::move(origin), remote, around);
    source->last_resolving = now.mono;
    NtpSource& added = *source;
    sources_.push_back(std::move(source));
    by_address_[remote.ip] = &added;
    selection_.add(added.selectable());
    if (pool != pools_.end()) {
        ++pool->second.sources;
        ++pool->second.unresolved;
    }
    if (added.is_peer() && remote.ip.is_ip()) server_.add_user(remote.ip.family());
    if (const std::uint32_t key_id = added.origin().config.options.key_id; key_id != 0) {
        const SymmetricKey* key = keys_.find(key_id);
        if (key == nullptr) {
            services_.events.on_event(KeyProblem{key_id, KeyProblem::Reason::Missing, {}, 0});
        } else if (!key->is_long_enough()) {
            services_.events.on_event(KeyProblem{key_id, KeyProblem::Reason::TooShort, {}, 0});
        }
    }
    if (started_ && remote.ip.is_ip()) added.start(now);
    if (pool == pools_.end() || pool->second.sources == 1) {
        services_.events.on_event(
            SourceAdded{added.selectable().label, pool != pools_.end(), from});
    }
    return AddResult::Added;
}

void SourceManager::tell_removed(const NtpSource& source, SourceOrigin origin, bool log_pool) {
    bool as_pool = false;
    if (const auto pool = pools_.find(source.origin().pool); log_pool && pool != pools_.end()) {
        if (pool->second.sources > 1) return;
        as_pool = true;
    }
    services_.events.on_event(SourceRemoved{source.selectable().label, as_pool, origin});
}

bool SourceManager::remove(const IpAddress& address, const Now& now) {
    NtpSource* source = find(address);
    if (source == nullptr) return false;
    tell_removed(*source, SourceOrigin::Command, false);
    destroy(*source, now);
    return true;
}

void SourceManager::destroy(NtpSource& source, const Now& now) {
    if (const auto pool = pools_.find(source.origin().pool); pool != pools_.end()) {
        Pool& state = pool->second;
        --state.sources;
        if (!source.has_address()) --state.unresolved;
        if (!source.tentative) --state.confirmed;
        state.max_sources = std::min(state.max_sources, state.sources);
        if (state.sources == 0) pools_.erase(pool);
    }
    if (source.is_peer() && source.has_address()) server_.remove_user(source.remote().ip.family());
    by_address_.erase(source.remote().ip);
    mesh_.forget(source.id());
    source.close_socket();
    const auto found = std::find_if(sources_.begin(), sources_.end(),
                                    [&source](const auto& s) { return s.get() == &source; });
    graveyard_.push_back(std::move(*found));
    sources_.erase(found);
    selection_.remove(source.id(), now);
}

void SourceManager::remove_tentative(PoolId pool, const Now& now) {
    std::vector<NtpSource*> doomed;
    for (const auto& source : sources_) {
        if (source->origin().pool == pool && source->tentative) doomed.push_back(source.get());
    }
    for (NtpSource* source : doomed) destroy(*source, now);
}

void SourceManager::remove_configuration(std::uint32_t configuration, SourceOrigin origin,
                                         const Now& now) {
    std::vector<NtpSource*> doomed;
    for (const auto& source : sources_) {
        if (source->origin().configuration == configuration) doomed.push_back(source.get());
    }
    for (NtpSource* source : doomed) {
        tell_removed(*source, origin, true);
        destroy(*source, now);
    }
}

void SourceManager::reload_source_files(const Now& now) {
    const SourcesDirResult read = parse_sources_dirs(config_.client.source_dirs, services_.files);
    std::vector<FileSource> kept;
    std::vector<FileSource> old = std::move(file_sources_);
    std::vector<SourceConfig> added;
    for (const SourceConfig& config : read.sources) {
        const auto same = std::find_if(
            old.begin(), old.end(), [&config](const FileSource& f) { return f.config == config; });
        if (same == old.end()) {
            added.push_back(config);
        } else {
            kept.push_back(*same);
            old.erase(same);
        }
    }
    // Removed first: a changed line is a new source with the old address.
    for (const FileSource& gone : old) {
        remove_configuration(gone.configuration, SourceOrigin::SourceFile, now);
    }
    for (const SourceConfig& config : added) {
        kept.push_back(FileSource{config, ++last_configuration_});
        add_or_tell(config, SourceOrigin::SourceFile, last_configuration_, now);
    }
    file_sources_ = std::move(kept);
    if (started_) names_.resolve();
}

}  // namespace gnomon
