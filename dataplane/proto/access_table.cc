#include "dataplane/proto/access_table.h"

namespace gnomon {

namespace {

constexpr unsigned kBitsPerLevel = 4;

/// The `level`th group of four bits.
unsigned nibble(const IpAddress& address, unsigned level) noexcept {
    const std::uint8_t byte = address.bytes()[level / 2];
    return level % 2 == 0 ? byte >> 4 : byte & 0xfU;
}

}  // namespace

// Block 0 belongs to nobody, so that a child of 0 can mean "none".
AccessTable::AccessTable() : blocks_(1) {}

bool AccessTable::set(const Subnet& subnet, Rule rule, bool all) {
    const unsigned prefix = subnet.prefix_length;
    switch (subnet.address.family()) {
        case IpAddress::Family::V4:
            if (prefix > 32) return false;
            set_in_tree(v4_, subnet.address, prefix, rule, all);
            return true;
        case IpAddress::Family::V6:
            if (prefix > 128) return false;
            set_in_tree(v6_, subnet.address, prefix, rule, all);
            return true;
        case IpAddress::Family::Unspecified:
            if (prefix != 0) return false;
            set_in_tree(v4_, subnet.address, 0, rule, all);
            set_in_tree(v6_, subnet.address, 0, rule, all);
            return true;
        case IpAddress::Family::Id: break;
    }
    return false;
}

void AccessTable::set_in_tree(Root& root, const IpAddress& address, unsigned prefix, Rule rule,
                              bool all) {
    if (prefix == 0) {
        root.rule = rule;
        if (all && root.block != 0) {
            free_block(root.block);
            root.block = 0;
        }
        return;
    }

    if (root.block == 0) root.block = new_block();
    std::uint32_t block = root.block;
    const unsigned last_level = (prefix - 1) / kBitsPerLevel;
    for (unsigned level = 0; level < last_level; ++level) {
        const unsigned entry = nibble(address, level);
        if (blocks_[block].children[entry] == 0) {
            const std::uint32_t child = new_block();  // may move blocks_
            blocks_[block].children[entry] = child;
        }
        block = blocks_[block].children[entry];
    }

    const unsigned covered = 1U << (kBitsPerLevel * (last_level + 1) - prefix);
    const unsigned first = nibble(address, last_level) & ~(covered - 1);
    for (unsigned entry = first; entry < first + covered; ++entry) {
        blocks_[block].rules[entry] = rule;
        if (all && blocks_[block].children[entry] != 0) {
            free_block(blocks_[block].children[entry]);
            blocks_[block].children[entry] = 0;
        }
    }
}

std::uint32_t AccessTable::new_block() {
    if (!free_.empty()) {
        const std::uint32_t block = free_.back();
        free_.pop_back();
        blocks_[block] = Block{};
        return block;
    }
    blocks_.emplace_back();
    return static_cast<std::uint32_t>(blocks_.size() - 1);
}

void AccessTable::free_block(std::uint32_t block) {
    for (const std::uint32_t child : blocks_[block].children) {
        if (child != 0) free_block(child);
    }
    free_.push_back(block);
}

bool AccessTable::is_allowed(const IpAddress& address) const noexcept {
    if (!address.is_ip()) return false;
    const Root& root = address.family() == IpAddress::Family::V4 ? v4_ : v6_;
    Rule rule = root.rule;
    std::uint32_t block = root.block;
    // A child exists only down to the address's last level, so `level` stays within the address.
    for (unsigned level = 0; block != 0; ++level) {
        const unsigned entry = nibble(address, level);
        if (blocks_[block].rules[entry] != Rule::Inherit) rule = blocks_[block].rules[entry];
        block = blocks_[block].children[entry];
    }
    return rule == Rule::Allow;
}

AccessTable::Flips AccessTable::flips(IpAddress::Family family) const {
    Flips flips;
    const Root& root = family == IpAddress::Family::V4 ? v4_ : v6_;
    Rule verdict = Rule::Inherit;  // nothing seen yet
    if (root.block == 0) {
        flips.first_allowed = root.rule == Rule::Allow;
    } else {
        walk(root.block, 0, AddressKey{}, root.rule, verdict, flips);
    }
    return flips;
}

/// In the order of addresses; `verdict` is that of the address before `first`.
void AccessTable::walk(std::uint32_t block, unsigned level, AddressKey first, Rule inherited,
                       Rule& verdict, Flips& flips) const {
    const unsigned shift = 60 - kBitsPerLevel * (level % 16);
    for (std::uint64_t entry = 0; entry < 16; ++entry) {
        const Rule own = blocks_[block].rules[entry];
        const Rule rule = own == Rule::Inherit ? inherited : own;
        AddressKey at = first;
        (level < 16 ? at.high : at.low) |= entry << shift;
        if (const std::uint32_t child = blocks_[block].children[entry]; child != 0) {
            walk(child, level + 1, at, rule, verdict, flips);
            continue;
        }
        if (rule == verdict) continue;
        if (verdict == Rule::Inherit) {
            flips.first_allowed = rule == Rule::Allow;
        } else {
            flips.at.push_back(at);
        }
        verdict = rule;
    }
}

bool AccessTable::is_any_allowed(IpAddress::Family family) const noexcept {
    switch (family) {
        case IpAddress::Family::V4: return any_allowed(v4_.block, v4_.rule);
        case IpAddress::Family::V6: return any_allowed(v6_.block, v6_.rule);
        case IpAddress::Family::Unspecified:
            return any_allowed(v4_.block, v4_.rule) || any_allowed(v6_.block, v6_.rule);
        case IpAddress::Family::Id: break;
    }
    return false;
}

bool AccessTable::any_allowed(std::uint32_t block, Rule inherited) const noexcept {
    if (block == 0) return inherited == Rule::Allow;
    for (unsigned entry = 0; entry < 16; ++entry) {
        const Rule own = blocks_[block].rules[entry];
        if (any_allowed(blocks_[block].children[entry], own == Rule::Inherit ? inherited : own)) {
            return true;
        }
    }
    return false;
}

}  // namespace gnomon
