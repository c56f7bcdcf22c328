/// Whatever another process leaves in the shared memory segment.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "refclock/decode/shm_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::int32_t count_after = 0;
    if (size >= sizeof count_after) std::memcpy(&count_after, data, sizeof count_after);
    const std::size_t skip = size >= sizeof count_after ? sizeof count_after : 0;
    const auto sample =
        gnomon::decode_shm(std::span<const std::uint8_t>(data + skip, size - skip), count_after);
    if (sample && !gnomon::is_sane(*sample)) __builtin_trap();
    return 0;
}
