#include "dataplane/wire/ntp_packet.h"

#include <algorithm>

#include "dataplane/wire/bytes.h"

namespace gnomon {
namespace {

constexpr std::size_t kMinExtensionSize = 16;
constexpr std::size_t kExtensionHeaderSize = 4;
constexpr std::size_t kKeyIdSize = 4;
// RFC 7822: what remains of a version 4 packet is a MAC when it is this long, and an extension
// field when it is longer. That is what makes the framing unambiguous.
constexpr std::size_t kMinMacSize = kKeyIdSize + 16;
constexpr std::size_t kMaxV4MacSize = kKeyIdSize + 20;

void take_mac(ParsedPacket& packet, std::span<const std::uint8_t> datagram,
              std::size_t at) noexcept {
    packet.has_mac = true;
    packet.key_id = load_be32(datagram, at);
    packet.mac = datagram.subspan(at + kKeyIdSize);
    packet.authenticated = datagram.first(at);
}

/// Splits the extension fields of a version 4 packet; returns where they end, or 0 when a field is
/// malformed.
std::size_t take_fields(ParsedPacket& packet, std::span<const std::uint8_t> datagram) noexcept {
    std::size_t at = kNtpHeaderSize;
    while (at < datagram.size()) {
        const std::size_t rest = datagram.size() - at;
        if (rest >= kMinMacSize && rest <= kMaxV4MacSize) return at;
        if (rest <= kMaxV4MacSize) return 0;
        const std::size_t length = load_be16(datagram, at + 2);
        if (length < kMinExtensionSize || length % 4 != 0 || length > rest) return 0;
        if (packet.field_count == ParsedPacket::kMaxExtensionFields) return 0;
        ExtensionField& field = packet.fields[packet.field_count++];
        field.type = load_be16(datagram, at);
        field.body = datagram.subspan(at + kExtensionHeaderSize, length - kExtensionHeaderSize);
        at += length;
    }
    return at;
}

}  // namespace

void encode_header(const NtpHeader& header,
                   std::span<std::uint8_t, kNtpHeaderSize> bytes) noexcept {
    bytes[0] = static_cast<std::uint8_t>((static_cast<unsigned>(header.leap) << 6) |
                                         ((header.version & 7U) << 3) |
                                         (static_cast<unsigned>(header.mode) & 7U));
    bytes[1] = header.stratum;
    bytes[2] = static_cast<std::uint8_t>(header.poll);
    bytes[3] = static_cast<std::uint8_t>(header.precision);
    store_be32(bytes, 4, header.root_delay.bits());
    store_be32(bytes, 8, header.root_dispersion.bits());
    store_be32(bytes, 12, header.ref_id);
    store_be64(bytes, 16, header.reference.bits());
    store_be64(bytes, 24, header.origin.bits());
    store_be64(bytes, 32, header.receive.bits());
    store_be64(bytes, 40, header.transmit.bits());
}

const ExtensionField* ParsedPacket::find(std::uint16_t type) const noexcept {
    for (std::size_t i = 0; i < field_count; ++i) {
        if (fields[i].type == type) return &fields[i];
    }
    return nullptr;
}

Drop parse_packet(std::span<const std::uint8_t> datagram, ParsedPacket& packet) noexcept {
    if (datagram.size() < kNtpHeaderSize) return Drop::TooShort;
    if (datagram.size() > kNtpMaxSize) return Drop::TooLong;
    if (datagram.size() % 4 != 0) return Drop::BadFraming;

    packet.header = decode_header(datagram.first<kNtpHeaderSize>());
    if (packet.header.version < 1 || packet.header.version > 4) return Drop::BadVersion;
    packet.field_count = 0;
    packet.has_mac = false;
    packet.key_id = 0;
    packet.mac = {};
    packet.authenticated = datagram;

    const std::size_t rest = datagram.size() - kNtpHeaderSize;
    if (rest == 0) return Drop::None;
    const bool crypto_nak = rest == kKeyIdSize && load_be32(datagram, kNtpHeaderSize) == 0;
    if (packet.header.version < 4 || crypto_nak) {
        take_mac(packet, datagram, kNtpHeaderSize);
        return Drop::None;
    }
    const std::size_t end = take_fields(packet, datagram);
    if (end == 0) return Drop::BadFraming;
    if (end < datagram.size()) take_mac(packet, datagram, end);
    return Drop::None;
}

ParseResult parse_packet(std::span<const std::uint8_t> datagram) noexcept {
    ParseResult result;
    result.drop = parse_packet(datagram, result.packet.emplace());
    if (result.drop != Drop::None) result.packet.reset();
    return result;
}

std::size_t append_extension(std::span<std::uint8_t> buffer, std::size_t length, std::uint16_t type,
                             std::span<const std::uint8_t> body) noexcept {
    if (length % 4 != 0 || length > buffer.size() || body.size() > 0xffff) return 0;
    const std::size_t unpadded = kExtensionHeaderSize + body.size();
    const std::size_t size = std::max(kMinExtensionSize, (unpadded + 3) / 4 * 4);
    if (size > 0xffff || size > buffer.size() - length) return 0;
    store_be16(buffer, length, type);
    store_be16(buffer, length + 2, static_cast<std::uint16_t>(size));
    const auto field = buffer.subspan(length + kExtensionHeaderSize, size - kExtensionHeaderSize);
    std::copy(body.begin(), body.end(), field.begin());
    std::fill(field.begin() + static_cast<std::ptrdiff_t>(body.size()), field.end(),
              std::uint8_t{0});
    return length + size;
}

}  // namespace gnomon
