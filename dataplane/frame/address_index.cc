#include "dataplane/frame/address_index.h"

#include <algorithm>

namespace gnomon {

AddressIndex::AddressIndex(std::span<const DataplaneAddress> addresses) {
    ours_.reserve(addresses.size());
    refused_.reserve(2 * addresses.size() + 1);
    refused_.insert(key_v4(IpAddress::v4(0xffffffff).bytes().data(), kAnyVlan));
    for (const DataplaneAddress& entry : addresses) {
        const IpAddress& ip = entry.subnet.address;
        const std::uint16_t vlan = entry.vlan & 0x0FFF;
        vlans_.set(vlan);
        if (ip.family() == IpAddress::Family::V4) {
            ours_.insert(key_v4(ip.bytes().data(), vlan));
            refused_.insert(key_v4(ip.bytes().data(), kAnyVlan));
            // Links of one or two hosts have no broadcast address (RFC 3021).
            if (entry.subnet.prefix_length < 31) {
                const std::uint32_t hosts = 0xffffffffU >> entry.subnet.prefix_length;
                const IpAddress broadcast = IpAddress::v4(ip.to_u32() | hosts);
                refused_.insert(key_v4(broadcast.bytes().data(), kAnyVlan));
            }
        } else if (ip.family() == IpAddress::Family::V6) {
            ours_.insert(key_v6(ip.bytes().data(), vlan));
            refused_.insert(key_v6(ip.bytes().data(), kAnyVlan));
        }
    }
}

bool AddressIndex::is_special_v6(const std::uint8_t* address) noexcept {
    if (std::any_of(address, address + 10, [](std::uint8_t byte) { return byte != 0; })) {
        return false;
    }
    // ::ffff:0:0/96, IPv4 in disguise; ::/96 with :: and ::1.
    return (address[10] == 0xff && address[11] == 0xff) || (address[10] == 0 && address[11] == 0);
}

void AddressIndex::Set::reserve(std::size_t count) {
    std::size_t size = 4;
    while (size < 2 * count) size *= 2;
    slots_.assign(size, Key{});
    mask_ = size - 1;
}

void AddressIndex::Set::insert(const Key& key) {
    std::size_t i = slot(key);
    while (slots_[i].tag != 0) {
        if (slots_[i] == key) return;
        i = (i + 1) & mask_;
    }
    slots_[i] = key;
}

}  // namespace gnomon
