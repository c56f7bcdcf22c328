#pragma once

/// A worker with all that it needs, without a control loop.

#include <memory>
#include <random>

#include "dataplane/dpdk/bench/bench_support.h"
#include "dataplane/dpdk/nic_device.h"
#include "dataplane/dpdk/queue_worker.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/timestamp_store.h"
#include "servo/units/counter_estimator.h"

namespace gnomon::bench {

/// Of the server, and of what it is asked through.
inline constexpr std::uint32_t kServerAddress = 0x0a000001;  // 10.0.0.1
inline constexpr std::uint32_t kFirstClient = 0x0a400000;    // 10.64.0.0

class BenchRandom final : public RandomSource {
public:
    explicit BenchRandom(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t next() override { return engine_(); }

private:
    std::mt19937_64 engine_;
};

class BenchServer {
public:
    BenchServer(const BenchOptions& options, NicDevice& nic);

    QueueWorker& worker() noexcept { return *worker_; }
    /// Measures the clock and publishes it, as the control loop does.
    void keep_time();

private:
    BenchRandom random_{1};
    std::unique_ptr<ClientLog> log_;
    std::unique_ptr<TimestampStore> store_;
    WorkerContext context_;
    SeqLock<CounterLine> nic_line_;
    CounterEstimator estimator_;
    std::unique_ptr<QueueWorker> worker_;
};

}  // namespace gnomon::bench
