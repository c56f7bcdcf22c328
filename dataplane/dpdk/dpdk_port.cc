#include "dataplane/dpdk/dpdk_port.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/dpdk/eal_arguments.h"
#include "dataplane/dpdk/interface.h"
#include "dataplane/dpdk/xdp_control.h"

namespace gnomon {

namespace {

constexpr Duration kAnnounceAgain = Duration::from_s(1);

}  // namespace

DpdkPort::DpdkPort(const DataplanePortConfig& config, DeviceSpec spec,
                   const DpdkPortResources& resources)
    : config_(config),
      spec_(std::move(spec)),
      addresses_(config.addresses),
      context_(resources.context),
      dscp_(resources.config.dscp),
      supervisor_(config.queues) {
    if (spec_.mode == DataplaneMode::Shared && addresses_.empty() && !spec_.interface.empty()) {
        addresses_ = interface_addresses(spec_.interface);
    }
}

SysResult<std::unique_ptr<DpdkPort>> DpdkPort::open(const DataplanePortConfig& config,
                                                    const DeviceSpec& spec, unsigned number,
                                                    const DpdkPortResources& resources,
                                                    EalLog& log) {
    std::unique_ptr<DpdkPort> port(new DpdkPort(config, spec, resources));
    EthdevOptions options;
    options.queues = config.queues;
    options.ring_size = config.ring_size;
    options.buffers = buffer_count(config, resources.config.mbufs);
    options.number = number;
    options.offloads = config.offloads;
    options.all_groups = spec.mode == DataplaneMode::Exclusive;
    auto nic = EthdevNic::open(spec, options, log);
    if (!nic) return Unexpected(nic.error());
    port->nic_ = std::move(*nic);
    if (!config.exception.empty()) {
        auto exception = ExceptionPath::open(config.exception, port->nic_->mac(), port->addresses_);
        if (!exception) return Unexpected(exception.error());
        port->exception_ = std::move(*exception);
    }
    if (spec.mode == DataplaneMode::Exclusive) {
        NeighbourTableConfig table;
        table.mac = port->nic_->mac();
        table.addresses = port->addresses_;
        table.gateways = config.gateways;
        port->neighbours_.emplace(std::move(table));
    }
    if (spec.mode == DataplaneMode::Shared && port->nic_->interface_index() != 0) {
        port->routes_ = std::make_unique<KernelRoutes>(port->nic_->interface_index());
    }
    const FrameServerConfig server = port->server_config(resources);
    for (unsigned queue = 0; queue < config.queues; ++queue) {
        QueueWorkerConfig worker;
        worker.queue = queue;
        worker.burst = config.burst;
        worker.server = server;
        WorkerThread& thread = port->workers_.emplace_back();
        // Answers of neighbours must all get there, and in order: the queues would each need a ring.
        thread.worker = std::make_unique<QueueWorker>(
            worker, *port->nic_, port->nic_line_, queue == 0 ? port->exception_.get() : nullptr,
            resources.context, resources.log, resources.store, resources.seed);
        if (queue < config.cores.size()) thread.core = static_cast<int>(config.cores[queue]);
    }
    if (auto error = port->start_workers()) return Unexpected(std::move(*error));
    if (XdpControl* xdp = port->nic_->xdp(); xdp != nullptr) {
        xdp->set_ntp_port(resources.config.ntp_port);
        port->nic_->set_taking(true);
    }
    return port;
}

FrameServerConfig DpdkPort::server_config(const DpdkPortResources& resources) const {
    FrameServerConfig server;
    server.mode = spec_.mode;
    if (spec_.mode == DataplaneMode::Exclusive) server.mac = nic_->mac();
    server.addresses = addresses_;
    server.ntp_port = resources.config.ntp_port;
    server.dscp = resources.config.dscp;
    server.interface_index = nic_->interface_index();
    server.partial_checksums = !spec_.interface.empty();
    server.listened = &resources.listened;
    return server;
}

std::optional<SysError> DpdkPort::start_workers() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::optional<SysError> failure;
    try {
        for (unsigned queue = 0; queue < workers_.size(); ++queue) {
            WorkerThread& thread = workers_[queue];
            thread.thread = std::thread([this, &thread, queue] { run(thread, queue); });
            if (thread.core < 0) continue;
            cpu_set_t cores;
            CPU_ZERO(&cores);
            CPU_SET(static_cast<std::size_t>(thread.core), &cores);
            if (const int code =
                    pthread_setaffinity_np(thread.thread.native_handle(), sizeof(cores), &cores);
                code != 0) {
                failure = SysError{fmt::format("pinning a worker to core {}", thread.core), code};
                break;
            }
        }
    } catch (const std::system_error& error) {
        failure = SysError{"starting a dataplane worker", error.code().value()};
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return failure;
}

void DpdkPort::run(WorkerThread& thread, unsigned queue) noexcept {
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "worker %u", queue);
    pthread_setname_np(pthread_self(), name.data());
    const EalThread known;
    thread.worker->run(stop_);
}

