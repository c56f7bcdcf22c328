#pragma once

/// The shared memory segment of ntpd's driver 28, through which gpsd and others hand over samples.
///
/// The writer counts before and after it writes and sets `valid` last; the reader takes a copy,
/// looks whether the count is still the same (mode 1), and clears `valid`. Times are seconds plus
/// microseconds; newer writers add nanoseconds, which are believed where they agree with the
/// microseconds. Native layout and byte order: writer and reader share a machine.

#include <cstdint>
#include <span>

#include <time.h>

#include "refclock/decode/raw_sample.h"
#include "servo/units/result.h"

namespace gnomon {

struct ShmSegment {
    std::int32_t mode = 0;
    std::int32_t count = 0;
    time_t clock_s = 0;
    std::int32_t clock_us = 0;
    time_t receive_s = 0;
    std::int32_t receive_us = 0;
    std::int32_t leap = 0;
    std::int32_t precision = 0;
    std::int32_t samples = 0;
    std::int32_t valid = 0;
    std::uint32_t clock_ns = 0;
    std::uint32_t receive_ns = 0;
    std::int32_t reserved[8] = {};
};
static_assert(sizeof(time_t) != 8 || sizeof(ShmSegment) == 96);

/// The key of unit 0; unit n has this plus n.
inline constexpr std::int32_t kShmKey = 0x4e545030;

enum class ShmDrop : std::uint8_t {
    NotValid,  ///< nothing new
    BadMode,
    Torn,  ///< written to while it was copied
    BadTime,
    BadLeap,
    WrongSize,
};

/// `count_after`: the segment's count, read again after the copy was taken.
Result<RawRefclockSample, ShmDrop> decode_shm(const ShmSegment& copy,
                                              std::int32_t count_after) noexcept;

/// The same from bytes, at least sizeof(ShmSegment).
Result<RawRefclockSample, ShmDrop> decode_shm(std::span<const std::uint8_t> copy,
                                              std::int32_t count_after) noexcept;

}  // namespace gnomon
