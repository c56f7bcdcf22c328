#pragma once

/// `NameQueue`: the names that still have to be looked up, one query at a time, in rounds. A round
/// that leaves names unresolved is repeated after 7·2^k s, k = 2 … 9 (SRC-07).

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "mgmt/engine/services.h"
#include "servo/select/selector.h"

namespace gnomon {

using PoolId = std::uint32_t;
inline constexpr PoolId kNoPool = 0;

/// One name that somebody waits for.
struct NameLookup {
    std::string name;
    IpAddress::Family family = IpAddress::Family::Unspecified;
    /// The source whose address is wanted; 0 for all the unresolved ones of `pool`.
    SourceId source = 0;
    PoolId pool = kNoPool;
    /// The name is that of a rule of access: its index in `ServerAgent::host_rules`.
    std::optional<std::size_t> host_rule;
    /// The address to be replaced; an `Id` one for a first resolution.
    SocketAddress current;
    /// Begin with a random address of the answer, so as not to return to one that did not work.
    bool random_order = false;
    /// Keep the current address if the name still resolves to it.
    bool refresh = false;
};

/// The owner of the sources.
class NameQueueClient {
public:
    virtual ~NameQueueClient() = default;
    /// False: the source has its address by now, or is gone.
    virtual bool is_wanted(const NameLookup& lookup) const = 0;
    virtual void use_addresses(const NameLookup& lookup, const std::vector<IpAddress>& addresses,
                               const Now& now) = 0;
    virtual void name_not_found(const NameLookup& lookup) = 0;
};

class NameQueue {
public:
    NameQueue(NameResolver& resolver, NameQueueClient& client)
        : resolver_(resolver), client_(client) {}

    void add(NameLookup lookup) { lookups_.push_back(std::move(lookup)); }
    /// Begins a round now; while one is under way, asks for another one after it.
    void resolve();
    void handle_timeout(const Now& now);
    MonoTime next_timeout() const { return retry_at_.value_or(MonoTime::max()); }
    void handle_resolved(NameResolver::QueryId query, const ResolvedName& answer, const Now& now);

    bool is_busy() const noexcept { return busy_; }

private:
    void begin_round();
    void query(std::list<NameLookup>::iterator lookup);
    void end_round(const Now& now);

    NameResolver& resolver_;
    NameQueueClient& client_;
    std::list<NameLookup> lookups_;
    std::list<NameLookup>::iterator current_{};
    bool busy_ = false;
    bool again_ = false;
    NameResolver::QueryId last_query_ = 0;
    int interval_log2_ = 0;
    std::optional<MonoTime> retry_at_;
};

}  // namespace gnomon
