#include "dataplane/socket/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "dataplane/port/spsc_ring.h"
#include "dataplane/port/worker_random.h"
#include "dataplane/proto/responder.h"
#include "dataplane/socket/interface_filter.h"
#include "dataplane/socket/socket_port.h"

namespace gnomon {

namespace {

constexpr std::size_t kForwardRing = 64;
/// Replies that share one reading of the clock while the worker keeps up: fewer make T3 better, and
/// only a worker that does not keep up needs the system calls that more of them save.
constexpr std::size_t kAccurateBatch = 2;
/// Batches served before the other sockets and the stop request are looked at again.
constexpr int kBatchesPerTurn = 16;

void notify(const FileDescriptor& event) noexcept {
    const std::uint64_t one = 1;
    // Full counter: the reader has been woken long ago.
    [[maybe_unused]] const ssize_t written = write(event.get(), &one, sizeof(one));
}

Mode mode_of(std::span<const std::uint8_t> payload) noexcept {
    return static_cast<Mode>(payload[0] & 7);
}

/// Signals are for the control loop, which waits for them: threads made meanwhile take none.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_;
};

CaptureTap* make_tap(CaptureTaps* taps, const std::string& part) {
    if (taps == nullptr) return nullptr;
    return &taps->tap("server/" + part, "sockets of the server", CaptureLink::Ip);
}

/// A second way to the same socket, for a port that only sends.
UdpSocket second_handle(const UdpSocket& socket) noexcept {
    UdpSocket second;
    second.fd = FileDescriptor(fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0));
    second.family = socket.family;
    second.connected = socket.connected;
    second.timestamping = socket.timestamping;
    second.always_transmit_stamps = socket.always_transmit_stamps;
    second.hardware_stamps = socket.hardware_stamps;
    second.transmit_ids = socket.transmit_ids;
    return second;
}

}  // namespace

struct WorkerPool::Shared {
    const SeqLock<ServerState>* state = nullptr;
    ClientLog* log = nullptr;
    TimestampStore* store = nullptr;
    WorkerPoolConfig config;
    FileDescriptor stop_event;  ///< never read: once readable, it stays so for everybody
    FileDescriptor forward_event;
    std::uint16_t port = 0;

    /// Workers look at the number in every batch and take the lock only when it has changed.
    std::atomic<std::uint64_t> generation{0};
    std::mutex mutex;
    std::shared_ptr<const ServerTables> tables;
};

class WorkerPool::Worker {
public:
    Worker(Shared& shared, unsigned number, RandomSource& seed)
        : shared_(shared),
          number_(number),
          random_(seed),
          responder_(*shared.log, *shared.store, random_),
          analytics_(random_.next()),
          ring_(kForwardRing),
          received_(shared.config.receive_batch),
          reports_(shared.config.receive_batch),
          requests_(shared.config.receive_batch),
          verdicts_(shared.config.receive_batch),
          replies_(shared.config.receive_batch) {
        responder_.set_analytics(&analytics_);
        outgoing_.reserve(shared.config.receive_batch);
    }

