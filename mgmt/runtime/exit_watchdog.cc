#include "mgmt/runtime/exit_watchdog.h"

#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "mgmt/runtime/log.h"

namespace gnomon {

ExitWatchdog::ExitWatchdog(Duration limit, std::string what) {
    const auto watch = [this, limit, what = std::move(what)] {
        std::unique_lock lock(mutex_);
        const auto at_most = std::chrono::nanoseconds(limit.ns());
        if (done_signal_.wait_for(lock, at_most, [this] { return done_; })) return;
        log_error("{} does not end : leaving without it", what);
        std::_Exit(EXIT_FAILURE);
    };
    try {
        thread_ = std::thread(watch);
    } catch (const std::system_error&) {
        // Without a thread there is no limit.
    }
}

ExitWatchdog::~ExitWatchdog() {
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    done_signal_.notify_one();
    if (thread_.joinable()) thread_.join();
}

}  // namespace gnomon
