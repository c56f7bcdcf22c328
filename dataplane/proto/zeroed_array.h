#pragma once

/// `ZeroedArray<T>`: a table that begins as zero bytes, aligned to cache lines. Large ones are fresh
/// from the system, which hands out zero pages when they are first touched: a limit of gigabytes costs
/// nothing until it is used. All-zero bytes must be a valid T.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

namespace gnomon {

inline constexpr std::size_t kCacheLine = 64;

/// Fetches a line that will be needed soon.
inline void fetch_line(const void* address) noexcept {
    __builtin_prefetch(address, 1);
    // GCC takes a function that does nothing else for one without effect, and drops calls of it.
    asm volatile("");
}

template <typename T>
class ZeroedArray {
public:
    ZeroedArray() noexcept = default;
    explicit ZeroedArray(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kCacheLine);
        memory_ = std::calloc(1, count * sizeof(T) + kCacheLine);
        if (memory_ == nullptr) throw std::bad_alloc();
        const auto address = reinterpret_cast<std::uintptr_t>(memory_);
        const std::size_t rest = address % kCacheLine;
        first_ = reinterpret_cast<T*>(address + (rest == 0 ? 0 : kCacheLine - rest));
    }
    ~ZeroedArray() { std::free(memory_); }
    ZeroedArray(const ZeroedArray&) = delete;
    ZeroedArray& operator=(const ZeroedArray&) = delete;
    ZeroedArray(ZeroedArray&& other) noexcept : memory_(other.memory_), first_(other.first_) {
        other.memory_ = nullptr;
        other.first_ = nullptr;
    }
    ZeroedArray& operator=(ZeroedArray&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(first_, other.first_);
        return *this;
    }

    bool is_empty() const noexcept { return first_ == nullptr; }
    T& operator[](std::size_t i) const noexcept { return first_[i]; }

private:
    void* memory_ = nullptr;
    T* first_ = nullptr;
};

}  // namespace gnomon
