/// dpdk_bench ring|memif [options]: what a worker's real loop does in memory, without a kernel.
///
///  ring   one core: a ring device is filled with requests, the worker answers them, the answers are
///         taken away. Only the worker's turns are timed.
///  memif  two processes on two cores: one sends requests through shared memory as fast as it can, the
///         other runs the worker.
///
/// Everything is on: access table, client log, rate limit, interleaved mode, stamps.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "dataplane/dpdk/bench/bench_server.h"
#include "dataplane/dpdk/bench/bench_support.h"
#include "dataplane/dpdk/bench/request_source.h"
#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/ethdev_nic.h"

namespace gnomon::bench {

namespace {

struct Outcome {
    double responses_per_s = 0.0;
    double cycles_per_packet = 0.0;
    std::array<double, kWorkerStages> stages{};
    double interleaved_share = 0.0;
    double answered_share = 0.0;
    double counter_ghz = 0.0;
};

void print(const char* name, const BenchOptions& options, const Outcome& outcome) {
    std::string text = fmt::format(
        "{{\"bench\": \"{}\", \"mpps\": {:.3f}, \"cycles_per_packet\": {:.1f}, \"counter_ghz\": "
        "{:.3f}, "
        "\"answered\": {:.4f}, \"interleaved\": {:.4f}, \"clients\": {}, \"prefixes\": {}, "
        "\"burst\": {}, \"frames\": {}",
        name, outcome.responses_per_s * 1e-6, outcome.cycles_per_packet, outcome.counter_ghz,
        outcome.answered_share, outcome.interleaved_share, options.clients, options.prefixes,
        options.burst, options.frames);
    for (std::size_t i = 0; i < kWorkerStages; ++i) {
        text += fmt::format(", \"cycles_{}\": {:.1f}", to_string(static_cast<WorkerStage>(i)),
                            outcome.stages[i]);
    }
    text += "}\n";
    std::fputs(text.c_str(), stdout);
    if (!options.json.empty()) std::ofstream(options.json) << text;
}

void add_worker(const QueueWorker& worker, Outcome& outcome) {
    const WorkerCounters& counters = worker.counters();
    const auto frames = static_cast<double>(counters.rx_frames.get());
    if (frames == 0.0) return;
    for (std::size_t i = 0; i < kWorkerStages; ++i) {
        outcome.stages[i] = static_cast<double>(counters.stage_cycles[i].get()) / frames;
    }
    outcome.cycles_per_packet = static_cast<double>(counters.busy_cycles.get()) / frames;
    const ServerCounters& server = worker.server().responder().counters();
    outcome.answered_share = static_cast<double>(server.replies.get()) / frames;
    outcome.interleaved_share = static_cast<double>(server.interleaved.get()) / frames;
}

std::unique_ptr<EthdevNic> open_nic(const BenchOptions& options, Eal& eal, const char* device,
                                    unsigned buffers) {
    DataplanePortConfig port;
    port.device = device;
    port.mode = DataplaneMode::Exclusive;
    const auto spec = parse_device(port, DeviceOptions());
    if (!spec) fail(spec.error());
    EthdevOptions nic;
    nic.buffers = buffers;
    nic.ring_size = options.ring;
    auto opened = EthdevNic::open(*spec, nic, eal.log());
    if (!opened) fail(opened.error().message());
    return std::move(*opened);
}

/// Fills a ring device, lets the worker serve, takes the answers away, again and again, with frames that
/// have left the caches meanwhile.
class RingLoop {
public:
    static constexpr std::size_t kFill = 512;

    RingLoop(const BenchOptions& options, EthdevNic& nic, BenchServer& server,
             RequestSource& source)
        : options_(options),
          nic_(nic),
          server_(server),
          source_(source),
          frames_(options.frames),
          buffers_(options.frames) {
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            if (!nic_.allocate(0, frames_[i], buffers_[i])) fail("too few packet buffers");
        }
    }
    ~RingLoop() {
        for (const NicBuffer& buffer : buffers_) nic_.release(buffer);
    }
    RingLoop(const RingLoop&) = delete;
    RingLoop& operator=(const RingLoop&) = delete;

