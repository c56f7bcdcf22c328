#pragma once

/// Blocks of pcapng files (draft-ietf-opsawg-pcapng), built into spans. Little endian, nanoseconds.
///
/// A file is one section block, an interface block per tap, packet blocks, and at the end a statistics
/// block per interface. A packet carries its direction (epb_flags) and a comment that says who took
/// its stamp and how good it is, "stamp=kernel sd=25.0ns error=0.0ns", for people and for
/// capture_file.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/port/port.h"

namespace gnomon {

/// Link types of tcpdump.org/linktypes.html that captures of NTP come with.
namespace link_type {
inline constexpr std::uint16_t kNull = 0;
inline constexpr std::uint16_t kEthernet = 1;
inline constexpr std::uint16_t kRaw = 101;
inline constexpr std::uint16_t kLoop = 108;
inline constexpr std::uint16_t kLinuxSll = 113;
inline constexpr std::uint16_t kIpv4 = 228;
inline constexpr std::uint16_t kIpv6 = 229;
inline constexpr std::uint16_t kLinuxSll2 = 276;
}  // namespace link_type

struct PcapngInterface {
    std::string_view name;         ///< at most 255 bytes are written, as of the description
    std::string_view description;  ///< empty: none
    std::uint16_t link = link_type::kEthernet;
    std::uint32_t snap_length = 0;  ///< 0: no limit
};

struct PcapngPacket {
    std::uint32_t interface_id = 0;
    Stamp stamp;
    bool outgoing = false;
    std::uint32_t length = 0;  ///< of the packet as it was
    std::span<const std::uint8_t> bytes;
};

struct PcapngStatistics {
    std::uint32_t interface_id = 0;
    SystemTime start;
    SystemTime end;
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
};

/// What any block but a packet's fits into; a packet's fits into this and its bytes.
inline constexpr std::size_t kPcapngOverhead = 640;

// Each returns the size of the block, 0 when it does not fit into `out`.
std::size_t encode_pcapng_section(std::string_view application,
                                  std::span<std::uint8_t> out) noexcept;
std::size_t encode_pcapng_interface(const PcapngInterface& interface,
                                    std::span<std::uint8_t> out) noexcept;
std::size_t encode_pcapng_packet(const PcapngPacket& packet, std::span<std::uint8_t> out) noexcept;
std::size_t encode_pcapng_statistics(const PcapngStatistics& statistics,
                                     std::span<std::uint8_t> out) noexcept;

/// The comment's words: "daemon", "kernel", "hardware".
std::string_view stamp_source_name(TimestampSource source) noexcept;

}  // namespace gnomon
