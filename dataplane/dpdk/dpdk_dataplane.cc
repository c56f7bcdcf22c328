#include "dataplane/dpdk/dpdk_dataplane.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/dpdk/eal_arguments.h"

namespace gnomon {

namespace {

constexpr std::size_t kMaxListened = 1024;

std::int64_t read_ns(clockid_t clock) noexcept {
    timespec time{};
    clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

DpdkDataplane::DpdkDataplane(const DataplaneConfig& config) : config_(config) {}

SysResult<std::unique_ptr<PolledDataplane>> DpdkDataplane::open(const DataplaneConfig& config,
                                                                ClientLog& log,
                                                                TimestampStore& store,
                                                                RandomSource& seed,
                                                                const std::string& directory) {
    std::unique_ptr<DpdkDataplane> dataplane(new DpdkDataplane(config));
    std::vector<DeviceSpec> specs;
    const std::string program = directory + "/ntp_only.bpf.o";
    for (unsigned number = 0; number < config.ports.size(); ++number) {
        DeviceOptions options;
        options.number = number;
        if (access(program.c_str(), R_OK) == 0) options.xdp_program = program;
        auto spec = parse_device(config.ports[number], options);
        if (!spec) return Unexpected(SysError{"dataplane device " + spec.error(), EINVAL});
        specs.push_back(std::move(*spec));
    }
    dataplane->context_.forward_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dataplane->context_.forward_event < 0) return Unexpected(SysError::last("eventfd"));
    auto eal = Eal::start(eal_arguments(config, specs, getpid()));
    if (!eal) return Unexpected(eal.error());
    dataplane->eal_ = std::move(*eal);
    dataplane->follow_mono_clock();
    const DpdkPortResources resources{
        log, store, seed, dataplane->context_, dataplane->listened_, dataplane->config_};
    for (unsigned number = 0; number < specs.size(); ++number) {
        auto port = DpdkPort::open(config.ports[number], specs[number], number, resources,
                                   dataplane->eal_->log());
        if (!port) return Unexpected(port.error());
        dataplane->ports_.push_back(std::move(*port));
    }
    return std::unique_ptr<PolledDataplane>(std::move(dataplane));
}

DpdkDataplane::~DpdkDataplane() {
    ports_.clear();
    eal_.reset();
    if (context_.forward_event >= 0) close(context_.forward_event);
}

void DpdkDataplane::publish(const ServerState& state) noexcept { context_.state.store(state); }

void DpdkDataplane::publish(std::shared_ptr<const ServerTables> tables) {
    context_.tables.publish(std::move(tables));
}

void DpdkDataplane::publish(const CounterLine& line) noexcept {
    follow_mono_clock();
    context_.line.store(line);
}

/// The narrowest of three readings.
void DpdkDataplane::follow_mono_clock() noexcept {
    std::int64_t best_width = INT64_MAX;
    std::int64_t difference = 0;
    for (int i = 0; i < 3; ++i) {
        const std::int64_t before = read_ns(CLOCK_MONOTONIC);
        const std::int64_t system = read_ns(CLOCK_REALTIME);
        const std::int64_t after = read_ns(CLOCK_MONOTONIC);
        if (after - before >= best_width) continue;
        best_width = after - before;
        difference = system - (before + (after - before) / 2);
    }
    context_.mono_to_system_ns.store(difference, std::memory_order_relaxed);
}

int DpdkDataplane::forward_fd() const noexcept { return context_.forward_event; }

std::size_t DpdkDataplane::take_forwarded(std::span<Forwarded> out) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = read(context_.forward_event, &count, sizeof(count));
    std::size_t taken = 0;
    for (const auto& port : ports_) taken += port->take_forwarded(out.subspan(taken));
    if (taken == out.size()) {
        // What is left would otherwise wait for the next frame.
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = write(context_.forward_event, &one, sizeof(one));
    }
    return taken;
}

bool DpdkDataplane::reaches(const IpAddress& remote) const {
    return std::any_of(ports_.begin(), ports_.end(),
                       [&](const auto& port) { return port->reaches(remote); });
}

bool DpdkDataplane::send(const TxDatagram& datagram, std::uint16_t local_port) {
    for (const auto& port : ports_) {
        if (port->reaches(datagram.remote.ip) && port->send(datagram, local_port)) return true;
    }
    return false;
}

bool DpdkDataplane::listen(std::uint16_t local_port) {
    if (listened_.contains(local_port)) return true;
    if (listened_count_ == kMaxListened) return false;
    listened_.add(local_port);
    ++listened_count_;
    for (const auto& port : ports_) port->set_listened(local_port, true);
    return true;
}

void DpdkDataplane::unlisten(std::uint16_t local_port) {
    if (!listened_.contains(local_port)) return;
    listened_.remove(local_port);
    --listened_count_;
    for (const auto& port : ports_) port->set_listened(local_port, false);
}

void DpdkDataplane::add_to(ServerStats& stats) const {
    for (const auto& port : ports_) port->add_to(stats);
}

void DpdkDataplane::add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
    for (const auto& port : ports_) port->add_to(snapshot, now);
}

std::vector<DataplanePortReport> DpdkDataplane::report() const {
    std::vector<DataplanePortReport> reports;
    for (const auto& port : ports_) reports.push_back(port->report());
    return reports;
}

void DpdkDataplane::check(MonoTime now, std::span<PortHealth> out) {
    follow_mono_clock();
    context_.tables.reclaim();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const PortHealth health = ports_[i]->check(now);
        if (i < out.size()) out[i] = health;
    }
}

int DpdkDataplane::interface_index(std::size_t port) const noexcept {
    return port < ports_.size() ? ports_[port]->interface_index() : 0;
}

void DpdkDataplane::set_taking(std::size_t port, bool taking) {
    if (port < ports_.size()) ports_[port]->set_taking(taking);
}

void DpdkDataplane::attach(CaptureTaps& taps) {
    for (const auto& port : ports_) port->attach(taps);
}

}  // namespace gnomon