    /// The counts that the worker spent on kFill requests.
    std::uint64_t round() {
        server_.keep_time();
        const auto frames = std::span(frames_).subspan(at_, kFill);
        const auto buffers = std::span(buffers_).subspan(at_, kFill);
        for (Frame& frame : frames) source_.make(frame);
        for (std::size_t i = 0; i < kFill; i += 32) {
            if (nic_.send(0, frames.subspan(i, 32), buffers.subspan(i, 32)) != 32) {
                fail("the ring is full");
            }
        }
        const std::uint64_t before = read_cycles();
        for (std::size_t i = 0; i < kFill; i += options_.burst) server_.worker().turn();
        const std::uint64_t spent = read_cycles() - before;
        std::size_t back = 0;
        while (back < kFill) {
            const std::size_t got = nic_.receive(0, frames.subspan(back), buffers.subspan(back));
            if (got == 0) break;
            for (std::size_t i = 0; i < got; ++i) source_.learn(frames[back + i]);
            back += got;
        }
        // What was not answered has been freed.
        for (std::size_t i = back; i < kFill; ++i) {
            if (!nic_.allocate(0, frames[i], buffers[i])) fail("lost packet buffers");
        }
        at_ = (at_ + kFill) % frames_.size();
        return spent;
    }

private:
    const BenchOptions& options_;
    EthdevNic& nic_;
    BenchServer& server_;
    RequestSource& source_;
    std::vector<Frame> frames_;
    std::vector<NicBuffer> buffers_;
    std::size_t at_ = 0;
};

int run_ring(const BenchOptions& options) {
    pin_to(options.cores.first);
    const auto eal = start_eal(options, "ring");
    const auto nic = open_nic(options, *eal, "net_ring0", options.frames + 2048);
    BenchServer server(options, *nic);
    RequestSource source(options, nic->mac());
    Outcome outcome;
    {
        RingLoop loop(options, *nic, server, source);
        // Everybody twice: no page is touched for the first time after this.
        for (std::size_t i = 0; i < 2 * options.clients; i += RingLoop::kFill) loop.round();
        source.shuffle();
        const WorkerCounters& counters = server.worker().counters();
        const std::uint64_t before = counters.rx_frames.get();
        const ServerCounters& replies = server.worker().server().responder().counters();
        const std::uint64_t replies_before = replies.replies.get();
        const std::uint64_t interleaved_before = replies.interleaved.get();
        const double hz = counter_hz();
        std::vector<std::uint64_t> rounds;
        const auto until = read_cycles() + static_cast<std::uint64_t>(options.seconds * hz);
        while (read_cycles() < until) rounds.push_back(loop.round());
        // The median round: the scheduler's interruptions are not the worker's.
        std::nth_element(rounds.begin(), rounds.begin() + static_cast<long>(rounds.size() / 2),
                         rounds.end());
        outcome.counter_ghz = hz * 1e-9;
        add_worker(server.worker(), outcome);
        outcome.cycles_per_packet =
            static_cast<double>(rounds[rounds.size() / 2]) / static_cast<double>(RingLoop::kFill);
        outcome.responses_per_s = hz / outcome.cycles_per_packet;
        const auto frames = static_cast<double>(counters.rx_frames.get() - before);
        outcome.answered_share =
            static_cast<double>(replies.replies.get() - replies_before) / frames;
        outcome.interleaved_share =
            static_cast<double>(replies.interleaved.get() - interleaved_before) / frames;
    }
    print("ring", options, outcome);
    return 0;
}

int run_memif_server(const BenchOptions& options, const std::string& socket) {
    pin_to(options.cores.first);
    const auto eal = start_eal(options, "memif-server");
    const auto nic =
        open_nic(options, *eal,
                 fmt::format("net_memif0,role=server,socket={},rsize=11", socket).c_str(), 8192);
    BenchServer server(options, *nic);
    const double hz = counter_hz();
    const auto until =
        read_cycles() + static_cast<std::uint64_t>((options.seconds + options.warm_up + 3.0) * hz);
    bool connected = false;
    std::uint64_t next = 0;
    while (read_cycles() < until) {
        if (read_cycles() > next) {
            server.keep_time();
            const bool up = nic->link().up;
            if (connected && !up) break;
            connected = up;
            next = read_cycles() + static_cast<std::uint64_t>(0.01 * hz);
        }
        for (int i = 0; i < 64; ++i) server.worker().turn();
    }
    return 0;
}

int run_memif_client(const BenchOptions& options, const std::string& socket) {
    pin_to(options.cores.second);
    const auto eal = start_eal(options, "memif-client");
    usleep(300'000);
    const auto nic =
        open_nic(options, *eal,
                 fmt::format("net_memif0,role=client,socket={},rsize=11", socket).c_str(), 8192);
    RequestSource source(options, nic->mac());
    for (int i = 0; i < 300 && !nic->link().up; ++i) usleep(10'000);
    if (!nic->link().up) fail("memif does not connect");
    const double hz = counter_hz();
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    std::uint64_t begin = read_cycles();
    const auto duration = static_cast<std::uint64_t>(options.seconds * hz);
    // If the other side takes that long, something is wrong.
    const auto patience = begin + static_cast<std::uint64_t>(options.warm_up * hz);
    std::uint64_t until = patience + duration;
    bool warm = false;
    std::array<Frame, 64> frames;
    std::array<NicBuffer, 64> buffers;
    while (read_cycles() < until) {
        if (!warm && (answered >= 2 * std::uint64_t{options.clients} || read_cycles() > patience)) {
            warm = true;
            source.shuffle();
            sent = answered = 0;
            begin = read_cycles();
            until = begin + duration;
        }
        const std::size_t got = nic->receive(0, frames, buffers);
        for (std::size_t i = 0; i < got; ++i) nic->release(buffers[i]);
        answered += got;
        std::size_t made = 0;
        while (made < 32 && nic->allocate(0, frames[made], buffers[made])) {
            source.make(frames[made]);
            ++made;
        }
        const std::size_t out = nic->send(0, std::span<const Frame>(frames).first(made),
                                          std::span<const NicBuffer>(buffers).first(made));
        for (std::size_t i = out; i < made; ++i) nic->release(buffers[i]);
        sent += out;
    }
    Outcome outcome;
    outcome.counter_ghz = hz * 1e-9;
    outcome.responses_per_s =
        static_cast<double>(answered) / (static_cast<double>(read_cycles() - begin) / hz);
    outcome.answered_share = static_cast<double>(answered) / static_cast<double>(sent);
    print("memif", options, outcome);
    return 0;
}

int run_memif(const BenchOptions& options) {
    const std::string socket = fmt::format("/tmp/gnomon-memif-{}", getpid());
    const pid_t server = fork();
    if (server == 0) _exit(run_memif_server(options, socket));
    const int code = run_memif_client(options, socket);
    int status = 0;
    waitpid(server, &status, 0);
    unlink(socket.c_str());
    return code != 0 ? code : status;
}

}  // namespace

}  // namespace gnomon::bench

int main(int argc, char** argv) {
    using namespace gnomon::bench;
    const BenchOptions options = parse_options(argc, argv);
    const HugePages pages(options.hugepages_mib);
    if (options.bench == "ring") return run_ring(options);
    if (options.bench == "memif") return run_memif(options);
    fail(
        "usage: dpdk_bench ring|memif [--seconds S --clients N --prefixes N --interleaved --burst "
        "N "
        "--frames N --hugepages MIB --cores A,B --json FILE]");
}
