#pragma once

/// Checksums that a kernel on the same machine left to a device which does not exist. Pure.

#include <cstdint>
#include <span>

namespace gnomon {

/// Completes the TCP or UDP checksum of a frame that holds the sum of the pseudo header only, as it does
/// between virtual interfaces; true when it did. All other frames are left as they are.
bool complete_partial_checksum(std::span<std::uint8_t> frame) noexcept;

}  // namespace gnomon
