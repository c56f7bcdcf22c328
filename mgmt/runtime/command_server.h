#pragma once

/// `CommandServer`: the sockets of the command protocol. Datagrams in, datagrams out; who may ask what
/// is decided by the handler.

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "dataplane/socket/socket_port.h"
#include "mgmt/command/protocol.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/engine.h"
#include "mgmt/runtime/event_loop.h"

namespace gnomon {

class CommandServer {
public:
    /// Writes the answer into `reply`, returns its length; 0: none.
    using Handler =
        std::function<std::size_t(std::span<const std::uint8_t> request,
                                  const CommandClient& client, std::span<std::uint8_t> reply)>;

    CommandServer(EventLoop& loop, const CommandConfig& config, Handler handler);
    ~CommandServer();
    CommandServer(const CommandServer&) = delete;
    CommandServer& operator=(const CommandServer&) = delete;

    /// The UDP socket of one family. Port 0 in the configuration: nothing to do.
    SysResult<void> open_udp(IpAddress::Family family);

    /// The Unix socket. Everybody may write to it: who may reach it is up to its directory, see
    /// `prepare_socket_directory`. An empty path: nothing to do. Removed again by the destructor.
    SysResult<void> open_unix();

private:
    void on_udp(SocketPort& port);
    void on_unix();

    EventLoop& loop_;
    const CommandConfig& config_;
    Handler handler_;
    std::unique_ptr<SocketPort> udp_[2];
    int unix_fd_ = -1;
    std::array<std::uint8_t, command::kMaxReplySize> reply_{};
};

/// Makes the directory of the Unix socket, mode 0770. False when it exists and somebody else could get
/// into it: whoever reaches the socket controls the clock.
SysResult<void> prepare_socket_directory(const std::string& socket_path, uid_t owner, gid_t group);

}  // namespace gnomon
