#pragma once

/// The datagram of chrony's SOCK driver: what gpsd sends to RUNDIR/chrony.DEV.sock.
///
///     struct { timeval tv; double offset; int pulse; int leap; int pad; int magic; }
///
/// in the sender's native layout: 40 bytes, or 32 where a timeval has two 32-bit fields. Both are
/// taken, so that a sender may be built with another time_t than we are.

#include <cstdint>
#include <span>

#include "refclock/decode/raw_sample.h"
#include "servo/units/result.h"

namespace gnomon {

inline constexpr std::int32_t kSockMagic = 0x534f434b;  // "SOCK"
inline constexpr std::size_t kSockSampleSize = 40;
inline constexpr std::size_t kSockSampleSize32 = 32;

enum class SockDrop : std::uint8_t { WrongSize, BadMagic, BadTime, BadLeap };

Result<RawRefclockSample, SockDrop> decode_sock(std::span<const std::uint8_t> datagram) noexcept;

}  // namespace gnomon
