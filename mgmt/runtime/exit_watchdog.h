#pragma once

/// `ExitWatchdog`: ends the process if what happens during its lifetime takes too long: a thread that
/// is stuck in a driver cannot be joined, and an end that never comes is worse than one without tidying
/// up. The kernel takes everything back.

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "servo/units/duration.h"

namespace gnomon {

class ExitWatchdog {
public:
    /// `what` is being waited for, for the log.
    ExitWatchdog(Duration limit, std::string what);
    ~ExitWatchdog();
    ExitWatchdog(const ExitWatchdog&) = delete;
    ExitWatchdog& operator=(const ExitWatchdog&) = delete;

private:
    std::mutex mutex_;
    std::condition_variable done_signal_;
    bool done_ = false;
    std::thread thread_;
};

}  // namespace gnomon
