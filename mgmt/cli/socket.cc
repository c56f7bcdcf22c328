#include "mgmt/cli/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "mgmt/cli/sockaddr.h"

namespace gnomon::cli {

namespace {

constexpr mode_t kDirectoryMode = 0711;

void complain(const std::string& message) { fmt::print(stderr, "{}\n", message); }

/// Plain type and fcntl: simulators know no flags in the type.
int open_socket(int family) {
    const int fd = socket(family, SOCK_DGRAM, 0);
    if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

bool to_system(const std::string& path, sockaddr_un& address) {
    address = sockaddr_un{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return true;
}

bool connect_unix(int fd, const std::string& path) {
    sockaddr_un address{};
    return to_system(path, address) &&
           connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string random_name() {
    static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567";
    std::string name;
    while (name.size() < 16) {
        std::uint8_t byte = 0;
        if (getrandom(&byte, 1, 0) != 1) return {};
        if (byte < 4 * (sizeof kLetters - 1)) name += kLetters[byte % (sizeof kLetters - 1)];
    }
    return name;
}

}  // namespace

std::optional<ClientSocket> ClientSocket::open(const ServerAddress& address) {
    if (const auto* path = std::get_if<UnixPath>(&address)) return open_unix(path->path);
    return open_udp(std::get<SocketAddress>(address));
}

std::optional<ClientSocket> ClientSocket::open_udp(const SocketAddress& address) {
    const SystemAddress system(address.ip, address.port);
    if (system.length == 0) return std::nullopt;
    ClientSocket client;
    client.fd_ = open_socket(system.storage.ss_family);
    if (client.fd_ < 0 || connect(client.fd_, system.get(), system.length) != 0)
        return std::nullopt;
    return client;
}

std::optional<ClientSocket> ClientSocket::open_unix(const std::string& server) {
    {
        // Nothing is created on disk for a daemon that is not there or not ours to talk to.
        ClientSocket probe;
        probe.fd_ = open_socket(AF_UNIX);
        if (probe.fd_ < 0 || !connect_unix(probe.fd_, server)) return std::nullopt;
    }
    ClientSocket client;
    client.fd_ = open_socket(AF_UNIX);
    if (client.fd_ < 0 || !client.bind_beside(server)) return std::nullopt;
    return client;
}

bool ClientSocket::make_directories(const std::string& parent) {
    const std::string random = random_name();
    const std::string outer = fmt::format("{}/chronyc.{}", parent, getpid());
    const std::string inner = outer + "/" + random;
    if (mkdir(outer.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
        complain(fmt::format("Could not create {} : {}", outer, std::strerror(errno)));
        return false;
    }
    outer_directory_ = outer;
    // The handle pins the directory: were it replaced, what follows would fail, not be fooled.
    const int handle = ::open(outer.c_str(), O_RDONLY | O_NOFOLLOW);
    struct stat status {};
    bool made = false;
    if (handle < 0 || fstat(handle, &status) != 0) {
        complain(fmt::format("Could not open/stat {} : {}", outer, std::strerror(errno)));
    } else if (!S_ISDIR(status.st_mode) || (status.st_mode & 0777 & ~kDirectoryMode) != 0 ||
               status.st_uid != geteuid()) {
        complain(fmt::format("Unexpected mode/owner of {}", outer));
    } else if (random.empty() || mkdirat(handle, random.c_str(), kDirectoryMode) != 0) {
        complain(fmt::format("Could not create {} : {}", inner, std::strerror(errno)));
    } else {
        inner_directory_ = inner;
        made = chmod(inner.c_str(), kDirectoryMode) == 0 && fchmod(handle, kDirectoryMode) == 0;
    }
    if (handle >= 0) ::close(handle);
    return made;
}

bool ClientSocket::bind_beside(const std::string& server) {
    const std::size_t slash = server.rfind('/');
    const std::string parent = slash == std::string::npos ? "."
                               : slash == 0               ? "/"
                                                          : server.substr(0, slash);
    if (!make_directories(parent)) return false;
    const std::string path = inner_directory_ + "/sock";
    sockaddr_un address{};
    if (!to_system(path, address)) {
        complain(fmt::format("Server socket path {} is too long", server));
        return false;
    }
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        complain("Could not bind/connect client Unix socket");
        return false;
    }
    socket_path_ = path;
    if (!connect_unix(fd_, server)) {
        complain("Could not bind/connect client Unix socket");
        return false;
    }
    if (chmod(path.c_str(), 0666) != 0) {
        complain(fmt::format("Could not change socket or directory permissions : {}",
                             std::strerror(errno)));
        return false;
    }
    return true;
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      socket_path_(std::exchange(other.socket_path_, {})),
      outer_directory_(std::exchange(other.outer_directory_, {})),
      inner_directory_(std::exchange(other.inner_directory_, {})) {}

ClientSocket& ClientSocket::operator=(ClientSocket&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
        socket_path_ = std::exchange(other.socket_path_, {});
        outer_directory_ = std::exchange(other.outer_directory_, {});
        inner_directory_ = std::exchange(other.inner_directory_, {});
    }
    return *this;
}

ClientSocket::~ClientSocket() { close(); }

void ClientSocket::close() noexcept {
    if (!socket_path_.empty()) unlink(socket_path_.c_str());
    if (fd_ >= 0) ::close(fd_);
    if (!inner_directory_.empty()) rmdir(inner_directory_.c_str());
    if (!outer_directory_.empty()) rmdir(outer_directory_.c_str());
    fd_ = -1;
}

bool ClientSocket::send(std::span<const std::uint8_t> packet) const noexcept {
    return ::send(fd_, packet.data(), packet.size(), 0) >= 0;
}

ClientSocket::Ready ClientSocket::wait(std::chrono::milliseconds timeout) const noexcept {
    pollfd poll_fd{fd_, POLLIN, 0};
    const auto longest = std::chrono::milliseconds(std::numeric_limits<int>::max());
    const int count = poll(&poll_fd, 1, static_cast<int>(std::min(timeout, longest).count()));
    return count < 0 ? Ready::Failed : count == 0 ? Ready::No : Ready::Yes;
}

std::optional<std::size_t> ClientSocket::receive(std::span<std::uint8_t> out) const noexcept {
    const ssize_t size = recv(fd_, out.data(), out.size(), 0);
    if (size < 0) return std::nullopt;
    return static_cast<std::size_t>(size);
}

}  // namespace gnomon::cli
