#pragma once

/// `ServerWorkers`: threads that answer requests beside the engine (`serverthreads`), as the engine
/// sees them. It tells them what they need; sockets and threads are the implementation's business
/// (mgmt/runtime/server_threads.h). Called from the engine's thread only.
///
/// With workers the engine gets from the server's sockets only what they cannot handle: packets of
/// configured sources, and transmit stamps of its own packets.

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/server_tables.h"
#include "dataplane/proto/timestamp_store.h"
#include "servo/units/server_state.h"

namespace gnomon {

class ServerWorkers {
public:
    virtual ~ServerWorkers() = default;

    /// Once, when the engine is made. Log and store are safe to share with any
    /// number of threads; both live as long as the engine, which closes the server's sockets before
    /// it ends.
    virtual void begin(ClientLog& log, TimestampStore& store) = 0;
    /// The clock, after every call of the engine.
    virtual void publish(const ServerState& state) = 0;
    /// Who may ask, keys, configured sources: whenever one of them has changed.
    virtual void publish(std::shared_ptr<const ServerTables> tables) = 0;
    /// Adds what the workers have counted since the start, for `serverstats`.
    virtual void add_to(ServerStats& stats) const = 0;
    /// Merges what the workers saw of their clients.
    virtual void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
        static_cast<void>(snapshot);
        static_cast<void>(now);
    }
};

/// Several kinds of workers as one; those that are null are left out.
class WorkerGroup final : public ServerWorkers {
public:
    /// Members outlive the group.
    explicit WorkerGroup(std::vector<ServerWorkers*> members);

    void begin(ClientLog& log, TimestampStore& store) override;
    void publish(const ServerState& state) override;
    void publish(std::shared_ptr<const ServerTables> tables) override;
    void add_to(ServerStats& stats) const override;
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const override;

    bool empty() const noexcept { return members_.empty(); }

private:
    std::vector<ServerWorkers*> members_;
};

/// Publishes tables when they have changed, and only then: cheap enough for every turn.
class TablesPublisher {
public:
    /// Counts of changes: of the access table and of the keys.
    struct Version {
        std::uint64_t access = 0;
        std::uint64_t keys = 0;
        bool operator==(const Version& other) const noexcept {
            return access == other.access && keys == other.keys;
        }
    };

    /// `sources`: addresses of the configured sources, in any order.
    void publish(ServerWorkers& workers, const Version& version, const AccessTable& access,
                 const KeyTable& keys, std::vector<IpAddress> sources);

private:
    Version version_;
    std::shared_ptr<const ServerTables> last_;
};

}  // namespace gnomon
