#include "mgmt/lab/replay.h"

#include <algorithm>
#include <chrono>

#include "dataplane/proto/responder.h"

namespace gnomon {

namespace {

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class SeededRandom final : public RandomSource {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() override {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

private:
    std::uint64_t state_;
};

/// A synchronised server whose clock is the capture's.
ServerState server_state() {
    ServerState state;
    state.synchronised = true;
    state.leap = Leap::Normal;
    state.stratum = 1;
    state.ref_id = RefId::from_text("LAB");
    state.precision = -25;
    return state;
}

double median(std::vector<double>& values) {
    if (values.empty()) return 0.0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

ReplayResult replay(CaptureFile file, const ReplaySetup& setup) {
    using Clock = std::chrono::steady_clock;
    SeededRandom random(setup.seed);
    ClientLog log(setup.log, random.next());
    TimestampStore store(setup.log.enabled ? setup.log.capacity() : 0);
    ClientAnalytics analytics(random.next());
    Responder responder(log, store, random);
    responder.set_analytics(&analytics);
    ReplayPort::Options options;
    options.server_port = setup.port;
    options.on_reply = setup.on_reply;
    ReplayPort port(std::move(file), std::move(options));

    ServerState state = server_state();
    ReplyArray replies(Responder::kMaxBurst);
    std::array<RxDatagram, Responder::kMaxBurst> requests;
    std::array<Drop, Responder::kMaxBurst> verdicts{};
    std::array<TxStampReport, Responder::kMaxBurst> stamps;
    std::vector<TxDatagram> outgoing;
    std::vector<double> costs_ns;
    ReplayResult result;
    const std::size_t burst = std::clamp<std::size_t>(setup.burst, 1, Responder::kMaxBurst);
    while (const std::size_t count = port.receive(std::span(requests).first(burst))) {
        const SystemTime at = requests[0].stamp.time;
        if (result.first.is_zero()) {
            result.first = at;
            state.clock.epoch = at;
        }
        result.last = requests[count - 1].stamp.time;
        if (setup.pace) setup.pace(at);
        state.reference_time = UtcTime::from_ns(at.ns());
        const auto begin = Clock::now();
        responder.prepare_burst(std::span(requests).first(count), state, setup.tables,
                                replies.all(), verdicts);
        const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
        costs_ns.push_back(took.count() / static_cast<double>(count));
        outgoing.clear();
        for (std::size_t i = 0; i < count; ++i) {
            if (verdicts[i] == Drop::None) outgoing.push_back(replies[i].datagram(requests[i]));
        }
        port.send(outgoing);
        while (const std::size_t reports = port.transmit_stamps(stamps)) {
            for (std::size_t i = 0; i < reports; ++i) responder.on_transmit_stamp(stamps[i]);
        }
    }
    result.port = port.counts();
    result.error = port.error();
    result.server.add(responder.counters());
    add_shared(result.server, log, store);
    result.authenticated = responder.counters().authenticated.get();
    result.interleaved = responder.counters().interleaved.get();
    result.analytics = analytics.snapshot(result.last);
    result.ns_per_request = median(costs_ns);
    return result;
}

}  // namespace gnomon
