#pragma once

/// A bounded queue from one thread to another, without locks. The producer fills a slot in place and
/// then publishes it; the consumer reads it in place and then returns it.

#include <atomic>
#include <cstddef>
#include <memory>

namespace gnomon {

template <typename T>
class SpscRing {
public:
    /// `capacity`: a power of two.
    explicit SpscRing(std::size_t capacity)
        : mask_(capacity - 1), slots_(std::make_unique<T[]>(capacity)) {}

    /// Producer: the slot to fill, null when full.
    T* begin_push() noexcept {
        const std::size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_.load(std::memory_order_acquire) > mask_) return nullptr;
        return &slots_[tail & mask_];
    }
    void end_push() noexcept {
        tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    /// Consumer: the oldest entry, null when empty.
    T* front() noexcept {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_.load(std::memory_order_acquire)) return nullptr;
        return &slots_[head & mask_];
    }
    void pop() noexcept {
        head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

private:
    std::size_t mask_;
    std::unique_ptr<T[]> slots_;
    alignas(64) std::atomic<std::size_t> head_{0};
    alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace gnomon
