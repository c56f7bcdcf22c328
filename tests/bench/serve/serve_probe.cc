/// The server side alone, on the system clock: what the daemon's responder, ports and workers cost
/// without a daemon around them.
///   serve_probe [--port=123] [--threads=1] [--send-batch=16] [--receive-batch=64] [--seconds=60]
/// --threads=0 serves from the main thread, as the control loop does. Ends on SIGTERM too.

#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "dataplane/proto/responder.h"
#include "dataplane/socket/socket_port.h"
#include "dataplane/socket/worker.h"
#include "tests/bench/serve/arguments.h"

namespace gnomon::bench {
namespace {

volatile sig_atomic_t stop_requested = 0;

class KernelRandom final : public RandomSource {
public:
    std::uint64_t next() override {
        std::uint64_t bits = 0;
        if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) std::abort();
        return bits;
    }
};

ServerState served_state() {
    ServerState state;
    state.synchronised = true;
    state.leap = Leap::Normal;
    state.stratum = 1;
    state.precision = -25;
    state.ref_id = RefId::local();
    state.reference_time = UtcTime::from_ns(read_realtime_clock().ns());
    state.clock.epoch = read_realtime_clock();
    return state;
}

std::vector<SocketOptions> sockets(std::uint16_t port) {
    std::vector<SocketOptions> result(2);
    result[0].local = {IpAddress::any(IpAddress::Family::V4), port};
    result[1].local = {IpAddress::any(IpAddress::Family::V6), port};
    for (SocketOptions& options : result) options.receive_buffer_bytes = 1 << 20;
    return result;
}

/// The single-threaded form: one receive call per readiness, then the replies.
void serve_here(const Arguments& arguments, ClientLog& log, TimestampStore& store,
                const ServerTables& tables, RandomSource& random) {
    Responder responder(log, store, random);
    SocketPort::Options options;
    options.batch = static_cast<std::size_t>(arguments.number("receive-batch", 16));
    options.send_batch = static_cast<std::size_t>(arguments.number("send-batch", 16));
    std::vector<std::unique_ptr<SocketPort>> ports;
    for (const SocketOptions& socket :
         sockets(static_cast<std::uint16_t>(arguments.number("port", 123)))) {
        auto port = SocketPort::open(socket, options);
        if (port) {
            ports.push_back(std::move(port).value());
        } else {
            std::fprintf(stderr, "serve_probe: %s\n", port.error().message().c_str());
        }
    }
    const ServerState state = served_state();
    std::vector<RxDatagram> received(options.batch);
    ReplyArray replies(options.batch);
    std::vector<Drop> verdicts(options.batch);
    std::vector<TxDatagram> outgoing;
    std::vector<TxStampReport> reports(options.batch);
    std::vector<pollfd> fds;
    for (const auto& port : ports) fds.push_back({port->fd(), port->poll_events(), 0});
    while (stop_requested == 0) {
        if (poll(fds.data(), fds.size(), 200) <= 0) continue;
        for (std::size_t i = 0; i < ports.size(); ++i) {
            if ((fds[i].revents & (POLLPRI | POLLERR)) != 0) {
                const std::size_t count = ports[i]->transmit_stamps(reports);
                for (std::size_t r = 0; r < count; ++r) responder.on_transmit_stamp(reports[r]);
            }
            if ((fds[i].revents & POLLIN) == 0) continue;
            outgoing.clear();
            const std::size_t count = ports[i]->receive(received);
            responder.prepare_burst(std::span(received).first(count), state, tables, replies.all(),
                                    verdicts);
            for (std::size_t r = 0; r < count; ++r) {
                if (verdicts[r] == Drop::None) {
                    outgoing.push_back(replies[r].datagram(received[r]));
                }
            }
            ports[i]->send(outgoing);
        }
    }
}

int run(const Arguments& arguments) {
    struct sigaction action {};
    action.sa_handler = [](int) { stop_requested = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGALRM, &action, nullptr);
    alarm(static_cast<unsigned>(arguments.number("seconds", 60)));

    KernelRandom random;
    ClientLogConfig log_config;
    log_config.memory_limit =
        static_cast<std::uint64_t>(arguments.number("clientloglimit", 524288));
    ClientLog log(log_config, random.next());
    TimestampStore store(log_config.capacity());
    auto tables = std::make_shared<ServerTables>();
    AccessTable access;
    access.allow({IpAddress{}, 0});
    tables->access = AccessIndex(access);
    const auto threads = static_cast<unsigned>(arguments.number("threads", 1));
    if (threads == 0) {
        serve_here(arguments, log, store, *tables, random);
        return 0;
    }
    SeqLock<ServerState> state;
    state.store(served_state());
    WorkerPoolConfig config;
    config.threads = threads;
    config.sockets = sockets(static_cast<std::uint16_t>(arguments.number("port", 123)));
    config.receive_batch = static_cast<std::size_t>(arguments.number("receive-batch", 64));
    config.send_batch = static_cast<std::size_t>(arguments.number("send-batch", 16));
    auto pool = WorkerPool::start(config, state, tables, log, store, random);
    if (!pool) {
        std::fprintf(stderr, "serve_probe: %s\n", pool.error().message().c_str());
        return 1;
    }
    sigset_t none;
    sigemptyset(&none);
    while (stop_requested == 0) sigsuspend(&none);
    (*pool)->stop();
    ServerStats stats;
    (*pool)->add_to(stats);
    std::fprintf(stderr, "replies %llu interleaved %llu kernel tx %llu\n",
                 static_cast<unsigned long long>(stats.replies),
                 static_cast<unsigned long long>(stats.ntp_interleaved_hits),
                 static_cast<unsigned long long>(stats.ntp_tx_stamps[1]));
    return 0;
}

}  // namespace
}  // namespace gnomon::bench

int main(int argc, char** argv) { return gnomon::bench::run(gnomon::bench::Arguments(argc, argv)); }
