#pragma once

/// `Eal`: DPDK's environment, as long as the object lives. A process can start it once only.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "servo/units/result.h"

namespace gnomon {

/// Keeps the end of what DPDK logs, for the reason of a failure; nothing is written anywhere.
class EalLog {
public:
    EalLog();
    ~EalLog();
    EalLog(const EalLog&) = delete;
    EalLog& operator=(const EalLog&) = delete;

    void clear();
    /// The last line that names an error, else the last line; empty when nothing was logged.
    std::string reason() const;

private:
    static ssize_t append(void* self, const char* text, std::size_t size);

    std::string tail_;
    FILE* stream_ = nullptr;
};

class Eal {
public:
    /// The calling thread becomes EAL's main thread; its affinity is kept. Signals stay with the
    /// caller.
    static SysResult<std::unique_ptr<Eal>> start(const std::vector<std::string>& arguments);
    /// Devices must be closed before.
    ~Eal();
    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;

    EalLog& log() noexcept { return log_; }

private:
    Eal() = default;
    EalLog log_;
    /// EAL keeps pointers into its arguments.
    std::vector<std::string> arguments_;
    bool started_ = false;
};

/// Makes the calling thread known to DPDK, which gives it its own buffer caches.
class EalThread {
public:
    EalThread();
    ~EalThread();
    EalThread(const EalThread&) = delete;
    EalThread& operator=(const EalThread&) = delete;

private:
    bool registered_ = false;
};

}  // namespace gnomon
