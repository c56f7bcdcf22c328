#include "mgmt/runtime/socket_network.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "dataplane/socket/interface_filter.h"
#include "mgmt/runtime/server_threads.h"
#include "servo/units/assert.h"

namespace gnomon {

namespace {

using Family = IpAddress::Family;

constexpr std::size_t kServerBatch = 16;
// Duplicates of one reply at most: every request has a socket of its own.
constexpr std::size_t kClientBatch = 4;

EventLoop::Events events_of(const SocketPort& port) {
    EventLoop::Events events = EventLoop::kReadable;
    if (port.poll_events() & POLLPRI) events |= EventLoop::kExceptional;
    return events;
}

bool is_network_error(int code) {
    return code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH ||
           code == ENETDOWN || code == EHOSTDOWN;
}

}  // namespace

bool udp_available(Family family) {
    const int fd = socket(family == Family::V6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return false;
    ::close(fd);
    return true;
}

SocketNetwork::SocketNetwork(EventLoop& loop, const Config& config, DatagramSink& sink,
                             const Options& options)
    : loop_(loop), config_(config), sink_(sink), options_(options) {
    for (const Family family : {Family::V4, Family::V6}) {
        family_available_[index_of(family)] = udp_available(family);
    }
    if (options_.taps == nullptr) return;
    client_tap_ = &options_.taps->tap("client", "sockets of the sources", CaptureLink::Ip);
    // With threads the taps of that name are theirs.
    if (options_.server_threads == nullptr) {
        server_tap_ = &options_.taps->tap("server/0", "sockets of the server", CaptureLink::Ip);
    }
}

SocketNetwork::~SocketNetwork() {
    for (const auto& [handle, client] : clients_) loop_.unwatch(client.port->fd());
    for (const auto& port : server_) {
        if (port) loop_.unwatch(port->fd());
    }
}

bool SocketNetwork::family_enabled(Family family) const {
    if (options_.family != Family::Unspecified && options_.family != family) return false;
    return (family == Family::V4 || family == Family::V6) && family_available_[index_of(family)];
}

bool SocketNetwork::shares_server_socket() const {
    return config_.client.acquisition_port && *config_.client.acquisition_port != 0 &&
           *config_.client.acquisition_port == config_.server.port;
}

SysResult<std::unique_ptr<SocketPort>> SocketNetwork::open_port(const SocketOptions& options,
                                                                std::size_t batch,
                                                                CaptureTap* tap) {
    SocketPort::Options port_options;
    port_options.batch = batch;
    port_options.tap = tap;
    port_options.converter = options_.converter;
    port_options.transmit_buffers = static_cast<std::size_t>(config_.timestamping.max_tx_buffers);
    return SocketPort::open(options, port_options);
}

SocketOptions SocketNetwork::client_options(const SocketAddress& remote) const {
    SocketOptions options;
    const IpAddress& bound = remote.ip.family() == Family::V6 ? config_.client.bind_address_v6
                                                              : config_.client.bind_address_v4;
    options.local.ip = bound.is_ip() ? bound : IpAddress::any(remote.ip.family());
    options.local.port = config_.client.acquisition_port.value_or(0);
    options.device = config_.client.bind_device;
    options.dscp = config_.client.dscp;
    options.hardware_stamps = options_.hardware_stamps;
    options.transmit_ids = config_.timestamping.max_tx_buffers > 0;
    return options;
}

SocketHandle SocketNetwork::add_client(std::unique_ptr<SocketPort> port) {
    while (next_handle_ == kNoSocket || next_handle_ >= kFirstPolledHandle ||
           clients_.count(next_handle_) != 0) {
        next_handle_ = (next_handle_ + 1) % kFirstPolledHandle;
    }
    const SocketHandle handle = next_handle_++;
    watch(*port, handle);
    clients_.emplace(handle, Client{std::move(port), 1});
    return handle;
}

SysResult<SocketHandle> SocketNetwork::open_shared(const SocketAddress& remote) {
    const std::size_t index = index_of(remote.ip.family());
    if (shares_server_socket()) {
        if (auto opened = open_server(remote.ip.family()); !opened) {
            return Unexpected(opened.error());
        }
        return kServerSocket;
    }
    if (shared_[index]) {
        ++clients_.at(*shared_[index]).users;
        return *shared_[index];
    }
    auto port = open_port(client_options(remote), kServerBatch, client_tap_);
    if (!port) return Unexpected(port.error());
    const SocketHandle handle = add_client(std::move(*port));
    // The first user, and one for the family: a permanent socket keeps its port.
    clients_.at(handle).users = 2;
    shared_[index] = handle;
    return handle;
}

SysResult<SocketHandle> SocketNetwork::open_client(const SocketAddress& remote) {
    if (!family_enabled(remote.ip.family())) {
        return Unexpected(SysError{"socket for " + remote.to_string(), EAFNOSUPPORT});
    }
    if (config_.client.acquisition_port) return open_shared(remote);

    SocketOptions options = client_options(remote);
    options.remote = remote;
    auto port = open_port(options, kClientBatch, client_tap_);
    if (!port) return Unexpected(port.error());
    return add_client(std::move(*port));
}

void SocketNetwork::retire(std::unique_ptr<SocketPort> port) {
    loop_.unwatch(port->fd());
    closed_.push_back(std::move(port));
}

void SocketNetwork::close(SocketHandle handle) {
    const auto found = clients_.find(handle);
    if (found == clients_.end() || --found->second.users > 0) return;
    retire(std::move(found->second.port));
    clients_.erase(found);
}

bool SocketNetwork::send(SocketHandle handle, const TxDatagram& datagram) {
    if (handle == kServerSocket) return send_from_server(datagram);
    const auto found = clients_.find(handle);
    return found != clients_.end() && found->second.port->send({&datagram, 1}) == 1;
}

bool SocketNetwork::send_from_server(const TxDatagram& datagram) {
    if (!datagram.remote.ip.is_ip()) return false;
    if (options_.server_threads != nullptr) return options_.server_threads->send(datagram);
    const auto& port = server_[index_of(datagram.remote.ip.family())];
    return port && port->send({&datagram, 1}) == 1;
}

SocketOptions SocketNetwork::server_options(Family family) const {
    SocketOptions options;
    const IpAddress& bound =
        family == Family::V6 ? config_.server.bind_address_v6 : config_.server.bind_address_v4;
    options.local.ip = bound.is_ip() ? bound : IpAddress::any(family);
    options.local.port = config_.server.port;
    options.device = config_.server.bind_device;
    options.dscp = config_.client.dscp;
    options.broadcast = true;
    options.hardware_stamps = options_.hardware_stamps;
    options.transmit_ids = config_.timestamping.max_tx_buffers > 0;
    options.ignored_interfaces = ignored_interfaces_;
    return options;
}

SysResult<void> SocketNetwork::ignore_interfaces(std::vector<int> interface_indices) {
    ignored_interfaces_ = std::move(interface_indices);
    SysResult<void> result;
    if (options_.server_threads != nullptr) {
        result = options_.server_threads->ignore_interfaces(ignored_interfaces_);
    }
    for (const auto& port : server_) {
        if (!port) continue;
        auto told = gnomon::ignore_interfaces(port->fd(), ignored_interfaces_);
        if (!told && result) result = std::move(told);
    }
    return result;
}

SysResult<void> SocketNetwork::open_server(Family family) {
    // A family that the host does not have is not an error: the other one serves.
    if (!family_enabled(family) || config_.server.port == 0) return {};
    if (options_.server_threads != nullptr) {
        // Workers have no converter: the clocks belong to the control loop.
        SocketOptions socket = server_options(family);
        socket.hardware_stamps = false;
        return options_.server_threads->open(socket);
    }
    std::unique_ptr<SocketPort>& server = server_[index_of(family)];
    if (server) return {};
    auto port = open_port(server_options(family), kServerBatch, server_tap_);
    if (!port) return Unexpected(port.error());
    server = std::move(*port);
    watch(*server, kServerSocket);
    return {};
}

void SocketNetwork::close_server(Family family) {
    std::unique_ptr<SocketPort>& server = server_[index_of(family)];
    // Clients that share it would fall silent.
    if (shares_server_socket()) return;
    if (options_.server_threads != nullptr) options_.server_threads->close(family);
    if (!server) return;
    retire(std::move(server));
}

bool SocketNetwork::is_connectable(const SocketAddress& remote) {
    if (!remote.ip.is_ip() || !family_enabled(remote.ip.family())) return false;
    SocketOptions options = client_options(remote);
    options.local.port = 0;
    options.remote = remote;
    options.receive_stamps = false;
    return open_udp_socket(options).has_value();
}

void SocketNetwork::watch(SocketPort& port, SocketHandle handle) {
    loop_.watch(port.fd(), events_of(port), [this, &port, handle](EventLoop::Events events) {
        on_ready(port, handle, events);
    });
}

bool SocketNetwork::is_open(const SocketPort& port, SocketHandle handle) const {
    if (handle == kServerSocket) {
        return server_[0].get() == &port || server_[1].get() == &port;
    }
    const auto found = clients_.find(handle);
    return found != clients_.end() && found->second.port.get() == &port;
}

void SocketNetwork::on_ready(SocketPort& port, SocketHandle handle, EventLoop::Events events) {
    // A socket with something in its error queue is reported readable as well: one call now, and the
    // datagrams, if there are any, in the next turn.
    if (events & EventLoop::kExceptional) {
        std::array<TxStampReport, kServerBatch> reports;
        errno = 0;
        const std::size_t count = port.transmit_stamps(reports);
        for (std::size_t i = 0; i < count && is_open(port, handle); ++i) {
            sink_.on_transmit_stamp(handle, reports[i]);
        }
        if (count == 0 && is_network_error(errno) && handle != kServerSocket) {
            sink_.on_socket_error(handle);
        }
        return;
    }
    std::array<RxDatagram, kServerBatch> datagrams;
    errno = 0;
    const std::size_t count = port.receive(datagrams);
    // The kernel hands a pending ICMP error to whichever call comes first.
    if (count == 0 && is_network_error(errno) && handle != kServerSocket) {
        sink_.on_socket_error(handle);
        return;
    }
    for (std::size_t i = 0; i < count && is_open(port, handle); ++i) {
        sink_.on_datagram(handle, datagrams[i]);
    }
}

}  // namespace gnomon
