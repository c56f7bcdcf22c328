#pragma once

/// `AddressIndex`: which addresses are ours, in which VLAN, and from which no packet can honestly come.
/// Looked up twice for every packet, so hashed; built once. Addresses as they stand in the packet.

#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/wire/address.h"

namespace gnomon {

class AddressIndex {
public:
    explicit AddressIndex(std::span<const DataplaneAddress> addresses);

    /// `address` points to the 4 or 16 bytes in the packet.
    bool is_ours_v4(const std::uint8_t* address, std::uint16_t vlan) const noexcept {
        const Key key = key_v4(address, vlan);
        return key == first_v4_ || ours_.contains(key);
    }
    bool is_ours_v6(const std::uint8_t* address, std::uint16_t vlan) const noexcept {
        return ours_.contains(key_v6(address, vlan));
    }
    bool is_ours(const IpAddress& address, std::uint16_t vlan) const noexcept {
        return address.family() == IpAddress::Family::V4 ? is_ours_v4(address.bytes().data(), vlan)
                                                         : is_ours_v6(address.bytes().data(), vlan);
    }
    bool has_vlan(std::uint16_t vlan) const noexcept { return vlans_.test(vlan & 0x0FFF); }

    /// May a reply be sent there? Not to groups, nobody, loopback, our own addresses, or the
    /// broadcast addresses of our links.
    bool is_answerable_v4(const std::uint8_t* source) const noexcept {
        const std::uint8_t first = source[0];
        // 0.0.0.0/8 "this host" (RFC 1122), 127.0.0.0/8, 224.0.0.0/4.
        if (first == 0 || first == 127 || (first & 0xF0) == 0xE0) return false;
        return !may_be_refused(source[3]) || !refused_.contains(key_v4(source, kAnyVlan));
    }
    bool is_answerable_v6(const std::uint8_t* source) const noexcept {
        if (source[0] == 0xff) return false;
        if (source[0] == 0 && is_special_v6(source)) return false;
        return !may_be_refused(source[15]) || !refused_.contains(key_v6(source, kAnyVlan));
    }

private:
    struct Key {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::uint64_t tag = 0;  ///< family and VLAN; 0: an empty slot
        bool operator==(const Key&) const = default;
    };
    class Set {
    public:
        void reserve(std::size_t count);
        void insert(const Key& key);
        bool contains(const Key& key) const noexcept {
            for (std::size_t i = slot(key);; i = (i + 1) & mask_) {
                if (slots_[i].tag == 0) return false;
                if (slots_[i] == key) return true;
            }
        }

    private:
        std::size_t slot(const Key& key) const noexcept {
            const std::uint64_t mixed =
                (key.low ^ (key.high * 0x9e3779b97f4a7c15ULL) ^ key.tag) * 0xbf58476d1ce4e5b9ULL;
            return (mixed >> 32) & mask_;
        }
        std::vector<Key> slots_;  ///< at most half full
        std::size_t mask_ = 0;
    };

    /// Nearly always false, by the address's last byte.
    bool may_be_refused(std::uint8_t last) const noexcept {
        return (refused_ends_ >> (last & 63) & 1) != 0;
    }
    void refuse(const IpAddress& address);

    static constexpr std::uint64_t kAnyVlan = 0x1000;
    static Key key_v4(const std::uint8_t* address, std::uint64_t vlan) noexcept {
        std::uint32_t word;
        std::memcpy(&word, address, 4);
        return {0, word, 0x40000 | vlan};
    }
    static Key key_v6(const std::uint8_t* address, std::uint64_t vlan) noexcept {
        Key key;
        std::memcpy(&key.high, address, 8);
        std::memcpy(&key.low, address + 8, 8);
        key.tag = 0x60000 | vlan;
        return key;
    }
    static bool is_special_v6(const std::uint8_t* address) noexcept;

    Set ours_;
    Key first_v4_;  ///< of ours: mostly it is the only one
    std::uint64_t refused_ends_ = 0;
    Set refused_;
    std::bitset<4096> vlans_;
};

}  // namespace gnomon
