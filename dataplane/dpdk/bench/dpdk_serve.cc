/// dpdk_serve MODULE SECONDS DEVICE [key=value…]: loads the module as gnomond does and serves the system
/// clock through one port, for trying a device by hand; prints its report in the end.

#include <dlfcn.h>
#include <poll.h>
#include <time.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/port/dataplane.h"
#include "servo/units/counter_estimator.h"

using namespace gnomon;

namespace {

class StandardRandom final : public RandomSource {
public:
    std::uint64_t next() override { return engine_(); }

private:
    std::mt19937_64 engine_{std::random_device{}()};
};

std::int64_t now_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

CounterReading read_clock() {
    CounterReading best;
    for (int i = 0; i < 8; ++i) {
        CounterReading reading;
        reading.before = read_cycles();
        reading.system = SystemTime::from_ns(now_ns(CLOCK_REALTIME));
        reading.after = read_cycles();
        if (i == 0 || reading.width() < best.width()) best = reading;
    }
    return best;
}

bool set_option(DataplaneConfig& config, std::string_view text) {
    DataplanePortConfig& port = config.ports[0];
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = text.substr(0, equals);
    const std::string value(text.substr(equals + 1));
    if (key == "queues")
        port.queues = static_cast<unsigned>(std::stoul(value));
    else if (key == "burst")
        port.burst = static_cast<unsigned>(std::stoul(value));
    else if (key == "core")
        port.cores.push_back(static_cast<unsigned>(std::stoul(value)));
    else if (key == "mode")
        port.mode = value == "shared" ? DataplaneMode::Shared : DataplaneMode::Exclusive;
    else if (key == "exception")
        port.exception = value;
    else if (key == "hugepages")
        config.hugepages_mib = static_cast<unsigned>(std::stoul(value));
    else if (key == "eal")
        config.eal_arguments.push_back(value);
    else if (key == "gateway")
        port.gateways.push_back(*IpAddress::parse(value));
    else if (key == "address") {
        DataplaneAddress address;
        const auto slash = value.find('/');
        const auto at = value.find('@');
        address.subnet.address = *IpAddress::parse(value.substr(0, slash));
        address.subnet.prefix_length =
            static_cast<std::uint8_t>(std::stoul(value.substr(slash + 1)));
        if (at != std::string::npos) {
            address.vlan = static_cast<std::uint16_t>(std::stoul(value.substr(at + 1)));
        }
        port.addresses.push_back(address);
    } else {
        return false;
    }
    return true;
}

void print(const DataplanePortReport& report) {
    std::printf(
        "%s driver %s health %s link %d %u Mbit/s offloads [%s] missed %llu takeovers %llu "
        "queueing %.0f ns\n",
        report.device.c_str(), report.driver.c_str(), to_string(report.health), report.link_up,
        report.link_speed_mbps, report.offloads.c_str(),
        static_cast<unsigned long long>(report.hardware_missed),
        static_cast<unsigned long long>(report.takeovers), report.queueing_s * 1e9);
    for (const DataplaneWorkerReport& worker : report.workers) {
        std::printf(
            " queue %u core %d polls %llu rx %llu tx %llu failed %llu replies %llu neighbour "
            "%llu kernel %llu forwarded %llu stamps D %llu K %llu H %llu tx %llu missed %llu "
            "cycles %.0f busy %.3f burst %.2f\n",
            worker.queue, worker.core, static_cast<unsigned long long>(worker.polls),
            static_cast<unsigned long long>(worker.rx_frames),
            static_cast<unsigned long long>(worker.tx_frames),
            static_cast<unsigned long long>(worker.tx_failed),
            static_cast<unsigned long long>(worker.replies),
            static_cast<unsigned long long>(worker.neighbour),
            static_cast<unsigned long long>(worker.to_kernel),
            static_cast<unsigned long long>(worker.forwarded),
            static_cast<unsigned long long>(worker.rx_stamps[0]),
            static_cast<unsigned long long>(worker.rx_stamps[1]),
            static_cast<unsigned long long>(worker.rx_stamps[2]),
            static_cast<unsigned long long>(worker.tx_stamps),
            static_cast<unsigned long long>(worker.tx_stamps_missed), worker.cycles_per_packet,
            worker.busy_share, worker.mean_burst);
        for (const auto& [reason, count] : worker.drops) {
            std::printf("  drop %s %llu\n", reason.c_str(), static_cast<unsigned long long>(count));
        }
        std::printf("  latency");
        for (std::size_t i = 0; i < worker.latency_log2_ns.size(); ++i) {
            if (worker.latency_log2_ns[i] == 0) continue;
            std::printf(" %llu ns: %llu", 1ULL << i,
                        static_cast<unsigned long long>(worker.latency_log2_ns[i]));
        }
        std::printf("\n");
    }
}

/// A request of ours; the transmit field carries the time of the finisher.
class OwnRequest final : public TxFinisher {
public:
    void send(PolledDataplane& dataplane, const IpAddress& to) {
        bytes_.fill(0);
        bytes_[0] = 0x23;
        TxDatagram datagram;
        datagram.payload = bytes_;
        datagram.remote = {to, 123};
        datagram.want_stamp = true;
        datagram.cookie = ++cookie_;
        datagram.finisher = this;
        const bool reached = dataplane.reaches(to);
        const bool sent = dataplane.send(datagram, kOwnPort);
        if (!sent) std::printf("own request: reaches %d, not sent\n", reached);
    }
    void finish(SystemTime now, std::size_t) noexcept override { finished_ = now; }
    void take(PolledDataplane& dataplane) const {
        static Forwarded forwarded[8];
        const std::size_t count = dataplane.take_forwarded(forwarded);
        for (std::size_t i = 0; i < count; ++i) {
            const bool stamp = forwarded[i].kind == Forwarded::Kind::TransmitStamp;
            const Stamp& time = stamp ? forwarded[i].report.stamp : forwarded[i].datagram.stamp;
            std::printf("%s cookie %llu port %u size %zu source %d after T1 %lld ns sd %.0f ns\n",
                        stamp ? "left" : "came",
                        static_cast<unsigned long long>(forwarded[i].report.cookie),
                        forwarded[i].local_port, forwarded[i].size, static_cast<int>(time.source),
                        static_cast<long long>((time.time - finished_).ns()),
                        std::sqrt(time.variance_s2) * 1e9);
        }
    }
    static constexpr std::uint16_t kOwnPort = 41234;

private:
    std::array<std::uint8_t, 48> bytes_{};
    std::uint64_t cookie_ = 0;
    SystemTime finished_;
};

int serve(const DataplaneModule& module, const DataplaneConfig& config, double seconds,
          const IpAddress& ask) {
    StandardRandom random;
    ClientLogConfig log_config;
    log_config.memory_limit = 16U << 20;
    ClientLog log(log_config, random.next());
    TimestampStore store(log_config.capacity());
    const std::int64_t begin = now_ns(CLOCK_MONOTONIC);
    auto opened = module.open(config, log, store, random);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message().c_str());
        return 1;
    }
    PolledDataplane& dataplane = **opened;
    std::printf("opened in %.0f ms\n", static_cast<double>(now_ns(CLOCK_MONOTONIC) - begin) * 1e-6);
    std::fflush(stdout);
    auto tables = std::make_shared<ServerTables>();
    AccessTable access;
    access.allow(Subnet{IpAddress::any(IpAddress::Family::V4), 0});
    access.allow(Subnet{IpAddress::any(IpAddress::Family::V6), 0});
    tables->access = AccessIndex(access);
    dataplane.publish(std::shared_ptr<const ServerTables>(tables));
    CounterEstimator estimator;
    std::vector<PortHealth> health(dataplane.port_count(), PortHealth::Starting);
    PortHealth shown = PortHealth::Lost;
    OwnRequest own;
    dataplane.listen(OwnRequest::kOwnPort);
    int round = 0;
    while (static_cast<double>(now_ns(CLOCK_MONOTONIC) - begin) * 1e-9 < seconds) {
        estimator.add(read_clock());
        if (estimator.line().is_valid()) dataplane.publish(estimator.line());
        ServerState state;
        state.synchronised = true;
        state.leap = Leap::Normal;
        state.stratum = 1;
        state.reference_time = UtcTime::from_ns(now_ns(CLOCK_REALTIME));
        dataplane.publish(state);
        dataplane.check(MonoTime::from_ns(now_ns(CLOCK_MONOTONIC)), health);
        if (health[0] != shown) {
            shown = health[0];
            std::printf("health %s\n", to_string(shown));
            std::fflush(stdout);
        }
        own.take(dataplane);
        if (ask.is_ip() && shown == PortHealth::Healthy && ++round % 25 == 0) {
            own.send(dataplane, ask);
        }
        poll(nullptr, 0, 20);
    }
    for (const DataplanePortReport& report : dataplane.report()) print(report);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: dpdk_serve MODULE SECONDS DEVICE [key=value…]\n");
        return 2;
    }
    void* handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    const auto* module = static_cast<const DataplaneModule*>(dlsym(handle, kDataplaneEntry));
    if (module == nullptr || std::string_view(module->abi) != kDataplaneAbi) {
        std::fprintf(stderr, "%s is not a module of this version\n", argv[1]);
        return 1;
    }
    DataplaneConfig config;
    config.ports.emplace_back();
    config.ports[0].device = argv[3];
    IpAddress ask;
    for (int i = 4; i < argc; ++i) {
        if (std::string_view(argv[i]).substr(0, 4) == "ask=") {
            ask = IpAddress::parse(argv[i] + 4).value_or(IpAddress());
            continue;
        }
        if (!set_option(config, argv[i])) {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    }
    return serve(*module, config, std::atof(argv[2]), ask);
}
