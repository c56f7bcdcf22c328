#pragma once

/// `SocketNetwork`: the engine's `Network` over kernel sockets, watched by the event loop.
///
/// Client sockets are fresh ones, connected to their server, with a random port; with
/// `acquisitionport` one per address family, shared and not connected; with the server's own port the
/// server's socket. A socket that the engine closes while its datagram is being handled stays in memory
/// until `release_closed`, because the datagram lies in its buffers.

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dataplane/socket/socket_port.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "mgmt/runtime/datagram_sink.h"
#include "mgmt/runtime/event_loop.h"

namespace gnomon {

class ServerThreads;

/// Handles from here on are not of sockets: polled_network.h gives them out.
inline constexpr SocketHandle kFirstPolledHandle = 0x8000'0000;

class SocketNetwork final : public Network {
public:
    struct Options {
        /// -4 or -6; Unspecified: both.
        IpAddress::Family family = IpAddress::Family::Unspecified;
        HardwareStampConverter* converter = nullptr;
        bool hardware_stamps = false;
        /// Owns the server's sockets when it is given; else they are served by the event loop.
        ServerThreads* server_threads = nullptr;
        /// The sockets' packets are shown to the taps "server/0" and "client"; null: to nobody.
        CaptureTaps* taps = nullptr;
    };

    /// All outlive the network.
    SocketNetwork(EventLoop& loop, const Config& config, DatagramSink& sink,
                  const Options& options);
    ~SocketNetwork() override;

    SysResult<SocketHandle> open_client(const SocketAddress& remote) override;
    void close(SocketHandle handle) override;
    bool send(SocketHandle handle, const TxDatagram& datagram) override;
    bool send_from_server(const TxDatagram& datagram) override;
    SysResult<void> open_server(IpAddress::Family family) override;
    void close_server(IpAddress::Family family) override;
    bool is_connectable(const SocketAddress& remote) override;

    /// From now on the server's sockets hear nothing of what comes in on these interfaces (none:
    /// everything), those to come included. The first error, after all have been told.
    SysResult<void> ignore_interfaces(std::vector<int> interface_indices);

    /// Frees what has been closed. Call once per turn of the loop, after its handlers.
    void release_closed() { closed_.clear(); }

    /// Whether the system has the family at all and the command line permits it.
    bool family_enabled(IpAddress::Family family) const;

private:
    struct Client {
        std::unique_ptr<SocketPort> port;
        /// Users of a shared socket; 1 for others.
        int users = 0;
    };

    static std::size_t index_of(IpAddress::Family family) {
        return family == IpAddress::Family::V6 ? 1 : 0;
    }
    bool shares_server_socket() const;
    SocketOptions server_options(IpAddress::Family family) const;
    SocketOptions client_options(const SocketAddress& remote) const;
    SysResult<SocketHandle> open_shared(const SocketAddress& remote);
    SysResult<std::unique_ptr<SocketPort>> open_port(const SocketOptions& options,
                                                     std::size_t batch, CaptureTap* tap);
    SocketHandle add_client(std::unique_ptr<SocketPort> port);
    void retire(std::unique_ptr<SocketPort> port);
    void watch(SocketPort& port, SocketHandle handle);
    void on_ready(SocketPort& port, SocketHandle handle, EventLoop::Events events);
    bool is_open(const SocketPort& port, SocketHandle handle) const;

    EventLoop& loop_;
    const Config& config_;
    DatagramSink& sink_;
    Options options_;
    CaptureTap* server_tap_ = nullptr;
    CaptureTap* client_tap_ = nullptr;
    bool family_available_[2] = {false, false};

    std::unique_ptr<SocketPort> server_[2];
    /// Whether the engine asked for the server's socket; otherwise it is open for clients only.
    std::unordered_map<SocketHandle, Client> clients_;
    std::optional<SocketHandle> shared_[2];
    SocketHandle next_handle_ = 1;  ///< below kFirstPolledHandle
    std::vector<std::unique_ptr<SocketPort>> closed_;
    std::vector<int> ignored_interfaces_;
};

/// Whether a UDP socket of the family can be made here.
bool udp_available(IpAddress::Family family);

}  // namespace gnomon
