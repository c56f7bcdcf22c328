#include "mgmt/mgmtd/telemetry_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mgmt/mgmtd/log.h"

namespace gnomon::mgmtd {

TelemetryClient::TelemetryClient(std::string path, OnMessage on_message, OnDisconnect on_disconnect)
    : path_(std::move(path)),
      on_message_(std::move(on_message)),
      on_disconnect_(std::move(on_disconnect)),
      reader_(std::make_unique<telemetry::FrameReader>()),
      buffer_(telemetry::kMaxFrameSize + 1) {}

TelemetryClient::~TelemetryClient() {
    if (fd_ >= 0) close(fd_);
}

void TelemetryClient::handle_timeout(MonoClock::time_point now) {
    if (fd_ >= 0 || now < next_try_) return;
    next_try_ = now + kRetry;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) return;
    memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        close(fd);
        // The same reason is told once.
        if (error != last_error_) {
            log_line("Waiting for gnomond at {} : {} (directive telemetry of gnomon.conf)", path_,
                     strerror(error));
        }
        last_error_ = error;
        return;
    }
    fd_ = fd;
    last_error_ = 0;
    next_try_ = MonoClock::time_point::max();
    log_line("Connected to gnomond at {}", path_);
}

void TelemetryClient::disconnect(MonoClock::time_point now) {
    close(fd_);
    fd_ = -1;
    bad_frames_ += reader_->bad_frames();
    reader_ = std::make_unique<telemetry::FrameReader>();
    next_try_ = now;
    log_line("Lost gnomond at {}", path_);
    on_disconnect_();
}

void TelemetryClient::receive(MonoClock::time_point now) {
    for (int i = 0; i < kFramesPerTurn; ++i) {
        const ssize_t size = recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return disconnect(now);
        auto message = reader_->read(std::span(buffer_.data(), static_cast<std::size_t>(size)));
        if (message) on_message_(std::move(*message));
    }
}

}  // namespace gnomon::mgmtd
