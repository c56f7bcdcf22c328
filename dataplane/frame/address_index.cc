#include "dataplane/frame/address_index.h"

#include <algorithm>

namespace gnomon {

AddressIndex::AddressIndex(std::span<const DataplaneAddress> addresses) {
    ours_.reserve(addresses.size());
    refused_.reserve(2 * addresses.size() + 1);
    refuse(IpAddress::v4(0xffffffff));
    for (const DataplaneAddress& entry : addresses) {
        const IpAddress& ip = entry.subnet.address;
        const std::uint16_t vlan = entry.vlan & 0x0FFF;
        if (!ip.is_ip()) continue;
        vlans_.set(vlan);
        refuse(ip);
        if (ip.family() == IpAddress::Family::V6) {
            ours_.insert(key_v6(ip.bytes().data(), vlan));
            continue;
        }
        const Key key = key_v4(ip.bytes().data(), vlan);
        ours_.insert(key);
        if (first_v4_.tag == 0) first_v4_ = key;
        // Links of one or two hosts have no broadcast address (RFC 3021).
        if (entry.subnet.prefix_length < 31) {
            refuse(IpAddress::v4(ip.to_u32() | 0xffffffffU >> entry.subnet.prefix_length));
        }
    }
}

void AddressIndex::refuse(const IpAddress& address) {
    const bool v4 = address.family() == IpAddress::Family::V4;
    const std::uint8_t* bytes = address.bytes().data();
    refused_.insert(v4 ? key_v4(bytes, kAnyVlan) : key_v6(bytes, kAnyVlan));
    refused_ends_ |= std::uint64_t{1} << (bytes[v4 ? 3 : 15] & 63);
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
