#pragma once

/// The NTP packet: header, extension fields, legacy MAC (RFC 5905 section 7.3, RFC 7822, RFC 9769).
/// Works on spans, never allocates, never asserts on what came from the wire.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/drop.h"
#include "servo/units/ntp_time.h"
#include "servo/units/ntp_types.h"

namespace gnomon {

enum class Mode : std::uint8_t {
    Reserved = 0,  ///< NTPv1 packets have no mode
    SymmetricActive = 1,
    SymmetricPassive = 2,
    Client = 3,
    Server = 4,
    Broadcast = 5,
    Control = 6,
    Private = 7,
};

inline constexpr std::size_t kNtpHeaderSize = 48;
/// Header, extension fields and MAC; longer packets are dropped.
inline constexpr std::size_t kNtpMaxSize = 48 + 1024 + 4 + 64;

/// The 48 fixed bytes, in host order.
struct NtpHeader {
    Leap leap = Leap::Unsynchronised;
    std::uint8_t version = 4;
    Mode mode = Mode::Reserved;
    std::uint8_t stratum = 0;
    std::int8_t poll = 0;
    std::int8_t precision = 0;
    NtpShort root_delay;
    NtpShort root_dispersion;
    std::uint32_t ref_id = 0;
    NtpTimestamp reference;
    NtpTimestamp origin;
    NtpTimestamp receive;
    NtpTimestamp transmit;
};

// Inline, so that callers pay for the fields that they read.
inline NtpHeader decode_header(std::span<const std::uint8_t, kNtpHeaderSize> bytes) noexcept {
    NtpHeader header;
    header.leap = static_cast<Leap>(bytes[0] >> 6);
    header.version = (bytes[0] >> 3) & 7;
    header.mode = static_cast<Mode>(bytes[0] & 7);
    header.stratum = bytes[1];
    header.poll = static_cast<std::int8_t>(bytes[2]);
    header.precision = static_cast<std::int8_t>(bytes[3]);
    header.root_delay = NtpShort::from_bits(load_be32(bytes, 4));
    header.root_dispersion = NtpShort::from_bits(load_be32(bytes, 8));
    header.ref_id = load_be32(bytes, 12);
    header.reference = NtpTimestamp::from_bits(load_be64(bytes, 16));
    header.origin = NtpTimestamp::from_bits(load_be64(bytes, 24));
    header.receive = NtpTimestamp::from_bits(load_be64(bytes, 32));
    header.transmit = NtpTimestamp::from_bits(load_be64(bytes, 40));
    return header;
}

void encode_header(const NtpHeader& header, std::span<std::uint8_t, kNtpHeaderSize> bytes) noexcept;

/// Extension field types this program knows.
inline constexpr std::uint16_t kExtensionNetworkCorrection = 0x010A;
inline constexpr std::uint16_t kExtensionMonoRoot = 0xF323;
/// See mesh_row.h.
inline constexpr std::uint16_t kExtensionMesh = 0xF38E;

struct ExtensionField {
    std::uint16_t type = 0;
    std::span<const std::uint8_t> body;  ///< without the 4 bytes of type and length, with padding
};

/// A packet whose framing is sound. Views into the bytes it was parsed from.
class ParsedPacket {
public:
    static constexpr std::size_t kMaxExtensionFields = 16;

    NtpHeader header;
    std::array<ExtensionField, kMaxExtensionFields> fields;
    std::size_t field_count = 0;
    /// Key ID and digest of a trailing MAC; `mac` is empty when there is none. A crypto-NAK is a
    /// key ID of 0 with an empty digest: `has_mac` is set then.
    bool has_mac = false;
    std::uint32_t key_id = 0;
    std::span<const std::uint8_t> mac;
    /// The bytes a MAC covers: header and extension fields.
    std::span<const std::uint8_t> authenticated;

    const ExtensionField* find(std::uint16_t type) const noexcept;
};

/// Splits a datagram into `packet`. Versions 1–4; in versions before 4 all that follows the header is a
/// MAC. Returns the reason when the framing is unsound; `packet` is worthless then.
Drop parse_packet(std::span<const std::uint8_t> datagram, ParsedPacket& packet) noexcept;

/// The same for callers without a packet to reuse.
struct ParseResult {
    std::optional<ParsedPacket> packet;
    Drop drop = Drop::None;
};
ParseResult parse_packet(std::span<const std::uint8_t> datagram) noexcept;

/// Appends an extension field to `buffer` at `length` (padded to a multiple of 4 and to the minimum
/// of RFC 7822); returns the new length, or 0 when it does not fit.
std::size_t append_extension(std::span<std::uint8_t> buffer, std::size_t length, std::uint16_t type,
                             std::span<const std::uint8_t> body) noexcept;

}  // namespace gnomon
