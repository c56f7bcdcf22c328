#pragma once

/// `AccessTable`: which addresses may ask (`allow`, `deny`, `cmdallow`, `cmddeny`).
///
/// Semantics are those of chrony.conf. The table is a tree with one level per four address bits; a
/// rule for a /p sets the entries of level ⌈p/4⌉ that it covers. An address follows the deepest
/// entry on its path that is set; nothing set means denied. So
///  * a rule for a longer prefix wins over one for a shorter prefix, in whatever order they came,
///    when the two are on different levels (/28 and /29);
///  * on one level (/25 to /28) the later rule wins, even over a narrower earlier one;
///  * the `all` form also clears every rule below the entries that it sets.
///
/// A value: copying copies the tree, so that a changed table can be published while readers keep
/// the old one. Lookups take at most 8 (IPv4) or 32 (IPv6) steps, are const, noexcept and safe from
/// several threads at once.

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "dataplane/wire/address.h"

namespace gnomon {

/// The bits of an address as a number: of an IPv6 address all, of an IPv4 address the upper 32.
struct AddressKey {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend constexpr auto operator<=>(const AddressKey&, const AddressKey&) noexcept = default;
};

class AccessTable {
public:
    AccessTable();

    /// False when the subnet is impossible: a prefix longer than the address, or a prefix without a
    /// family. An `Unspecified` address with prefix 0 stands for both families. Bits of the address
    /// beyond the prefix are ignored.
    bool allow(const Subnet& subnet, bool all = false) { return set(subnet, Rule::Allow, all); }
    bool deny(const Subnet& subnet, bool all = false) { return set(subnet, Rule::Deny, all); }

    /// Anything but an IP address is denied.
    bool is_allowed(const IpAddress& address) const noexcept;
    /// Whether a server socket of this family has any client (SRV-04). `Unspecified`: either
    /// family.
    bool is_any_allowed(IpAddress::Family family) const noexcept;

    /// The whole table as runs of addresses: `at` are the ascending addresses from which on the verdict
    /// is the other one.
    struct Flips {
        bool first_allowed = false;
        std::vector<AddressKey> at;
    };
    /// V4 or V6.
    Flips flips(IpAddress::Family family) const;

private:
    enum class Rule : std::uint8_t { Inherit = 0, Allow, Deny };

    /// One table of 16 entries. A child of 0 means none: block 0 is the root of IPv4 and nobody's
    /// child.
    struct Block {
        std::array<std::uint32_t, 16> children{};
        std::array<Rule, 16> rules{};
    };
    struct Root {
        Rule rule = Rule::Deny;
        std::uint32_t block = 0;
    };

    bool set(const Subnet& subnet, Rule rule, bool all);
    void set_in_tree(Root& root, const IpAddress& address, unsigned prefix, Rule rule, bool all);
    std::uint32_t new_block();
    void free_block(std::uint32_t block);
    void walk(std::uint32_t block, unsigned level, AddressKey first, Rule inherited, Rule& verdict,
              Flips& flips) const;
    bool any_allowed(std::uint32_t block, Rule inherited) const noexcept;

    std::vector<Block> blocks_;
    std::vector<std::uint32_t> free_;
    Root v4_;
    Root v6_;
};

}  // namespace gnomon