    void add_port(std::unique_ptr<SocketPort> port) { ports_.push_back(std::move(port)); }
    bool has_port() const noexcept { return !ports_.empty(); }
    void start() {
        thread_ = std::thread([this] { run(); });
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    const ServerCounters& counters() const noexcept { return responder_.counters(); }
    const ClientAnalytics& analytics() const noexcept { return analytics_; }
    SpscRing<Forwarded>& ring() noexcept { return ring_; }
    const std::vector<std::unique_ptr<SocketPort>>& ports() const noexcept { return ports_; }

private:
    void run();
    void refresh_tables();
    bool serve_batch(SocketPort& port);
    void send_all(SocketPort& port, std::size_t chunk);
    bool is_configured(const IpAddress& remote) const noexcept;
    bool is_forwarded(const RxDatagram& datagram) const noexcept;
    void take_stamps(SocketPort& port) noexcept;
    void forward(Forwarded::Kind kind, std::span<const std::uint8_t> payload,
                 const RxDatagram& datagram, const TxStampReport& report) noexcept;

    Shared& shared_;
    unsigned number_;
    WorkerRandom random_;
    Responder responder_;
    ClientAnalytics analytics_;
    SpscRing<Forwarded> ring_;
    std::vector<std::unique_ptr<SocketPort>> ports_;
    std::vector<RxDatagram> received_;
    std::vector<TxStampReport> reports_;
    std::vector<RxDatagram> requests_;
    std::vector<Drop> verdicts_;
    ReplyArray replies_;
    std::vector<TxDatagram> outgoing_;
    std::shared_ptr<const ServerTables> tables_;
    std::uint64_t generation_ = ~std::uint64_t{0};
    std::thread thread_;
};

void WorkerPool::Worker::run() {
    if (shared_.config.on_start) shared_.config.on_start(number_);
    std::vector<pollfd> fds;
    fds.push_back({shared_.stop_event.get(), POLLIN, 0});
    for (const auto& port : ports_) fds.push_back({port->fd(), port->poll_events(), 0});
    while (true) {
        if (poll(fds.data(), fds.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        if (fds[0].revents != 0) return;
        refresh_tables();
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            SocketPort& port = *ports_[i];
            const short events = fds[i + 1].revents;
            if ((events & (POLLPRI | POLLERR)) != 0) {
                take_stamps(port);
            }
            if ((events & POLLIN) != 0) {
                for (int turn = 0; turn < kBatchesPerTurn && serve_batch(port); ++turn) {
                }
            }
        }
    }
}

void WorkerPool::Worker::refresh_tables() {
    const std::uint64_t current = shared_.generation.load(std::memory_order_acquire);
    if (current == generation_) return;
    const std::lock_guard guard(shared_.mutex);
    tables_ = shared_.tables;
    generation_ = current;
}

/// True when the batch was full: there is likely more.
bool WorkerPool::Worker::serve_batch(SocketPort& port) {
    const std::size_t count = port.receive(received_);
    if (count == 0) return false;
    std::size_t asked = 0;
    for (const RxDatagram& datagram : std::span(received_).first(count)) {
        if (is_forwarded(datagram)) {
            forward(Forwarded::Kind::Datagram, datagram.payload, datagram, TxStampReport{});
        } else {
            requests_[asked++] = datagram;
        }
    }
    responder_.prepare_burst(std::span(requests_).first(asked), shared_.state->load(), *tables_,
                             replies_.all(), verdicts_);
    outgoing_.clear();
    for (std::size_t i = 0; i < asked; ++i) {
        if (verdicts_[i] == Drop::None) outgoing_.push_back(replies_[i].datagram(requests_[i]));
    }
    const bool saturated = count == received_.size();
    send_all(port, saturated ? outgoing_.size() : kAccurateBatch);
    return saturated;
}

void WorkerPool::Worker::send_all(SocketPort& port, std::size_t chunk) {
    std::span<const TxDatagram> rest(outgoing_);
    while (!rest.empty()) {
        const std::span<const TxDatagram> part = rest.first(std::min(chunk, rest.size()));
        std::size_t done = port.send(part);
        if (done < part.size()) {
            // Unreachable destination, full buffer: whatever it is, the others shall not wait.
            responder_.count_send_failure();
            ++done;
        }
        rest = rest.subspan(done);
    }
}

bool WorkerPool::Worker::is_configured(const IpAddress& remote) const noexcept {
    return !tables_->forwarded.empty() &&
           std::binary_search(tables_->forwarded.begin(), tables_->forwarded.end(), remote);
}

/// Requests are served here whoever sends them; what else comes from a configured source belongs to
/// its association.
bool WorkerPool::Worker::is_forwarded(const RxDatagram& datagram) const noexcept {
    return !datagram.payload.empty() && mode_of(datagram.payload) != Mode::Client &&
           is_configured(datagram.remote.ip);
}

void WorkerPool::Worker::take_stamps(SocketPort& port) noexcept {
    const std::size_t count = port.transmit_stamps(reports_);
    for (std::size_t i = 0; i < count; ++i) {
        const TxStampReport& report = reports_[i];
        // What a worker sends to a configured source is an answer to its request.
        if (!report.payload.empty() && mode_of(report.payload) != Mode::Server &&
            is_configured(report.remote.ip)) {
            forward(Forwarded::Kind::TransmitStamp, report.payload, RxDatagram{}, report);
        } else {
            responder_.on_transmit_stamp(report);
        }
    }
}

void WorkerPool::Worker::forward(Forwarded::Kind kind, std::span<const std::uint8_t> payload,
                                 const RxDatagram& datagram, const TxStampReport& report) noexcept {
    Forwarded* slot = ring_.begin_push();
    if (slot == nullptr || payload.size() > slot->bytes.size()) return;
    slot->kind = kind;
    slot->datagram = datagram;
    slot->report = report;
    slot->size = payload.size();
    std::copy(payload.begin(), payload.end(), slot->bytes.begin());
    ring_.end_push();
    notify(shared_.forward_event);
}

WorkerPool::WorkerPool() : shared_(std::make_unique<Shared>()) {}

WorkerPool::~WorkerPool() { stop(); }

SysResult<std::unique_ptr<WorkerPool>> WorkerPool::start(const WorkerPoolConfig& config,
                                                         const SeqLock<ServerState>& state,
                                                         std::shared_ptr<const ServerTables> tables,
                                                         ClientLog& log, TimestampStore& store,
                                                         RandomSource& seed) {
    std::unique_ptr<WorkerPool> pool(new WorkerPool());
    Shared& shared = *pool->shared_;
    shared.state = &state;
    shared.log = &log;
    shared.store = &store;
    shared.config = config;
    shared.config.receive_batch = std::clamp<std::size_t>(config.receive_batch, 1, 64);
    shared.tables = std::move(tables);
    shared.stop_event = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    shared.forward_event = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared.stop_event.is_open() || !shared.forward_event.is_open()) {
        return Unexpected(SysError::last("eventfd"));
    }

    SocketPort::Options port_options;
    port_options.batch = shared.config.receive_batch;
    port_options.send_batch = config.send_batch;
    SocketPort::Options sender_options;
    sender_options.tap = make_tap(config.taps, "peers");
    std::optional<SysError> failure;
    for (unsigned i = 0; i < config.threads; ++i) {
        port_options.tap = make_tap(config.taps, std::to_string(i));
        auto worker = std::make_unique<Worker>(shared, i, seed);
        for (SocketOptions options : config.sockets) {
            options.reuse_port = true;
            // With port 0 the first socket decides for all.
            if (options.local.port == 0) options.local.port = shared.port;
            auto socket = open_udp_socket(options);
            if (!socket) {
                if (!failure) failure = socket.error();
                continue;
            }
            if (shared.port == 0) {
                if (const auto local = local_address(*socket); local) shared.port = local->port;
            }
            if (i == 0) {
                if (UdpSocket second = second_handle(*socket); second.fd.is_open()) {
                    pool->senders_.push_back(
                        std::make_unique<SocketPort>(std::move(second), sender_options));
                }
            }
            worker->add_port(std::make_unique<SocketPort>(std::move(*socket), port_options));
        }
        if (!worker->has_port()) {
            return Unexpected(failure.value_or(SysError{"workers without a socket", EINVAL}));
        }
        pool->workers_.push_back(std::move(worker));
    }
    try {
        const SignalsBlocked blocked;
        for (const auto& worker : pool->workers_) worker->start();
    } catch (const std::system_error& error) {
        pool->stop();
        return Unexpected(SysError{"starting a server thread", error.code().value()});
    }
    return pool;
}

void WorkerPool::publish(std::shared_ptr<const ServerTables> tables) {
    {
        const std::lock_guard guard(shared_->mutex);
        shared_->tables = std::move(tables);
    }
    shared_->generation.fetch_add(1, std::memory_order_release);
}

SysResult<void> WorkerPool::ignore_interfaces(std::span<const int> interface_indices) {
    SysResult<void> result;
    for (const auto& worker : workers_) {
        for (const auto& port : worker->ports()) {
            auto told = gnomon::ignore_interfaces(port->fd(), interface_indices);
            if (!told && result) result = std::move(told);
        }
    }
    return result;
}

int WorkerPool::forward_fd() const noexcept { return shared_->forward_event.get(); }

std::size_t WorkerPool::take_forwarded(std::span<Forwarded> out) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = read(shared_->forward_event.get(), &count, sizeof(count));
    std::size_t taken = 0;
    for (const auto& worker : workers_) {
        while (taken < out.size()) {
            const Forwarded* slot = worker->ring().front();
            if (slot == nullptr) break;
            Forwarded& target = out[taken++];
            target.kind = slot->kind;
            target.datagram = slot->datagram;
            target.report = slot->report;
            target.size = slot->size;
            std::copy_n(slot->bytes.begin(), slot->size, target.bytes.begin());
            worker->ring().pop();
            target.datagram.payload = target.report.payload = {target.bytes.data(), target.size};
            if (target.kind != Forwarded::Kind::TransmitStamp) continue;
            for (const auto& sender : senders_) {
                if (target.report.cookie == 0) {
                    target.report.cookie = sender->cookie_of(target.report.payload);
                }
            }
        }
    }
    // What is left would otherwise wait for the next packet.
    if (taken == out.size()) notify(shared_->forward_event);
    return taken;
}

bool WorkerPool::send(const TxDatagram& datagram) {
    for (const auto& sender : senders_) {
        if (sender->family() == datagram.remote.ip.family()) {
            return sender->send({&datagram, 1}) == 1;
        }
    }
    return false;
}

void WorkerPool::add_to(ServerStats& stats) const noexcept {
    for (const auto& worker : workers_) stats.add(worker->counters());
}

void WorkerPool::add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
    for (const auto& worker : workers_) snapshot.merge(worker->analytics().snapshot(now));
}

std::size_t WorkerPool::size() const noexcept { return workers_.size(); }
std::uint16_t WorkerPool::port() const noexcept { return shared_->port; }

void WorkerPool::stop() {
    if (!workers_.empty()) notify(shared_->stop_event);
    for (const auto& worker : workers_) worker->join();
}

}  // namespace gnomon
