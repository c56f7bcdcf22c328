#pragma once

/// A lock of one byte for sections of a few dozen nanoseconds. Taking it gives up after a bounded
/// number of tries: whoever holds it may have lost its processor, and packets do not wait for that.

#include <atomic>
#include <cstdint>

namespace gnomon {

class ByteLock {
public:
    static constexpr int kTries = 200;

    bool try_lock() noexcept {
        for (int i = 0; i < kTries; ++i) {
            if (held_.load(std::memory_order_relaxed) == 0 &&
                held_.exchange(1, std::memory_order_acquire) == 0) {
                return true;
            }
        }
        return false;
    }
    void unlock() noexcept { held_.store(0, std::memory_order_release); }

private:
    std::atomic<std::uint8_t> held_{0};
};

class ByteLockGuard {
public:
    explicit ByteLockGuard(ByteLock& lock) noexcept : lock_(lock), locked_(lock.try_lock()) {}
    ~ByteLockGuard() {
        if (locked_) lock_.unlock();
    }
    ByteLockGuard(const ByteLockGuard&) = delete;
    ByteLockGuard& operator=(const ByteLockGuard&) = delete;
    explicit operator bool() const noexcept { return locked_; }

private:
    ByteLock& lock_;
    bool locked_;
};

}  // namespace gnomon
