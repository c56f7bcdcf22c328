#include "mgmt/runtime/event_loop.h"

#include <poll.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr Duration kLongestWait = Duration::from_s(3600);

volatile std::sig_atomic_t caught_signal = 0;

// The time select(2) is about to wait. The signal handler sets it to zero: a signal that comes between
// the last look at the flag and the system call then cannot be slept through.
timeval pending_timeout;

void on_signal(int number) {
    caught_signal = number;
    pending_timeout.tv_sec = 0;
    pending_timeout.tv_usec = 0;
}

constexpr int kQuitSignals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

}  // namespace

const EventLoop::Watch* EventLoop::find(int fd) const noexcept {
    const auto found = std::find_if(watches_.begin(), watches_.end(),
                                    [fd](const Watch& watch) { return watch.fd == fd; });
    return found == watches_.end() ? nullptr : &*found;
}

void EventLoop::watch(int fd, Events events, Handler handler) {
    GNOMON_ASSERT(fd >= 0);
    unwatch(fd);
    watches_.push_back(Watch{fd, events, std::move(handler), next_generation_++});
}

void EventLoop::change(int fd, Events events) {
    for (Watch& watch : watches_) {
        if (watch.fd == fd) watch.events = events;
    }
}

void EventLoop::unwatch(int fd) {
    watches_.erase(std::remove_if(watches_.begin(), watches_.end(),
                                  [fd](const Watch& watch) { return watch.fd == fd; }),
                   watches_.end());
}

int EventLoop::wait_select(Duration timeout, int highest_fd) {
    fd_set readable;
    fd_set writable;
    fd_set exceptional;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_ZERO(&exceptional);
    bool any_writable = false;
    for (const Watch& watch : watches_) {
        if (watch.events & kReadable) FD_SET(watch.fd, &readable);
        if (watch.events & kWritable) FD_SET(watch.fd, &writable);
        if (watch.events & kExceptional) FD_SET(watch.fd, &exceptional);
        any_writable = any_writable || (watch.events & kWritable);
    }
    const std::int64_t microseconds = (timeout.ns() + 999) / 1000;
    pending_timeout.tv_sec = static_cast<time_t>(microseconds / 1'000'000);
    pending_timeout.tv_usec = static_cast<suseconds_t>(microseconds % 1'000'000);
    if (caught_signal != 0) pending_timeout = timeval{};

    const int count = select(highest_fd + 1, &readable, any_writable ? &writable : nullptr,
                             &exceptional, &pending_timeout);
    if (count <= 0) return count;
    for (const Watch& watch : watches_) {
        Events events = 0;
        if (FD_ISSET(watch.fd, &readable)) events |= kReadable;
        if (any_writable && FD_ISSET(watch.fd, &writable)) events |= kWritable;
        if (FD_ISSET(watch.fd, &exceptional)) events |= kExceptional;
        if (events != 0) ready_.push_back(Ready{watch.fd, events, watch.generation});
    }
    return count;
}

int EventLoop::wait_poll(Duration timeout) {
    std::vector<pollfd> fds;
    fds.reserve(watches_.size());
    for (const Watch& watch : watches_) {
        short events = 0;
        if (watch.events & kReadable) events |= POLLIN;
        if (watch.events & kWritable) events |= POLLOUT;
        if (watch.events & kExceptional) events |= POLLPRI;
        fds.push_back(pollfd{watch.fd, events, 0});
    }
    const std::int64_t milliseconds = (timeout.ns() + 999'999) / 1'000'000;
    const int count =
        poll(fds.data(), fds.size(), caught_signal != 0 ? 0 : static_cast<int>(milliseconds));
    if (count <= 0) return count;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        Events events = 0;
        // Errors and hang-ups count as readable: the next receive reports them.
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) events |= kReadable;
        if (fds[i].revents & POLLOUT) events |= kWritable;
        // The kernel announces a socket's error queue as POLLERR.
        if (fds[i].revents & (POLLPRI | POLLERR)) events |= kExceptional;
        events &= watches_[i].events;
        if (events != 0) ready_.push_back(Ready{fds[i].fd, events, watches_[i].generation});
    }
    return count;
}

void EventLoop::dispatch() {
    for (const Ready& ready : ready_) {
        const Watch* watch = find(ready.fd);
        if (watch == nullptr || watch->generation != ready.generation) continue;
        // A copy: the handler may unwatch itself.
        const Handler handler = watch->handler;
        handler(ready.events);
    }
}

SysResult<EventLoop::Wake> EventLoop::wait(std::optional<Duration> timeout) {
    ready_.clear();
    int highest_fd = -1;
    for (const Watch& watch : watches_) highest_fd = std::max(highest_fd, watch.fd);
    const Duration wait_for =
        std::clamp(timeout.value_or(kLongestWait), Duration::zero(), kLongestWait);

    const int count =
        highest_fd < FD_SETSIZE ? wait_select(wait_for, highest_fd) : wait_poll(wait_for);
    if (on_wake_) on_wake_();
    if (count < 0) {
        if (errno == EINTR) return Wake::Interrupted;
        return Unexpected(SysError::last("select"));
    }
    if (count == 0) return caught_signal != 0 ? Wake::Interrupted : Wake::Timeout;
    dispatch();
    return Wake::Ready;
}

SignalFlag::SignalFlag() {
    caught_signal = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (const int number : kQuitSignals) sigaction(number, &action, nullptr);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, nullptr);
}

SignalFlag::~SignalFlag() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (const int number : kQuitSignals) sigaction(number, &action, nullptr);
    caught_signal = 0;
}

int SignalFlag::caught() const noexcept { return caught_signal; }

}  // namespace gnomon
