#include "tests/sim/sim_node.h"

#include <cerrno>
#include <cmath>
#include <stdexcept>

#include "mgmt/config/parser.h"

namespace gnomon::sim {
namespace {

constexpr std::uint16_t kNtpPort = 123;
/// From the network card to the kernel's stamp, and from a stamp to its report.
constexpr TrueTime kStampReportDelay = 20'000;
constexpr TrueTime kResolveDelay = 30'000'000;

}  // namespace

SimNode::SimNode(World& world, int index, NodeModel model, std::uint64_t seed)
    : world_(world),
      index_(index),
      model_(std::move(model)),
      random_(seed),
      clock_(model_.oscillator, model_.boot, model_.initial_offset_s, random_.next()),
      config_file_(model_.config),
      honest_(model_.honest) {}

SimNode::~SimNode() = default;

void SimNode::boot() {
    clock_.advance_to(world_.now());
    const ParsedConfig parsed =
        parse_config_file("sim.conf", config_file_, {default_config(Personality::Gnomon)});
    if (has_errors(parsed.diagnostics)) {
        throw std::invalid_argument(model_.name + ": " + parsed.diagnostics.front().to_string());
    }
    engine_ = std::make_unique<Engine>(
        parsed.config, Services{clock_, random_, *this, *this, *this, config_file_, *this});
    ++boots_;
    engine_->start(read_clocks());
    reschedule();
}

void SimNode::shutdown() {
    if (!is_up()) return;
    clock_.advance_to(world_.now());
    engine_->shutdown(read_clocks());
    engine_.reset();
    client_ports_.clear();
    server_open_ = false;
}

Now SimNode::read_clocks() { return Now{clock_.mono(), clock_.now()}; }

Stamp SimNode::stamp() {
    const double noise_s = model_.kernel_stamp_noise_s * random_.normal();
    return Stamp{clock_.now() + Duration::from_seconds(noise_s), TimestampSource::Kernel,
                 model_.kernel_stamp_noise_s * model_.kernel_stamp_noise_s};
}

void SimNode::reschedule() {
    const MonoTime next = engine_->next_timeout();
    if (next == MonoTime::max()) return;
    const TrueTime at = clock_.when_mono(next);
    // An earlier wake-up that is already under way serves as well: waking early does no harm.
    if (wake_at_ > world_.now() && wake_at_ <= at) return;
    wake_at_ = at;
    world_.schedule_wake(index_, at);
}

void SimNode::suspend() {
    if (!is_up()) return;
    clock_.advance_to(world_.now());
    asleep_ = true;
    asleep_since_ = world_.now();
}

void SimNode::resume(double error_s) {
    if (!asleep_) return;
    clock_.advance_to(world_.now());
    clock_.slept(static_cast<double>(world_.now() - asleep_since_) * 1e-9, error_s);
    asleep_ = false;
    engine_->handle_timeout(read_clocks());
    wake_at_ = 0;
    reschedule();
}

void SimNode::wake() {
    if (!is_up()) return;
    clock_.advance_to(world_.now());
    if (wake_at_ <= world_.now()) wake_at_ = 0;
    engine_->handle_timeout(read_clocks());
    reschedule();
}

void SimNode::receive(const SocketAddress& source, const SocketAddress& destination,
                      const std::vector<std::uint8_t>& payload) {
    if (!is_up()) return;
    clock_.advance_to(world_.now());
    SocketHandle handle = kNoSocket;
    if (destination.port == kNtpPort) {
        handle = server_open_ ? kServerSocket : kNoSocket;
    } else {
        for (const auto& [candidate, port] : client_ports_) {
            if (port == destination.port) handle = candidate;
        }
    }
    if (handle == kNoSocket) return;
    RxDatagram datagram;
    datagram.payload = payload;
    datagram.remote = source;
    datagram.local = destination.ip;
    datagram.interface_index = 1;
    datagram.stamp = stamp();
    engine_->handle_datagram(handle, datagram, read_clocks());
    reschedule();
}

double SimNode::ntp_error_s() {
    clock_.advance_to(world_.now());
    // Split so that no double has to carry seconds since 1970.
    return (ntp_time() - UtcTime::from_ns(world_.now())).to_seconds();
}

double SimNode::ntp_rate_error() {
    clock_.advance_to(world_.now());
    return clock_.rate_error() + engine_->server_state().clock.rate;
}

UtcTime SimNode::ntp_time() {
    clock_.advance_to(world_.now());
    return engine_->server_state().clock.to_utc(clock_.now());
}

double SimNode::advertised_bound_s() {
    const ServerState& state = engine_->server_state();
    return state.root_delay_s / 2.0 + state.root_dispersion_at(ntp_time());
}

SysResult<SocketHandle> SimNode::open_client(const SocketAddress&) {
    const SocketHandle handle = next_handle_++;
    client_ports_[handle] = static_cast<std::uint16_t>(1024 + random_.below(60000));
    return handle;
}

void SimNode::close(SocketHandle handle) { client_ports_.erase(handle); }

bool SimNode::transmit(SocketHandle handle, std::uint16_t source_port, const TxDatagram& datagram) {
    ++packets_sent_;
    if (datagram.finisher != nullptr) datagram.finisher->finish(clock_.now(), 0);
    if (datagram.want_stamp) {
        const TxStampReport report{datagram.cookie, stamp(), {}, datagram.remote};
        world_.at(world_.now() + kStampReportDelay, [this, handle, report] {
            if (!is_up()) return;
            clock_.advance_to(world_.now());
            engine_->handle_transmit_stamp(handle, report, read_clocks());
            reschedule();
        });
    }
    world_.transmit(index_, {World::address_of(index_), source_port}, datagram.remote,
                    {datagram.payload.begin(), datagram.payload.end()});
    return true;
}

bool SimNode::send(SocketHandle handle, const TxDatagram& datagram) {
    const auto port = client_ports_.find(handle);
    return port != client_ports_.end() && transmit(handle, port->second, datagram);
}

bool SimNode::send_from_server(const TxDatagram& datagram) {
    return server_open_ && transmit(kServerSocket, kNtpPort, datagram);
}

SysResult<void> SimNode::open_server(IpAddress::Family family) {
    if (family == IpAddress::Family::V4) server_open_ = true;
    return {};
}

void SimNode::close_server(IpAddress::Family family) {
    if (family == IpAddress::Family::V4) server_open_ = false;
}

bool SimNode::is_connectable(const SocketAddress& remote) {
    return remote.ip.family() == IpAddress::Family::V4;
}

void SimNode::request(QueryId query, const std::string& name, IpAddress::Family) {
    world_.at(world_.now() + kResolveDelay, [this, query, name] {
        if (!engine_) return;
        clock_.advance_to(world_.now());
        ResolvedName answer;
        answer.addresses = world_.resolve(name);
        answer.status =
            answer.addresses.empty() ? ResolvedName::Status::TryAgain : ResolvedName::Status::Found;
        engine_->handle_resolved(query, answer, read_clocks());
        reschedule();
    });
}

SysResult<std::string> SimNode::read(const std::string& path) {
    const auto file = files_.find(path);
    if (file == files_.end()) return Unexpected(SysError{"open " + path, ENOENT});
    return file->second;
}

SysResult<void> SimNode::write(const std::string& path, std::string_view text, std::uint32_t) {
    files_[path] = std::string(text);
    return {};
}

SysResult<void> SimNode::remove(const std::string& path) {
    files_.erase(path);
    return {};
}

}  // namespace gnomon::sim
