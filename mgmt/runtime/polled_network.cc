#include "mgmt/runtime/polled_network.h"

#include <cerrno>
#include <utility>

#include "dataplane/socket/interface_filter.h"
#include "mgmt/runtime/socket_network.h"

namespace gnomon {

namespace {

using Family = IpAddress::Family;

// The ephemeral ports of RFC 6335, for hosts whose kernel does not know the family.
constexpr std::uint16_t kFirstPort = 49152;
constexpr std::uint16_t kPorts = 16384;
constexpr int kTries = 16;

}  // namespace

PolledNetwork::PolledNetwork(const Config& config, PolledPorts& ports, DatagramSink& sink,
                             RandomSource& random)
    : config_(config),
      ports_(ports),
      sink_(sink),
      random_(random),
      next_handle_(kFirstPolledHandle) {}

PolledNetwork::~PolledNetwork() {
    for (const auto& [port, handle] : by_port_) ports_.unlisten(port);
}

bool PolledNetwork::may_use_ports(const SocketAddress& remote) const {
    const ClientConfig& client = config_.client;
    const IpAddress& bound =
        remote.ip.family() == Family::V6 ? client.bind_address_v6 : client.bind_address_v4;
    // Whoever says where requests are to come from means the kernel's addresses and interfaces.
    if (client.acquisition_port || !client.bind_device.empty() || bound.is_ip()) return false;
    return ports_.reaches(remote.ip);
}

SysResult<std::uint16_t> PolledNetwork::hold_port(Family family, FileDescriptor& holder) {
    SocketOptions options;
    options.local.ip = IpAddress::any(family);
    options.receive_stamps = false;
    if (auto opened = open_udp_socket(options)) {
        if (auto deaf = ignore_everything(opened->fd.get()); !deaf) {
            return Unexpected(deaf.error());
        }
        const auto local = local_address(*opened);
        if (!local) return Unexpected(local.error());
        holder = std::move(opened->fd);
        return local->port;
    }
    for (int i = 0; i < kTries; ++i) {
        const auto port = static_cast<std::uint16_t>(kFirstPort + random_.next() % kPorts);
        if (by_port_.count(port) == 0) return port;
    }
    return Unexpected(SysError{"port for a request", EADDRINUSE});
}

SysResult<SocketHandle> PolledNetwork::open_client(const SocketAddress& remote) {
    if (!may_use_ports(remote)) return sockets_->open_client(remote);
    Client client;
    client.remote = remote;
    const auto port = hold_port(remote.ip.family(), client.holder);
    if (!port || by_port_.count(*port) != 0 || !ports_.listen(*port)) {
        return sockets_->open_client(remote);
    }
    client.local_port = *port;
    while (next_handle_ < kFirstPolledHandle || next_handle_ == kServerSocket ||
           clients_.count(next_handle_) != 0) {
        next_handle_ = next_handle_ < kFirstPolledHandle ? kFirstPolledHandle : next_handle_ + 1;
    }
    const SocketHandle handle = next_handle_++;
    by_port_.emplace(client.local_port, handle);
    clients_.emplace(handle, std::move(client));
    return handle;
}

void PolledNetwork::close(SocketHandle handle) {
    const auto found = clients_.find(handle);
    if (found == clients_.end()) {
        sockets_->close(handle);
        return;
    }
    Client& client = found->second;
    ports_.unlisten(client.local_port);
    by_port_.erase(client.local_port);
    if (client.socket != kNoSocket) {
        by_socket_.erase(client.socket);
        sockets_->close(client.socket);
    }
    clients_.erase(found);
}

bool PolledNetwork::send(SocketHandle handle, const TxDatagram& datagram) {
    if (handle == kServerSocket) return send_from_server(datagram);
    const auto found = clients_.find(handle);
    if (found == clients_.end()) return sockets_->send(handle, datagram);
    Client& client = found->second;
    if (client.socket == kNoSocket) {
        if (ports_.send(datagram, client.local_port)) return true;
        const auto opened = sockets_->open_client(client.remote);
        if (!opened) return false;
        client.socket = *opened;
        if (client.socket != kServerSocket) by_socket_.emplace(client.socket, handle);
    }
    return sockets_->send(client.socket, datagram);
}

bool PolledNetwork::send_from_server(const TxDatagram& datagram) {
    if (!datagram.remote.ip.is_ip()) return false;
    // Answers leave the way that the question came: what a port forwards is rarely a question.
    const bool is_answer = datagram.finisher != nullptr;
    const auto through_ports = [&] {
        return ports_.reaches(datagram.remote.ip) && ports_.send(datagram, ports_.server_port());
    };
    if (!is_answer && through_ports()) return true;
    return sockets_->send_from_server(datagram) || (is_answer && through_ports());
}

SysResult<void> PolledNetwork::open_server(Family family) { return sockets_->open_server(family); }

void PolledNetwork::close_server(Family family) { sockets_->close_server(family); }

bool PolledNetwork::is_connectable(const SocketAddress& remote) {
    return ports_.reaches(remote.ip) || sockets_->is_connectable(remote);
}

SocketHandle PolledNetwork::engine_handle(SocketHandle socket) const {
    const auto found = by_socket_.find(socket);
    return found != by_socket_.end() ? found->second : socket;
}

SocketHandle PolledNetwork::handle_of(std::uint16_t local_port) const {
    const auto found = by_port_.find(local_port);
    if (found != by_port_.end()) return found->second;
    return local_port == ports_.server_port() ? kServerSocket : kNoSocket;
}

void PolledNetwork::on_datagram(SocketHandle socket, const RxDatagram& datagram) {
    sink_.on_datagram(engine_handle(socket), datagram);
}

void PolledNetwork::on_transmit_stamp(SocketHandle socket, const TxStampReport& report) {
    sink_.on_transmit_stamp(engine_handle(socket), report);
}

void PolledNetwork::on_socket_error(SocketHandle socket) {
    sink_.on_socket_error(engine_handle(socket));
}

void PolledNetwork::on_polled_datagram(std::uint16_t local_port, const RxDatagram& datagram) {
    const SocketHandle handle = handle_of(local_port);
    if (handle == kNoSocket) return;
    // A connected socket would not have heard it.
    if (handle != kServerSocket && clients_.at(handle).remote != datagram.remote) return;
    sink_.on_datagram(handle, datagram);
}

void PolledNetwork::on_polled_stamp(std::uint16_t local_port, const TxStampReport& report) {
    if (const SocketHandle handle = handle_of(local_port); handle != kNoSocket) {
        sink_.on_transmit_stamp(handle, report);
    }
}

}  // namespace gnomon
