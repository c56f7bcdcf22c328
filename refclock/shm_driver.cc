#include "refclock/shm_driver.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#include <atomic>
#include <cstring>
#include <string>

#include "refclock/decode/shm_layout.h"

namespace gnomon {
namespace {

/// Another process writes here whenever it likes: every access is to be made, as written.
std::int32_t read_now(const void* segment, std::size_t offset) noexcept {
    const auto* field = static_cast<const volatile std::uint8_t*>(segment) + offset;
    return *reinterpret_cast<const volatile std::int32_t*>(field);
}

}  // namespace

SysResult<std::unique_ptr<ShmDriver>> ShmDriver::open(int unit, std::uint32_t mode) {
    const std::string what = "shared memory segment " + std::to_string(unit);
    const key_t key =
        static_cast<key_t>(static_cast<std::uint32_t>(kShmKey) + static_cast<std::uint32_t>(unit));
    const int id = shmget(key, sizeof(ShmSegment), IPC_CREAT | static_cast<int>(mode & 0777U));
    if (id < 0) return Unexpected(SysError::last(what));
    void* segment = shmat(id, nullptr, 0);
    if (segment == reinterpret_cast<void*>(-1)) return Unexpected(SysError::last(what));
    return std::unique_ptr<ShmDriver>(new ShmDriver(segment));
}

ShmDriver::~ShmDriver() { shmdt(segment_); }

void ShmDriver::poll(std::vector<RawRefclockSample>& samples) {
    if (read_now(segment_, offsetof(ShmSegment, valid)) == 0) return;
    std::atomic_thread_fence(std::memory_order_acquire);
    ShmSegment copy;
    std::memcpy(&copy, segment_, sizeof copy);
    std::atomic_thread_fence(std::memory_order_acquire);
    const auto sample = decode_shm(copy, read_now(segment_, offsetof(ShmSegment, count)));
    if (!sample) {
        // The writer is at it: what it is about to say comes with the next poll.
        if (sample.error() == ShmDrop::Torn || sample.error() == ShmDrop::BadMode) return;
    } else {
        samples.push_back(*sample);
    }
    auto* valid = static_cast<std::uint8_t*>(segment_) + offsetof(ShmSegment, valid);
    *reinterpret_cast<volatile std::int32_t*>(valid) = 0;
}

}  // namespace gnomon
