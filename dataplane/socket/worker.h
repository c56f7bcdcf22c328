#pragma once

/// Workers (`serverthreads N`): threads that serve NTP from their own sockets, beside the control
/// loop. Each has a socket per address family on the server's port (SO_REUSEPORT spreads the
/// clients), its own `Responder`, and shares client log and timestamp store with the others.
///
/// The control loop publishes the clock through a `SeqLock<ServerState>` and tables through
/// `publish`; it takes back what is not for a server (packets of configured peers) with
/// `take_forwarded`. Nothing that a worker does per packet waits for another thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/port/forwarded.h"
#include "dataplane/port/port.h"
#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/server_tables.h"
#include "dataplane/proto/timestamp_store.h"
#include "dataplane/socket/udp_socket.h"
#include "servo/units/random_source.h"
#include "servo/units/result.h"
#include "servo/units/seqlock.h"
#include "servo/units/server_state.h"

namespace gnomon {

class CaptureTaps;
class SocketPort;

struct WorkerPoolConfig {
    unsigned threads = 1;
    /// Sockets that every worker opens (one per family); `reuse_port` is set by the pool.
    std::vector<SocketOptions> sockets;
    std::size_t receive_batch = 64;
    std::size_t send_batch = 16;
    /// Each worker shows its packets to a tap of its own, "server/N"; null: to nobody.
    CaptureTaps* taps = nullptr;
    /// Called in each new thread before it serves (names, priorities, affinity); may be empty.
    std::function<void(unsigned worker)> on_start;
};

class WorkerPool {
public:
    /// Opens all sockets here, in the caller's thread and with its privileges; the threads take no
    /// signals. A family whose
    /// socket cannot be opened is left out as long as another can. `seed` feeds the workers' random
    /// numbers. Everything passed by reference outlives the pool.
    static SysResult<std::unique_ptr<WorkerPool>> start(const WorkerPoolConfig& config,
                                                        const SeqLock<ServerState>& state,
                                                        std::shared_ptr<const ServerTables> tables,
                                                        ClientLog& log, TimestampStore& store,
                                                        RandomSource& seed);
    /// Stops and joins.
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// In force from each worker's next batch on.
    void publish(std::shared_ptr<const ServerTables> tables);

    /// From now on the workers hear nothing of what comes in on these interfaces (none: everything).
    /// The first error, after all sockets have been told.
    SysResult<void> ignore_interfaces(std::span<const int> interface_indices);

    /// Becomes readable when `take_forwarded` has something.
    int forward_fd() const noexcept;
    /// At most out.size(); the rest waits. What does not fit into a worker's ring is dropped.
    std::size_t take_forwarded(std::span<Forwarded> out);

    /// Sends from the server's port, by the calling thread (always the same one), beside the
    /// workers. The transmit stamp, if one is wanted, comes back forwarded when the destination is
    /// among the tables' `forwarded` ones. False: not sent, or no socket of that family.
    bool send(const TxDatagram& datagram);

    /// Adds what the workers counted; the shared client log and store are the caller's to add.
    void add_to(ServerStats& stats) const noexcept;
    /// Merges what the workers saw of their clients.
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const;
    std::size_t size() const noexcept;
    /// The port that the workers serve on (the kernel's choice when the configuration said 0).
    std::uint16_t port() const noexcept;

    /// Idempotent; returns after the last thread has ended.
    void stop();

private:
    class Worker;
    struct Shared;

    WorkerPool();

    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
    /// By family, over sockets of the first worker: a socket stands two senders, a `SocketPort`
    /// does not.
    std::vector<std::unique_ptr<SocketPort>> senders_;
};

}  // namespace gnomon
