#pragma once

/// `SeqLock<T>`: one writer publishes a small value, any number of readers take a consistent copy
/// without ever blocking the writer (Boehm, "Can seqlocks get along with programming language
/// memory models?", MSPC 2012). The payload is stored in relaxed atomic words, so there is no data
/// race for the language or for ThreadSanitizer.

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace gnomon {

template <typename T>
class SeqLock {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    SeqLock() { store(T{}); }

    /// One thread only.
    void store(const T& value) noexcept {
        std::array<std::uint64_t, kWords> words{};
        std::memcpy(words.data(), &value, sizeof(T));
        const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
        sequence_.store(before + 1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_release);
        for (std::size_t i = 0; i < kWords; ++i) {
            words_[i].store(words[i], std::memory_order_relaxed);
        }
        sequence_.store(before + 2, std::memory_order_release);
    }

    /// Any thread; spins only while a store is under way.
    T load() const noexcept {
        std::array<std::uint64_t, kWords> words;
        std::uint32_t before = 0;
        std::uint32_t after = 0;
        do {
            before = sequence_.load(std::memory_order_acquire);
            for (std::size_t i = 0; i < kWords; ++i) {
                words[i] = words_[i].load(std::memory_order_relaxed);
            }
            std::atomic_thread_fence(std::memory_order_acquire);
            after = sequence_.load(std::memory_order_relaxed);
        } while (before != after || (before & 1) != 0);
        T value;
        std::memcpy(static_cast<void*>(&value), words.data(), sizeof(T));
        return value;
    }

private:
    static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
    std::atomic<std::uint32_t> sequence_{0};
    alignas(64) std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace gnomon
