#pragma once

/// The processor's counter, for threads that must not enter the kernel.

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace gnomon {

/// The counter that `CounterLine` is over. Not ordered against other instructions.
inline std::uint64_t read_cycles() noexcept {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    std::uint64_t count;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
#error "no counter is known for this processor"
#endif
}

/// Tells the processor that this is a loop which waits.
inline void relax_cpu() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace gnomon
