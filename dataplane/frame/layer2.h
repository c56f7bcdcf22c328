#pragma once

/// The Ethernet header of a frame in place: where the payload begins, in which VLAN it came, and how an
/// answer is turned round.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/frame/frame.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

inline std::uint16_t be16_at(const std::uint8_t* data) noexcept {
    return static_cast<std::uint16_t>((data[0] << 8) | data[1]);
}
inline void put_be16(std::uint8_t* data, std::uint16_t value) noexcept {
    data[0] = static_cast<std::uint8_t>(value >> 8);
    data[1] = static_cast<std::uint8_t>(value);
}

struct Layer2 {
    std::uint16_t offset = 0;      ///< of the payload
    std::uint16_t ether_type = 0;  ///< of the payload
    std::uint16_t vlan = 0;        ///< of the innermost tag that has one, else 0
    bool to_group = false;
};

/// None, Truncated or BadHeader.
inline FrameDrop parse_layer2(const Frame& frame, Layer2& out) noexcept {
    std::size_t at = 12;
    if (frame.length < at + 2) return FrameDrop::Truncated;
    out.to_group = (frame.data[0] & 1) != 0;
    out.vlan = frame.stripped_tag == Frame::kNoTag ? 0 : frame.stripped_tag & 0x0FFF;
    out.ether_type = be16_at(frame.data + at);
    while (out.ether_type == kEtherTypeVlan || out.ether_type == kEtherTypeQinQ) {
        if (at >= 12 + 4 * EthernetHeader::kMaxTags) return FrameDrop::BadHeader;
        if (frame.length < at + 6) return FrameDrop::Truncated;
        const std::uint16_t id = be16_at(frame.data + at + 2) & 0x0FFF;
        if (id != 0) out.vlan = id;  // 0: only a priority
        at += 4;
        out.ether_type = be16_at(frame.data + at);
    }
    out.offset = static_cast<std::uint16_t>(at + 2);
    return FrameDrop::None;
}

/// Back to the sender, from the address that was written to (which was a station's).
inline void swap_macs(std::uint8_t* data) noexcept {
    std::uint32_t to;
    std::uint32_t from;
    std::uint16_t to_end;
    std::uint16_t from_end;
    std::memcpy(&to, data, 4);
    std::memcpy(&to_end, data + 4, 2);
    std::memcpy(&from, data + 6, 4);
    std::memcpy(&from_end, data + 10, 2);
    std::memcpy(data, &from, 4);
    std::memcpy(data + 4, &from_end, 2);
    std::memcpy(data + 6, &to, 4);
    std::memcpy(data + 10, &to_end, 2);
}

/// Back to the sender, from `own`.
inline void answer_from(std::uint8_t* data, const MacAddress& own) noexcept {
    std::memcpy(data, data + 6, 6);
    std::memcpy(data + 6, own.data(), 6);
}

/// Sets the length and pads to the minimum; false when the buffer is too small.
inline bool set_length(Frame& frame, std::size_t length) noexcept {
    const std::size_t padded = length < kMinFrameSize ? kMinFrameSize : length;
    if (padded > frame.capacity) return false;
    if (padded > length) std::memset(frame.data + length, 0, padded - length);
    frame.length = static_cast<std::uint16_t>(padded);
    return true;
}

}  // namespace gnomon
