#pragma once

/// `EventLoop`: the control thread's one place to wait: for file descriptors, for a deadline, for a
/// signal.
///
/// It waits in select(2), with poll(2) for descriptors that do not fit into an fd_set: select takes
/// microseconds where poll takes milliseconds, and both work under simulators of the system calls,
/// where epoll, ppoll, signalfd and wake-up pipes do not. Hence three rules:
///  * A handler does exactly one receive per call. It is called again if there is more.
///  * Signals are a flag that a plain handler sets (`SignalFlag`).
///  * A pipe is watched only while somebody is bound to write into it.
/// One thread, handlers may watch and unwatch any descriptor, their own too.

#include <csignal>
#include <functional>
#include <optional>
#include <vector>

#include "servo/units/duration.h"
#include "servo/units/result.h"

namespace gnomon {

class EventLoop {
public:
    /// What to wait for, or what has come: a set of bits.
    using Events = unsigned;
    static constexpr Events kReadable = 1;
    static constexpr Events kWritable = 2;
    /// Out-of-band state: transmit timestamps in a socket's error queue.
    static constexpr Events kExceptional = 4;

    using Handler = std::function<void(Events ready)>;

    /// Replaces an earlier watch of the same descriptor. The descriptor remains the caller's, who
    /// unwatches before closing.
    void watch(int fd, Events events, Handler handler);
    void change(int fd, Events events);
    void unwatch(int fd);
    bool watches(int fd) const noexcept { return find(fd) != nullptr; }

    enum class Wake {
        Timeout,
        Ready,        ///< at least one handler has run
        Interrupted,  ///< by a signal
    };
    /// Waits at most `timeout` (nothing: for ever; ≤ 0: only looks) and calls the handlers of what is
    /// ready. The timeout is rounded up to a microsecond, so that a deadline has passed when it is up.
    SysResult<Wake> wait(std::optional<Duration> timeout);

    /// Called when a wait is over, before any handler. Null: nobody.
    void set_on_wake(std::function<void()> on_wake) { on_wake_ = std::move(on_wake); }

private:
    struct Watch {
        int fd = -1;
        Events events = 0;
        Handler handler;
        /// Tells a watch from a later one of the same descriptor.
        unsigned generation = 0;
    };
    struct Ready {
        int fd = -1;
        Events events = 0;
        unsigned generation = 0;
    };

    const Watch* find(int fd) const noexcept;
    int wait_select(Duration timeout, int highest_fd);
    int wait_poll(Duration timeout);
    void dispatch();

    std::vector<Watch> watches_;
    std::vector<Ready> ready_;
    unsigned next_generation_ = 1;
    std::function<void()> on_wake_;
};

/// Remembers that one of SIGINT, SIGTERM, SIGQUIT or SIGHUP has come: all of them ask for an orderly end
/// (SIGHUP too: configuration is not re-read). At most one may exist.
class SignalFlag {
public:
    /// Installs the handlers and ignores SIGPIPE.
    SignalFlag();
    ~SignalFlag();
    SignalFlag(const SignalFlag&) = delete;
    SignalFlag& operator=(const SignalFlag&) = delete;

    /// The signal's number, 0 before one has come.
    int caught() const noexcept;
};

}  // namespace gnomon
