#include "dataplane/wire/ethernet.h"

#include <algorithm>

#include "dataplane/wire/bytes.h"

namespace gnomon {
namespace {

// Smaller values of the type field are lengths (IEEE 802.3, 3.2.6).
constexpr std::uint16_t kMinEtherType = 0x0600;

bool is_tag(std::uint16_t type) noexcept {
    return type == kEtherTypeVlan || type == kEtherTypeQinQ;
}

}  // namespace

std::optional<EthernetHeader> parse_ethernet(std::span<const std::uint8_t> frame) noexcept {
    EthernetHeader header;
    if (frame.size() < header.size()) return std::nullopt;
    std::copy_n(frame.begin(), 6, header.destination.begin());
    std::copy_n(frame.begin() + 6, 6, header.source.begin());
    header.ether_type = load_be16(frame, 12);
    while (is_tag(header.ether_type)) {
        if (header.tag_count == EthernetHeader::kMaxTags) return std::nullopt;
        const std::size_t at = header.size();
        if (frame.size() < at + 4) return std::nullopt;
        header.tags[header.tag_count++] = {header.ether_type, load_be16(frame, at)};
        header.ether_type = load_be16(frame, at + 2);
    }
    if (header.ether_type < kMinEtherType) return std::nullopt;
    return header;
}

std::size_t build_ethernet(const EthernetHeader& header, std::span<std::uint8_t> frame) noexcept {
    if (header.tag_count > EthernetHeader::kMaxTags || frame.size() < header.size()) return 0;
    std::copy(header.destination.begin(), header.destination.end(), frame.begin());
    std::copy(header.source.begin(), header.source.end(), frame.begin() + 6);
    std::size_t at = 12;
    for (std::size_t i = 0; i < header.tag_count; ++i) {
        store_be16(frame, at, header.tags[i].protocol);
        store_be16(frame, at + 2, header.tags[i].control);
        at += 4;
    }
    store_be16(frame, at, header.ether_type);
    return header.size();
}

std::size_t pad_frame(std::size_t length, std::span<std::uint8_t> frame) noexcept {
    if (length >= kMinFrameSize) return length;
    if (frame.size() < kMinFrameSize) return 0;
    std::fill(frame.begin() + static_cast<std::ptrdiff_t>(length),
              frame.begin() + static_cast<std::ptrdiff_t>(kMinFrameSize), std::uint8_t{0});
    return kMinFrameSize;
}

}  // namespace gnomon