DpdkPort::~DpdkPort() {
    stop_ = true;
    for (WorkerThread& thread : workers_) {
        if (thread.thread.joinable()) thread.thread.join();
    }
}

PortHealth DpdkPort::check(MonoTime now) {
    now_ = now;
    const NicLink link = nic_->link();
    const NicCounters counters = nic_->counters();
    std::vector<std::uint64_t> heartbeats;
    for (const WorkerThread& thread : workers_) heartbeats.push_back(thread.worker->heartbeat());
    PortObservation observation;
    observation.now = now;
    observation.link_up = link.up;
    observation.device_lost = nic_->lost();
    observation.buffers_short =
        nic_->free_buffers() < config_.burst || counters.no_buffers > no_buffers_;
    observation.heartbeats = heartbeats;
    no_buffers_ = counters.no_buffers;
    if (link.up && !link_up_) {
        announcements_due_ = 2;
        announce_at_ = now;
    }
    link_up_ = link.up;
    announce(now);
    ask_neighbours(now);
    if (routes_) routes_->refresh(now);
    if (nic_->capabilities().clock && nic_clock_.measure(*nic_, context_.line.load())) {
        nic_line_.store(nic_clock_.line());
    }
    if (measured_.is_zero() || now - measured_ >= Duration::from_s(1)) {
        measure_load();
        measured_ = now;
    }
    return supervisor_.observe(observation);
}

void DpdkPort::announce(MonoTime now) {
    if (spec_.mode != DataplaneMode::Exclusive || workers_.empty()) return;
    for (WorkerThread& thread : workers_) {
        if (thread.worker->take_membership_query() && announcements_due_ == 0) {
            announcements_due_ = 1;
            announce_at_ = now;
        }
    }
    if (announcements_due_ == 0 || now < announce_at_) return;
    const FrameServer& server = workers_[0].worker->server();
    std::array<std::uint8_t, 256> frame;
    for (std::size_t i = 0; i < server.announcement_count(); ++i) {
        if (const std::size_t size = server.announce(i, frame); size != 0) {
            push(std::span(frame).first(size));
        }
    }
    --announcements_due_;
    announce_at_ = now + kAnnounceAgain;
}

void DpdkPort::ask_neighbours(MonoTime now) {
    if (!neighbours_) return;
    for (WorkerThread& thread : workers_) {
        auto& sightings = thread.worker->rings().sightings;
        while (const NeighbourSighting* sighting = sightings.front()) {
            neighbours_->learn(*sighting, now);
            sightings.pop();
        }
    }
    std::array<std::uint8_t, 128> frame;
    while (const std::size_t size = neighbours_->poll(now, frame)) {
        if (!push(std::span(frame).first(size))) break;
    }
}

