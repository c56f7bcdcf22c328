#include "mgmt/runtime/server_threads.h"

#include <sys/prctl.h>

#include <algorithm>
#include <string>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr std::size_t kForwardBatch = 16;
/// Requests of some milliseconds: a worker that lost its processor loses no requests.
constexpr int kReceiveBuffer = 1 << 20;

void name_thread(unsigned worker) {
    const std::string name = "serve-" + std::to_string(worker);
    prctl(PR_SET_NAME, name.c_str());
}

}  // namespace

ServerThreads::ServerThreads(EventLoop& loop, DatagramSink& sink, RandomSource& random,
                             unsigned threads, CaptureTaps* taps)
    : loop_(loop),
      sink_(sink),
      random_(random),
      threads_(threads),
      taps_(taps),
      tables_(std::make_shared<const ServerTables>()),
      forwarded_(kForwardBatch) {}

ServerThreads::~ServerThreads() { stop(); }

void ServerThreads::begin(ClientLog& log, TimestampStore& store) {
    log_ = &log;
    store_ = &store;
}

void ServerThreads::publish(std::shared_ptr<const ServerTables> tables) {
    tables_ = std::move(tables);
    if (pool_) pool_->publish(tables_);
}

void ServerThreads::add_to(ServerStats& stats) const {
    stats.add(counted_);
    if (pool_) pool_->add_to(stats);
}

SysResult<void> ServerThreads::open(const SocketOptions& socket) {
    const auto same_family = [&socket](const SocketOptions& other) {
        return other.local.ip.family() == socket.local.ip.family();
    };
    if (std::any_of(sockets_.begin(), sockets_.end(), same_family)) return {};

    SocketOptions options = socket;
    options.receive_buffer_bytes = kReceiveBuffer;
    // A trial that shares with nobody: another daemon's port would let itself be shared, and each
    // would get half of the requests. The running threads go on if it fails.
    if (const auto trial = open_udp_socket(options); !trial) return Unexpected(trial.error());
    sockets_.push_back(options);
    auto started = restart();
    if (!started) {
        sockets_.pop_back();
        go_on();
    }
    return started;
}

SysResult<void> ServerThreads::ignore_interfaces(std::span<const int> interface_indices) {
    for (SocketOptions& socket : sockets_) {
        socket.ignored_interfaces.assign(interface_indices.begin(), interface_indices.end());
    }
    return pool_ ? pool_->ignore_interfaces(interface_indices) : SysResult<void>();
}

void ServerThreads::close(IpAddress::Family family) {
    const auto gone = std::remove_if(
        sockets_.begin(), sockets_.end(),
        [family](const SocketOptions& socket) { return socket.local.ip.family() == family; });
    if (gone == sockets_.end()) return;
    sockets_.erase(gone, sockets_.end());
    go_on();
}

void ServerThreads::go_on() {
    // These sockets were open a moment ago. Should they fail all the same, the next `open` tries
    // them again.
    if (const auto started = restart(); !started) sockets_.clear();
}

SysResult<void> ServerThreads::restart() {
    GNOMON_ASSERT(log_ != nullptr && store_ != nullptr);
    stop();
    if (sockets_.empty()) return {};
    WorkerPoolConfig config;
    config.threads = threads_;
    config.sockets = sockets_;
    config.on_start = name_thread;
    config.taps = taps_;
    auto started = WorkerPool::start(config, state_, tables_, *log_, *store_, random_);
    if (!started) return Unexpected(started.error());
    pool_ = std::move(*started);
    loop_.watch(pool_->forward_fd(), EventLoop::kReadable,
                [this](EventLoop::Events) { on_forwarded(); });
    return {};
}

void ServerThreads::stop() {
    if (!pool_) return;
    loop_.unwatch(pool_->forward_fd());
    pool_->stop();
    pool_->add_to(counted_);
    pool_.reset();
}

void ServerThreads::on_forwarded() {
    const std::size_t count = pool_->take_forwarded(forwarded_);
    for (std::size_t i = 0; i < count; ++i) {
        const Forwarded& item = forwarded_[i];
        if (item.kind == Forwarded::Kind::TransmitStamp) {
            sink_.on_transmit_stamp(kServerSocket, item.report);
        } else {
            sink_.on_datagram(kServerSocket, item.datagram);
        }
    }
}

}  // namespace gnomon
