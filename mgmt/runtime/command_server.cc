#include "mgmt/runtime/command_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "mgmt/runtime/storage.h"

namespace gnomon {

namespace {

constexpr std::size_t kBatch = 4;
constexpr mode_t kDirectoryMode = 0770;
// One byte more than any request: longer ones are recognised as such.
constexpr std::size_t kReceiveSize = command::kMaxRequestSize + 1;

}  // namespace

CommandServer::CommandServer(EventLoop& loop, const CommandConfig& config, Handler handler)
    : loop_(loop), config_(config), handler_(std::move(handler)) {}

CommandServer::~CommandServer() {
    for (const auto& port : udp_) {
        if (port) loop_.unwatch(port->fd());
    }
    if (unix_fd_ < 0) return;
    loop_.unwatch(unix_fd_);
    close(unix_fd_);
    unlink(config_.socket_path.c_str());
}

SysResult<void> CommandServer::open_udp(IpAddress::Family family) {
    if (config_.port == 0) return {};
    const bool v6 = family == IpAddress::Family::V6;
    SocketOptions options;
    options.local.ip = v6 ? config_.bind_address_v6 : config_.bind_address_v4;
    if (!options.local.ip.is_ip()) options.local.ip = IpAddress::any(family);
    options.local.port = config_.port;
    options.device = config_.bind_device;
    options.receive_stamps = false;
    SocketPort::Options port_options;
    port_options.batch = kBatch;
    auto port = SocketPort::open(options, port_options);
    if (!port) return Unexpected(port.error());

    std::unique_ptr<SocketPort>& udp = udp_[v6 ? 1 : 0];
    udp = std::move(*port);
    loop_.watch(udp->fd(), EventLoop::kReadable, [this, &udp](EventLoop::Events) { on_udp(*udp); });
    return {};
}

SysResult<void> CommandServer::open_unix() {
    const std::string& path = config_.socket_path;
    if (path.empty()) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Unexpected(SysError{"bind " + path, ENAMETOOLONG});
    }
    memcpy(address.sun_path, path.c_str(), path.size() + 1);

    // Flags in the type are not known everywhere this runs.
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) return Unexpected(SysError::last("socket for " + path));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    unlink(path.c_str());
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(path.c_str(), 0666) != 0) {
        const SysError error = SysError::last("bind " + path);
        close(fd);
        return Unexpected(error);
    }
    unix_fd_ = fd;
    loop_.watch(fd, EventLoop::kReadable, [this](EventLoop::Events) { on_unix(); });
    return {};
}

void CommandServer::on_udp(SocketPort& port) {
    std::array<RxDatagram, kBatch> requests;
    const std::size_t count = port.receive(requests);
    for (std::size_t i = 0; i < count; ++i) {
        const RxDatagram& request = requests[i];
        CommandClient client;
        client.address = request.remote.ip;
        const std::size_t length = handler_(request.payload, client, reply_);
        if (length == 0) continue;
        TxDatagram answer;
        answer.payload = std::span(reply_.data(), length);
        answer.remote = request.remote;
        answer.local = request.local;
        answer.interface_index = request.interface_index;
        port.send({&answer, 1});
    }
}

void CommandServer::on_unix() {
    std::array<std::uint8_t, kReceiveSize> request;
    sockaddr_un remote{};
    iovec buffer{request.data(), request.size()};
    msghdr message{};
    message.msg_name = &remote;
    message.msg_namelen = sizeof remote;
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    const ssize_t received = recvmsg(unix_fd_, &message, 0);
    // A client without an address of its own cannot be answered.
    if (received <= 0 || message.msg_namelen <= offsetof(sockaddr_un, sun_path)) return;

    const std::size_t length = handler_(
        std::span(request.data(), static_cast<std::size_t>(received)), CommandClient{}, reply_);
    if (length == 0) return;
    buffer = iovec{reply_.data(), length};
    sendmsg(unix_fd_, &message, 0);
}

SysResult<void> prepare_socket_directory(const std::string& socket_path, uid_t owner, gid_t group) {
    const std::string directory = parent_directory(socket_path);
    if (auto made = create_directories(directory, kDirectoryMode, owner, group); !made) return made;
    if (!directory_is_private(directory, kDirectoryMode, owner, group)) {
        return Unexpected(SysError{
            directory + " must belong to the daemon's user and be closed to others (chmod 0770)",
            EPERM});
    }
    return {};
}

}  // namespace gnomon
