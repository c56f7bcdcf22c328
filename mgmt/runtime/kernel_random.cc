#include "mgmt/runtime/kernel_random.h"

#include <sys/random.h>

#include <cerrno>

#include "servo/units/assert.h"

namespace gnomon {

std::uint64_t KernelRandom::next() {
    if (used_ == buffer_.size()) refill();
    // Used numbers do not stay in memory.
    const std::uint64_t number = buffer_[used_];
    buffer_[used_++] = 0;
    return number;
}

void KernelRandom::refill() {
    ssize_t count = 0;
    // Requests of up to 256 bytes are answered whole.
    do {
        count = getrandom(buffer_.data(), sizeof buffer_, 0);
    } while (count < 0 && errno == EINTR);
    GNOMON_ASSERT(count == static_cast<ssize_t>(sizeof buffer_));
    used_ = 0;
}

}  // namespace gnomon
