#pragma once

/// `PolledNetwork`: the engine's `Network` when there are polled ports beside the kernel's sockets. What
/// goes to a host that a port reaches leaves through it, so that our own measurements get the same
/// stamps as those of our clients; everything else, and everything while no port works, goes through
/// sockets.
///
/// A request through a port has a port number that the kernel chose and that a socket holds, deaf, as
/// long as the request is under way: nobody else on this host gets the number, and the kernel does not
/// tell the server that nobody is there when it sees the reply, too. A request that the port does not
/// take (the next hop is not known yet) leaves through a socket after all, under the same handle.

#include <memory>
#include <unordered_map>

#include "dataplane/socket/udp_socket.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "mgmt/runtime/datagram_sink.h"
#include "mgmt/runtime/polled_ports.h"

namespace gnomon {

class PolledNetwork final : public Network, public DatagramSink, public PolledPortSink {
public:
    /// All outlive the network. `sink` gets everything, from ports and sockets.
    PolledNetwork(const Config& config, PolledPorts& ports, DatagramSink& sink,
                  RandomSource& random);
    ~PolledNetwork() override;
    /// Once, before anything else: the way through sockets, whose sink is this.
    void set_sockets(Network& sockets) { sockets_ = &sockets; }

    // Network
    SysResult<SocketHandle> open_client(const SocketAddress& remote) override;
    void close(SocketHandle handle) override;
    bool send(SocketHandle handle, const TxDatagram& datagram) override;
    bool send_from_server(const TxDatagram& datagram) override;
    SysResult<void> open_server(IpAddress::Family family) override;
    void close_server(IpAddress::Family family) override;
    bool is_connectable(const SocketAddress& remote) override;

    // DatagramSink: from sockets
    void on_datagram(SocketHandle socket, const RxDatagram& datagram) override;
    void on_transmit_stamp(SocketHandle socket, const TxStampReport& report) override;
    void on_socket_error(SocketHandle socket) override;
    // PolledPortSink
    void on_polled_datagram(std::uint16_t local_port, const RxDatagram& datagram) override;
    void on_polled_stamp(std::uint16_t local_port, const TxStampReport& report) override;

private:
    struct Client {
        SocketAddress remote;
        std::uint16_t local_port = 0;
        FileDescriptor holder;
        /// The socket that was used in the end.
        SocketHandle socket = kNoSocket;
    };

    bool may_use_ports(const SocketAddress& remote) const;
    SysResult<std::uint16_t> hold_port(IpAddress::Family family, FileDescriptor& holder);
    SocketHandle engine_handle(SocketHandle socket) const;
    SocketHandle handle_of(std::uint16_t local_port) const;

    const Config& config_;
    PolledPorts& ports_;
    DatagramSink& sink_;
    RandomSource& random_;
    Network* sockets_ = nullptr;
    std::unordered_map<SocketHandle, Client> clients_;
    std::unordered_map<std::uint16_t, SocketHandle> by_port_;
    /// Sockets that stand in for a client of ours.
    std::unordered_map<SocketHandle, SocketHandle> by_socket_;
    SocketHandle next_handle_;
};

}  // namespace gnomon
