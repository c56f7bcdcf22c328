/// Whatever is sent to the socket of a SOCK reference clock.

#include <cstddef>
#include <cstdint>

#include "refclock/decode/sock_sample.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto sample = gnomon::decode_sock(std::span<const std::uint8_t>(data, size));
    if (sample && !gnomon::is_sane(*sample)) __builtin_trap();
    return 0;
}
