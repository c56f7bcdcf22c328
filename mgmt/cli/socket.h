#pragma once

/// A connected datagram socket to the daemon.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "dataplane/wire/address.h"

namespace gnomon::cli {

struct UnixPath {
    std::string path;
};

using ServerAddress = std::variant<UnixPath, SocketAddress>;

/// Owns the descriptor and, for Unix sockets, the path it is bound to. Movable.
///
/// The daemon answers to the path of the client's socket, so the client binds one beside the daemon's,
/// in a directory of its own: DIR/chronyc.PID/RANDOM/sock. The daemon may run as another user, so the
/// socket is writable by all; the unguessable, unreadable directory keeps others from replacing it.
class ClientSocket {
public:
    enum class Ready { Yes, No, Failed };

    /// Nothing when it cannot be opened. What is worth telling the user goes to standard error.
    static std::optional<ClientSocket> open(const ServerAddress& address);

    ClientSocket(ClientSocket&& other) noexcept;
    ClientSocket& operator=(ClientSocket&& other) noexcept;
    ~ClientSocket();

    bool send(std::span<const std::uint8_t> packet) const noexcept;
    Ready wait(std::chrono::milliseconds timeout) const noexcept;
    std::optional<std::size_t> receive(std::span<std::uint8_t> out) const noexcept;

private:
    ClientSocket() = default;
    static std::optional<ClientSocket> open_udp(const SocketAddress& address);
    static std::optional<ClientSocket> open_unix(const std::string& server);
    bool bind_beside(const std::string& server);
    bool make_directories(const std::string& parent);
    void close() noexcept;

    int fd_ = -1;
    std::string socket_path_;
    std::string outer_directory_;
    std::string inner_directory_;
};

}  // namespace gnomon::cli
