/// Ethernet frames with IP and UDP, ARP, neighbour discovery: whatever parses can be built again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ip.h"

namespace {

using namespace gnomon;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_ip(std::span<const std::uint8_t> data) {
    for (const ChecksumPolicy policy : {ChecksumPolicy::Verify, ChecksumPolicy::Trust}) {
        const UdpParse parsed = parse_ip_udp(data, policy);
        require(parsed.packet.has_value() == (parsed.error == IpError::None));
        if (!parsed.packet || parsed.packet->payload.size() > 2000) continue;
        std::array<std::uint8_t, 2100> out;
        const std::size_t length = build_ip_udp(*parsed.packet, out);
        require(length > 0);
        const UdpParse again = parse_ip_udp(std::span(out).first(length));
        require(again.packet && again.packet->source == parsed.packet->source &&
                again.packet->payload.size() == parsed.packet->payload.size());
    }
}

void check_link(std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 72> out;
    if (const auto arp = parse_arp(data)) {
        require(build_arp(*arp, out) == kArpSize);
        require(std::equal(out.begin(), out.begin() + kArpSize, data.begin()));
    }
    if (const auto message = parse_neighbour(data)) {
        const std::size_t size = build_neighbour(*message, out);
        const auto again = parse_neighbour(std::span(out).first(size));
        require(again && again->target == message->target &&
                again->solicited == message->solicited && again->link_layer == message->link_layer);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> frame(data, size);
    check_ip(frame);
    const auto header = parse_ethernet(frame);
    if (!header) return 0;
    std::array<std::uint8_t, 22> out;
    require(build_ethernet(*header, out) == header->size());
    require(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(header->size()),
                       frame.begin()));
    check_ip(frame.subspan(header->size()));
    check_link(frame.subspan(header->size()));
    return 0;
}
