#include "dataplane/dpdk/exception_path.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>

#include "dataplane/dpdk/interface.h"
#include "dataplane/dpdk/partial_checksum.h"

namespace gnomon {

namespace {

void wake(int event) noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event, &one, sizeof(one));
}

}  // namespace

ExceptionPath::ExceptionPath() : down_(kRing), up_(kRing) {}

SysResult<std::unique_ptr<ExceptionPath>> ExceptionPath::open(
    const std::string& name, const MacAddress& mac,
    const std::vector<DataplaneAddress>& addresses) {
    std::unique_ptr<ExceptionPath> path(new ExceptionPath());
    path->tap_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (path->tap_ < 0) return Unexpected(SysError::last("/dev/net/tun"));
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (ioctl(path->tap_, TUNSETIFF, &request) < 0) {
        return Unexpected(SysError::last("exception interface " + name));
    }
    if (auto error = set_up_interface(name, mac, addresses)) return Unexpected(std::move(*error));
    path->event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (path->event_ < 0) return Unexpected(SysError::last("eventfd"));
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    try {
        path->thread_ = std::thread([raw = path.get()] { raw->run(); });
    } catch (const std::system_error& error) {
        failure = error.code().value();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (failure != 0) return Unexpected(SysError{"starting the exception thread", failure});
    return path;
}

ExceptionPath::~ExceptionPath() {
    stop_ = true;
    if (thread_.joinable()) {
        wake(event_);
        thread_.join();
    }
    if (event_ >= 0) close(event_);
    if (tap_ >= 0) close(tap_);
}

bool ExceptionPath::to_kernel(std::span<const std::uint8_t> frame) noexcept {
    Slot* slot = frame.size() <= kMaxFrame ? down_.begin_push() : nullptr;
    if (slot == nullptr) return false;
    slot->size = static_cast<std::uint16_t>(frame.size());
    std::memcpy(slot->bytes.data(), frame.data(), frame.size());
    down_.end_push();
    return true;
}

void ExceptionPath::flush() noexcept {
    // Either the thread sees the frames before it sleeps, or we see that it sleeps.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (sleeping_.exchange(false)) wake(event_);
}

std::span<const std::uint8_t> ExceptionPath::front() noexcept {
    const Slot* slot = up_.front();
    if (slot == nullptr) return {};
    return {slot->bytes.data(), slot->size};
}

void ExceptionPath::pop() noexcept { up_.pop(); }

bool ExceptionPath::write_frames() noexcept {
    bool any = false;
    while (Slot* slot = down_.front()) {
        complete_partial_checksum(std::span(slot->bytes).first(slot->size));
        // A tap that does not take a frame is down or full: as on a wire, the frame is lost.
        [[maybe_unused]] const ssize_t written = write(tap_, slot->bytes.data(), slot->size);
        down_.pop();
        any = true;
    }
    return any;
}

bool ExceptionPath::read_frames() noexcept {
    bool any = false;
    while (Slot* slot = up_.begin_push()) {
        const ssize_t size = read(tap_, slot->bytes.data(), slot->bytes.size());
        if (size <= 0) break;
        slot->size = static_cast<std::uint16_t>(size);
        up_.end_push();
        any = true;
    }
    return any;
}

void ExceptionPath::run() noexcept {
    pthread_setname_np(pthread_self(), "exception");
    while (!stop_) {
        const bool wrote = write_frames();
        if (read_frames() || wrote) continue;
        sleeping_.store(true);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (down_.front() == nullptr) {
            // With a full ring to the worker there is no use in waiting for the tap.
            const bool full = up_.begin_push() == nullptr;
            pollfd fds[2] = {{event_, POLLIN, 0}, {full ? -1 : tap_, POLLIN, 0}};
            poll(fds, 2, full ? 1 : 1000);
            std::uint64_t count = 0;
            [[maybe_unused]] const ssize_t size = read(event_, &count, sizeof(count));
        }
        sleeping_.store(false);
    }
}

}  // namespace gnomon
