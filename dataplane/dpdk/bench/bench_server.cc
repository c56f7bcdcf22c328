#include "dataplane/dpdk/bench/bench_server.h"

#include <time.h>

#include <algorithm>

#include "dataplane/dpdk/cycle_counter.h"

namespace gnomon::bench {

namespace {

CounterReading read_clock() {
    CounterReading best;
    for (int i = 0; i < 4; ++i) {
        CounterReading reading;
        timespec time{};
        reading.before = read_cycles();
        clock_gettime(CLOCK_REALTIME, &time);
        reading.after = read_cycles();
        reading.system = SystemTime::from_timespec(time);
        if (i == 0 || reading.width() < best.width()) best = reading;
    }
    return best;
}

/// Rules all over the address space, most of them about others; the clients are allowed by a short one.
AccessTable make_access(unsigned prefixes, BenchRandom& random) {
    AccessTable access;
    access.allow(Subnet{IpAddress::v4(0x0a000000), 8});
    for (unsigned i = 0; i + 1 < prefixes; ++i) {
        const auto length = static_cast<std::uint8_t>(12 + random.next() % 17);
        std::uint32_t address = static_cast<std::uint32_t>(random.next());
        if (address >> 24 == 10) address ^= 0x01000000;
        address &= ~std::uint32_t{0} << (32 - length);
        if (random.next() % 2 == 0) {
            access.allow(Subnet{IpAddress::v4(address), length});
        } else {
            access.deny(Subnet{IpAddress::v4(address), length});
        }
    }
    return access;
}

}  // namespace

BenchServer::BenchServer(const BenchOptions& options, NicDevice& nic) {
    ClientLogConfig log;
    log.memory_limit = std::max<std::uint64_t>(524288, std::uint64_t{options.clients} * 2 * 128);
    if (options.rate_limit) {
        RateLimit& limit = log.limits[static_cast<std::size_t>(Service::Ntp)];
        limit.enabled = true;
        limit.interval = -4;
        limit.burst = 64;
    }
    log_ = std::make_unique<ClientLog>(log, random_.next());
    store_ = std::make_unique<TimestampStore>(log.capacity());
    QueueWorkerConfig config;
    config.burst = options.burst;
    config.server.mode = DataplaneMode::Exclusive;
    // The other process cannot know it.
    if (options.bench != "memif") config.server.mac = nic.mac();
    DataplaneAddress address;
    address.subnet = {IpAddress::v4(kServerAddress), 8};
    config.server.addresses.push_back(address);
    worker_ = std::make_unique<QueueWorker>(config, nic, nic_line_, nullptr, context_, *log_,
                                            *store_, random_);
    auto tables = std::make_shared<ServerTables>();
    tables->access = AccessIndex(make_access(options.prefixes, random_));
    context_.tables.publish(std::move(tables));
    while (!estimator_.line().is_valid()) keep_time();
}

void BenchServer::keep_time() {
    const CounterReading reading = read_clock();
    estimator_.add(reading);
    if (!estimator_.line().is_valid()) return;
    context_.line.store(estimator_.line());
    ServerState state;
    state.synchronised = true;
    state.leap = Leap::Normal;
    state.stratum = 1;
    state.reference_time = UtcTime::from_ns(reading.system.ns());
    state.clock.epoch = reading.system;
    context_.state.store(state);
}

}  // namespace gnomon::bench
