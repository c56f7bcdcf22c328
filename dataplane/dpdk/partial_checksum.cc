#include "dataplane/dpdk/partial_checksum.h"

#include <cstring>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

}  // namespace

bool complete_partial_checksum(std::span<std::uint8_t> frame) noexcept {
    const auto header = parse_ethernet(frame);
    if (!header) return false;
    const std::span<std::uint8_t> ip = frame.subspan(header->size());
    std::size_t at = 0;    // of the transport header
    std::size_t size = 0;  // of it and its payload
    std::uint8_t protocol = 0;
    std::uint64_t sum = 0;
    if (header->ether_type == kEtherTypeIpv4 && ip.size() >= 20) {
        constexpr std::uint16_t kFragmented = 0x3fff;
        const std::size_t total = load_be16(ip, 2);
        at = (ip[0] & 0x0FU) * 4U;
        protocol = ip[9];
        if (at < 20 || total < at || (load_be16(ip, 6) & kFragmented) != 0) return false;
        size = total - at;
        sum = sum_words(0, ip.data() + 12, 8);
    } else if (header->ether_type == kEtherTypeIpv6 && ip.size() >= 40) {
        at = 40;
        size = load_be16(ip, 4);
        protocol = ip[6];
        sum = sum_words(0, ip.data() + 8, 32);
    }
    if (protocol != kTcp && protocol != kUdp) return false;
    const std::size_t field = protocol == kTcp ? 16 : 6;
    if (size < field + 2 || at + size > ip.size()) return false;
    sum += sum_order(protocol);
    sum += sum_order(static_cast<std::uint16_t>(size));
    std::uint8_t* transport = ip.data() + at;
    std::uint16_t stored = 0;
    std::memcpy(&stored, transport + field, sizeof(stored));
    if (fold_sum(sum) != stored) return false;
    // The stored sum stands in for the pseudo header's.
    const auto checksum = static_cast<std::uint16_t>(~fold_sum(sum_words(0, transport, size)));
    store_sum(transport + field, checksum == 0 ? 0xffff : checksum);
    return true;
}

}  // namespace gnomon
