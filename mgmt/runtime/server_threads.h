#pragma once

/// `ServerThreads`: `serverthreads N`, N ≥ 1: the pool of workers that owns the server's sockets,
/// between the engine, which tells it clock and tables, and the network, which opens and closes
/// families and sends through it. What workers forward goes to the sink, as from `kServerSocket`.
///
/// All calls from the control loop's thread. The threads run while at least one family is open; when
/// the families change they are started anew, which takes less than a millisecond.

#include <memory>
#include <vector>

#include "dataplane/socket/worker.h"
#include "mgmt/engine/server_workers.h"
#include "mgmt/runtime/datagram_sink.h"
#include "mgmt/runtime/event_loop.h"

namespace gnomon {

class CaptureTaps;

class ServerThreads final : public ServerWorkers {
public:
    /// All outlive it. `taps`: for captures, null for none.
    ServerThreads(EventLoop& loop, DatagramSink& sink, RandomSource& random, unsigned threads,
                  CaptureTaps* taps = nullptr);
    ~ServerThreads() override;

    // ServerWorkers
    void begin(ClientLog& log, TimestampStore& store) override;
    void publish(const ServerState& state) override { state_.store(state); }
    void publish(std::shared_ptr<const ServerTables> tables) override;
    void add_to(ServerStats& stats) const override;
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const override {
        if (pool_) pool_->add_to(snapshot, now);
    }

    /// Begins to serve the family of `socket.local` too; a no-op when it is served already. On an
    /// error the others are served as before.
    SysResult<void> open(const SocketOptions& socket);
    void close(IpAddress::Family family);
    /// Ends the threads, whatever is open. The engine's log and store are not touched any more.
    void stop();
    /// For the sockets that are open and those to come (interface_filter.h).
    SysResult<void> ignore_interfaces(std::span<const int> interface_indices);
    bool send(const TxDatagram& datagram) { return pool_ != nullptr && pool_->send(datagram); }

private:
    SysResult<void> restart();
    void go_on();
    void on_forwarded();

    EventLoop& loop_;
    DatagramSink& sink_;
    RandomSource& random_;
    unsigned threads_;
    CaptureTaps* taps_;
    ClientLog* log_ = nullptr;
    TimestampStore* store_ = nullptr;
    SeqLock<ServerState> state_;
    std::shared_ptr<const ServerTables> tables_;
    std::vector<SocketOptions> sockets_;
    std::unique_ptr<WorkerPool> pool_;
    /// Of pools that have ended.
    ServerStats counted_;
    std::vector<Forwarded> forwarded_;
};

}  // namespace gnomon
