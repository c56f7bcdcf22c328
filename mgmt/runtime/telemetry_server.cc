#include "mgmt/runtime/telemetry_server.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mgmt/runtime/storage.h"

namespace gnomon {

namespace {

constexpr mode_t kDirectoryMode = 02750;
constexpr mode_t kSocketMode = 0660;
constexpr const char* kReadersGroup = "gnomon-mgmtd";

}  // namespace

TelemetryServer::TelemetryServer(EventLoop& loop, std::string path)
    : loop_(loop), path_(std::move(path)) {}

TelemetryServer::~TelemetryServer() {
    for (const Reader& reader : readers_) {
        loop_.unwatch(reader.fd);
        close(reader.fd);
    }
    if (listener_ < 0) return;
    loop_.unwatch(listener_);
    close(listener_);
    unlink(path_.c_str());
}

SysResult<void> TelemetryServer::open() {
    if (path_.empty()) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
        return Unexpected(SysError{"bind " + path_, ENAMETOOLONG});
    }
    memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (fd < 0) return Unexpected(SysError::last("socket for " + path_));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    unlink(path_.c_str());
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(path_.c_str(), kSocketMode) != 0 || listen(fd, kMaxReaders) != 0) {
        const SysError error = SysError::last("bind " + path_);
        close(fd);
        return Unexpected(error);
    }
    listener_ = fd;
    loop_.watch(fd, EventLoop::kReadable, [this](EventLoop::Events) { accept_reader(); });
    return {};
}

void TelemetryServer::accept_reader() {
    const int fd = accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    if (readers_.size() >= kMaxReaders) {
        ++report_.readers_refused;
        close(fd);
        return;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    const int size = kBufferSize;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    readers_.push_back(Reader{fd});
    loop_.watch(fd, EventLoop::kReadable, [this, fd](EventLoop::Events) { on_reader(fd); });

    // A new connection has room, so the time since when it has none cannot matter.
    const MonoTime never;
    Reader& reader = readers_.back();
    send(reader, writer_.hello(hello_), never);
    const std::vector<telemetry::Event> kept(events_.begin(), events_.end());
    if (!kept.empty()) {
        for (const telemetry::Frame& frame : writer_.events(kept)) send(reader, frame, never);
    }
    reader.stuck_since.reset();
    sweep();
}

void TelemetryServer::on_reader(int fd) {
    // Readers have nothing to say: whatever comes ends the connection, the end of it above all.
    close_reader(fd);
}

void TelemetryServer::close_reader(int fd) {
    loop_.unwatch(fd);
    close(fd);
    readers_.erase(std::remove_if(readers_.begin(), readers_.end(),
                                  [fd](const Reader& reader) { return reader.fd == fd; }),
                   readers_.end());
}

void TelemetryServer::send(Reader& reader, const telemetry::Frame& frame, MonoTime now) {
    if (reader.gone) return;
    if (::send(reader.fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        reader.stuck_since.reset();
        ++report_.frames_sent;
        return;
    }
    ++report_.frames_dropped;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
        reader.gone = true;
        return;
    }
    if (!reader.stuck_since) reader.stuck_since = now;
    if (now - *reader.stuck_since >= kPatience) {
        reader.gone = true;
        ++report_.readers_dropped;
    }
}

void TelemetryServer::sweep() {
    for (std::size_t i = readers_.size(); i-- > 0;) {
        if (readers_[i].gone) close_reader(readers_[i].fd);
    }
}

void TelemetryServer::send_all(const telemetry::Frame& frame, MonoTime now) {
    for (Reader& reader : readers_) send(reader, frame, now);
}

void TelemetryServer::add_event(telemetry::Event event, MonoTime now) {
    if (!is_open()) return;
    event.number = next_event_++;
    events_.push_back(std::move(event));
    if (events_.size() > kKeptEvents) events_.pop_front();
    if (!has_readers()) return;
    for (const telemetry::Frame& frame : writer_.events({&events_.back(), 1})) {
        send_all(frame, now);
    }
    sweep();
}

void TelemetryServer::add_measurement(const telemetry::Measurement& measurement, MonoTime now) {
    if (!has_readers()) return;
    send_all(writer_.measurement(measurement), now);
    sweep();
}

void TelemetryServer::publish(telemetry::Snapshot& snapshot, MonoTime now) {
    if (!has_readers()) return;
    report_.readers = static_cast<std::uint32_t>(readers_.size());
    snapshot.number = next_snapshot_++;
    snapshot.stream = report_;
    for (const telemetry::Frame& frame : writer_.snapshot(snapshot)) send_all(frame, now);
    sweep();
}

SysResult<void> prepare_telemetry_directory(const std::string& socket_path, uid_t owner,
                                            gid_t daemon_group) {
    // A group of its own: whoever is in the daemon's group can reach its command socket too.
    const group* readers = getgrnam(kReadersGroup);
    const gid_t gid = readers != nullptr ? readers->gr_gid : daemon_group;
    const std::string directory = parent_directory(socket_path);
    struct stat existing {};
    if (stat(directory.c_str(), &existing) == 0) return {};
    if (auto made = create_directories(directory, kDirectoryMode & 0777, owner, gid); !made) {
        return made;
    }
    // After the owner, which clears the bit that hands the group on to the socket.
    if (chmod(directory.c_str(), kDirectoryMode) != 0) {
        return Unexpected(SysError::last("chmod " + directory));
    }
    return {};
}

}  // namespace gnomon
