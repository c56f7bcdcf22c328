#include "mgmt/runtime/daemonize.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "mgmt/runtime/log.h"

namespace gnomon {

namespace {

constexpr int kFirstHandedOver = 3;
constexpr int kHighestInherited = 1024;

// Runs in the foreground process: an empty message means ready, anything else is why not.
[[noreturn]] void wait_for_daemon(pid_t child, int fd) {
    waitpid(child, nullptr, 0);
    char message[1024];
    const ssize_t count = read(fd, message, sizeof message - 1);
    if (count == 1 && message[0] == '\0') _exit(0);
    if (count > 0) {
        message[count] = '\0';
        fprintf(stderr, "%s\n", message);
    }
    _exit(1);
}

}  // namespace

ReadyPipe::~ReadyPipe() {
    if (fd_ < 0) return;
    log().set_parent(-1);
    close(fd_);
}

SysResult<void> ReadyPipe::daemonize(int keep_fds) {
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) return Unexpected(SysError::last("pipe"));

    pid_t child = fork();
    if (child < 0) return Unexpected(SysError::last("fork"));
    if (child > 0) {
        close(pipe_fds[1]);
        wait_for_daemon(child, pipe_fds[0]);
    }
    setsid();
    // Not a session leader any more: no terminal can become ours.
    child = fork();
    if (child < 0) return Unexpected(SysError::last("fork"));
    if (child > 0) _exit(0);

    fd_ = pipe_fds[1];
    log().set_parent(fd_);
    if (chdir("/") != 0) return Unexpected(SysError::last("chdir /"));
    for (int fd = kFirstHandedOver + keep_fds; fd < kHighestInherited; ++fd) {
        if (fd != fd_) close(fd);
    }
    const int null_fd = open("/dev/null", O_RDWR);
    if (null_fd < 0) return Unexpected(SysError::last("open /dev/null"));
    for (int fd = 0; fd < kFirstHandedOver; ++fd) dup2(null_fd, fd);
    if (null_fd >= kFirstHandedOver) close(null_fd);
    return {};
}

bool ReadyPipe::ready() {
    if (fd_ < 0) return true;
    log().set_parent(-1);
    const bool told = write(fd_, "", 1) == 1;
    close(fd_);
    fd_ = -1;
    return told;
}

int listen_fds() {
    const char* pid = getenv("LISTEN_PID");
    const char* count = getenv("LISTEN_FDS");
    if (pid == nullptr || count == nullptr || atol(pid) != getpid()) return 0;
    const int fds = atoi(count);
    return fds > 0 && fds < kHighestInherited ? fds : 0;
}

SysResult<void> notify_manager(const char* state) {
    const char* path = getenv("NOTIFY_SOCKET");
    if (path == nullptr) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path) {
        return Unexpected(SysError{std::string("NOTIFY_SOCKET ") + path, EINVAL});
    }
    memcpy(address.sun_path, path, length);
    // A leading @ stands for the abstract namespace.
    if (path[0] == '@') address.sun_path[0] = '\0';

    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) return Unexpected(SysError::last("socket"));
    const auto address_length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const ssize_t sent = sendto(fd, state, strlen(state), 0,
                                reinterpret_cast<const sockaddr*>(&address), address_length);
    const SysError error = SysError::last(std::string("send to ") + path);
    close(fd);
    if (sent < 0) return Unexpected(error);
    return {};
}

SysResult<void> notify_supervisor(int fd) {
    const ssize_t written = write(fd, "\n", 1);
    const SysError error = SysError::last("write to descriptor " + std::to_string(fd));
    close(fd);
    if (written != 1) return Unexpected(error);
    return {};
}

}  // namespace gnomon
