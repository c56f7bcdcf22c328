#include "dataplane/capture/capture_file.h"
#include "dataplane/capture/pcapng.h"
#include "dataplane/wire/bytes.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

namespace {

constexpr std::size_t kSllHeader = 16;
constexpr std::size_t kSll2Header = 20;
constexpr std::size_t kNullHeader = 4;

struct IpPart {
    std::span<const std::uint8_t> bytes;
    FrameSkip skip = FrameSkip::None;
};

bool is_ip(std::uint16_t ether_type) noexcept {
    return ether_type == kEtherTypeIpv4 || ether_type == kEtherTypeIpv6;
}

/// A header of `size` bytes with an EtherType at `type_at`, perhaps VLAN tags after it.
IpPart after_cooked(std::span<const std::uint8_t> bytes, std::size_t size, std::size_t type_at) {
    if (bytes.size() < size) return {{}, FrameSkip::Truncated};
    std::uint16_t type = load_be16(bytes, type_at);
    for (int tags = 0; tags < 2 && (type == kEtherTypeVlan || type == kEtherTypeQinQ); ++tags) {
        if (bytes.size() < size + 4) return {{}, FrameSkip::Truncated};
        type = load_be16(bytes, size + 2);
        size += 4;
    }
    if (!is_ip(type)) return {{}, FrameSkip::NotIp};
    return {bytes.subspan(size), FrameSkip::None};
}

IpPart ip_part(std::uint16_t link, std::span<const std::uint8_t> bytes) noexcept {
    switch (link) {
        case link_type::kEthernet: {
            const auto header = parse_ethernet(bytes);
            if (!header || !is_ip(header->ether_type)) return {{}, FrameSkip::NotIp};
            return {bytes.subspan(header->size()), FrameSkip::None};
        }
        case 12:  // what some systems number "raw"
        case 14:
        case link_type::kRaw:
        case link_type::kIpv4:
        case link_type::kIpv6: return {bytes, FrameSkip::None};
        case link_type::kLinuxSll: return after_cooked(bytes, kSllHeader, 14);
        case link_type::kLinuxSll2: return after_cooked(bytes, kSll2Header, 0);
        case link_type::kNull:
        case link_type::kLoop:
            if (bytes.size() < kNullHeader) return {{}, FrameSkip::Truncated};
            return {bytes.subspan(kNullHeader), FrameSkip::None};
        default: return {{}, FrameSkip::UnknownLink};
    }
}

FrameSkip to_skip(IpError error) noexcept {
    switch (error) {
        case IpError::None: return FrameSkip::None;
        case IpError::Truncated: return FrameSkip::Truncated;
        case IpError::BadVersion: return FrameSkip::NotIp;
        case IpError::NotUdp: return FrameSkip::NotUdp;
        case IpError::Fragment: return FrameSkip::Fragment;
        default: return FrameSkip::Malformed;
    }
}

}  // namespace

const char* to_string(FrameSkip reason) noexcept {
    switch (reason) {
        case FrameSkip::None: return "none";
        case FrameSkip::UnknownLink: return "unknown-link";
        case FrameSkip::NotIp: return "not-ip";
        case FrameSkip::NotUdp: return "not-udp";
        case FrameSkip::Fragment: return "fragment";
        case FrameSkip::Truncated: return "truncated";
        case FrameSkip::Malformed: return "malformed";
        case FrameSkip::Count: break;
    }
    return "?";
}

ExtractedDatagram extract_datagram(std::uint16_t link,
                                   std::span<const std::uint8_t> bytes) noexcept {
    const IpPart part = ip_part(link, bytes);
    if (part.skip != FrameSkip::None) return {std::nullopt, part.skip};
    const UdpParse parsed = parse_ip_udp(part.bytes, ChecksumPolicy::Trust);
    return {parsed.packet, to_skip(parsed.error)};
}

}  // namespace gnomon
