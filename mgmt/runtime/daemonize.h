#pragma once

/// Into the background, with a parent in the foreground that waits until the daemon is ready and so
/// tells the shell whether it started.

#include <string>

#include "servo/units/result.h"

namespace gnomon {

class ReadyPipe {
public:
    ReadyPipe() = default;
    ~ReadyPipe();
    ReadyPipe(const ReadyPipe&) = delete;
    ReadyPipe& operator=(const ReadyPipe&) = delete;

    /// Forks twice and leaves the terminal. Returns in the daemon only: the processes above it end,
    /// the first one with status 0 after `ready`, with 1 and the message on standard error if the
    /// daemon dies before. Log messages of severity Fatal travel through the pipe (`Log::set_parent`).
    /// Call before any thread is started. `keep_fds` stay open: descriptors below 3 + keep_fds.
    SysResult<void> daemonize(int keep_fds);

    /// Lets the foreground process end. False when it is gone: somebody killed the start.
    bool ready();

private:
    int fd_ = -1;
};

/// Number of sockets handed over by the service manager (LISTEN_FDS, LISTEN_PID), from descriptor 3.
int listen_fds();

/// Tells the service manager ($NOTIFY_SOCKET) a state such as "READY=1". No manager: success.
SysResult<void> notify_manager(const char* state);

/// The s6 way: a line end into `fd`, which is closed (option -N).
SysResult<void> notify_supervisor(int fd);

}  // namespace gnomon
