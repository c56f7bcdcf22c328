#pragma once

/// Where in a frame hardware stamps are, and where NTP wants them.
///
/// Interfaces stamp the start of a frame in both directions (IEEE 1588-2019, 7.3.4.1). A receive time
/// of NTP is that of the frame's end, as kernels stamp and as chrony has it: both ends of a link,
/// whatever its speed, then add the frame's duration to the path once. So receive stamps are moved.

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"

namespace gnomon {

/// Header bytes before the payload of UDP on Ethernet; learned from what we sent, because tags and
/// options come on top.
struct FrameHeaders {
    std::size_t ipv4 = 42;
    std::size_t ipv6 = 62;

    std::size_t of(IpAddress::Family family) const noexcept {
        return family == IpAddress::Family::V6 ? ipv6 : ipv4;
    }
};

inline constexpr std::size_t kFrameCheckSequence = 4;

/// What a frame takes on the wire, s. `frame_length` without the check sequence, 0: unknown, then it is
/// the payload with `headers`; `speed_mbps` ≤ 0: unknown, then nothing is known of the duration.
inline double frame_duration_s(std::size_t frame_length, std::size_t payload_length,
                               std::size_t headers, int speed_mbps) noexcept {
    if (speed_mbps <= 0) return 0.0;
    const std::size_t length = frame_length != 0 ? frame_length : headers + payload_length;
    return static_cast<double>(length + kFrameCheckSequence) * 8.0 / (speed_mbps * 1e6);
}

}  // namespace gnomon