bool DpdkPort::push(std::span<const std::uint8_t> frame) {
    auto& ring = workers_[0].worker->rings().outgoing;
    OutgoingFrame* slot = frame.size() <= OutgoingFrame::kMaxSize ? ring.begin_push() : nullptr;
    if (slot == nullptr) return false;
    std::copy(frame.begin(), frame.end(), slot->bytes.begin());
    slot->size = frame.size();
    slot->payload_offset = 0;
    slot->want_stamp = false;
    ring.end_push();
    return true;
}

void DpdkPort::set_taking(bool taking) {
    nic_->set_taking(taking);
    for (WorkerThread& thread : workers_) thread.worker->set_taking(taking);
}

void DpdkPort::set_listened(std::uint16_t local_port, bool listened) {
    if (XdpControl* xdp = nic_->xdp(); xdp != nullptr) xdp->set_listened(local_port, listened);
}

std::size_t DpdkPort::take_forwarded(std::span<Forwarded> out) {
    std::size_t taken = 0;
    for (WorkerThread& thread : workers_) {
        auto& ring = thread.worker->rings().forwarded;
        while (taken < out.size()) {
            const Forwarded* slot = ring.front();
            if (slot == nullptr) break;
            Forwarded& target = out[taken++];
            target = *slot;
            ring.pop();
            target.datagram.payload = target.report.payload = {target.bytes.data(), target.size};
        }
    }
    return taken;
}

bool DpdkPort::reaches(const IpAddress& remote) const {
    if (neighbours_) return neighbours_->route(remote).has_value();
    return routes_ && routes_->find(remote).has_value();
}

std::optional<DpdkPort::Way> DpdkPort::way_to(const IpAddress& destination) {
    if (neighbours_) {
        const auto resolution = neighbours_->resolve(destination, now_);
        if (resolution.state == NeighbourTable::State::Known) {
            return Way{resolution.route, resolution.mac};
        }
        ask_neighbours(now_);
    } else if (routes_) {
        const auto path = routes_->find(destination);
        if (path && path->mac) return Way{{path->source, 0, path->next_hop}, *path->mac};
    }
    return std::nullopt;
}

bool DpdkPort::send(const TxDatagram& datagram, std::uint16_t local_port) {
    if (health() != PortHealth::Healthy) return false;
    const std::optional<Way> way = way_to(datagram.remote.ip);
    if (!way) return false;
    auto& ring = workers_[0].worker->rings().outgoing;
    OutgoingFrame* slot = ring.begin_push();
    const CounterLine line = context_.line.load();
    if (slot == nullptr || !line.is_valid()) return false;
    NeighbourRoute route = way->route;
    if (datagram.local.is_ip() && !datagram.local.is_any()) route.source = datagram.local;
    // The reading belongs right before the frame is built: it is what T1 says until the stamp comes.
    if (datagram.finisher != nullptr) {
        datagram.finisher->finish(line.to_system(read_cycles()), 0);
    }
    slot->size = build_datagram_frame(route, nic_->mac(), way->mac, local_port, dscp_,
                                      datagram.remote, datagram.payload, slot->bytes);
    if (slot->size == 0) return false;
    const bool is_ipv6 = datagram.remote.ip.family() == IpAddress::Family::V6;
    slot->payload_offset = 14U + (route.vlan != 0 ? 4U : 0U) + (is_ipv6 ? 40U : 20U) + 8U;
    slot->payload_size = datagram.payload.size();
    slot->cookie = datagram.cookie;
    slot->local_port = local_port;
    slot->want_stamp = datagram.want_stamp;
    slot->remote = datagram.remote;
    ring.end_push();
    return true;
}

void DpdkPort::add_to(ServerStats& stats) const {
    for (const WorkerThread& thread : workers_) {
        stats.add(thread.worker->server().responder().counters());
    }
}

void DpdkPort::add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
    for (const WorkerThread& thread : workers_) {
        snapshot.merge(thread.worker->analytics().snapshot(now));
    }
}

}  // namespace gnomon
