#pragma once

/// `ListenedPorts`: UDP ports whose datagrams go to the control loop. One writer (the control loop),
/// any number of readers (workers). A change reaches the workers a little later.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gnomon {

class ListenedPorts {
public:
    void add(std::uint16_t port) noexcept {
        std::atomic<std::uint64_t>& word = words_[port / 64];
        word.store(word.load(std::memory_order_relaxed) | bit(port), std::memory_order_relaxed);
    }
    void remove(std::uint16_t port) noexcept {
        std::atomic<std::uint64_t>& word = words_[port / 64];
        word.store(word.load(std::memory_order_relaxed) & ~bit(port), std::memory_order_relaxed);
    }
    bool contains(std::uint16_t port) const noexcept {
        return (words_[port / 64].load(std::memory_order_relaxed) & bit(port)) != 0;
    }

private:
    static std::uint64_t bit(std::uint16_t port) noexcept { return std::uint64_t{1} << port % 64; }

    std::array<std::atomic<std::uint64_t>, 1024> words_{};
};

}  // namespace gnomon
