#include "dataplane/proto/access_index.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/proto/zeroed_array.h"

namespace gnomon {

namespace {

constexpr std::size_t kMaxCells = 1U << 16;
constexpr std::size_t kCellsPerFlip = 4;
/// So many are counted one by one, more are searched.
constexpr std::size_t kFewFlips = 8;

/// The 64 bits by which keys are sorted into cells.
std::uint64_t leading(std::uint32_t key) noexcept { return key; }
std::uint64_t leading(const AddressKey& key) noexcept { return key.high; }

std::uint64_t word(const IpAddress& address, std::size_t at) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, address.bytes().data() + at, sizeof(value));
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

std::uint32_t v4_key(const IpAddress& address) noexcept {
    return static_cast<std::uint32_t>(word(address, 0) >> 32);
}
AddressKey v6_key(const IpAddress& address) noexcept {
    return {word(address, 0), word(address, 8)};
}

}  // namespace

AccessIndex::AccessIndex(const AccessTable& table) {
    AccessTable::Flips flips = table.flips(IpAddress::Family::V4);
    std::vector<std::uint32_t> v4;
    v4.reserve(flips.at.size());
    for (const AddressKey& key : flips.at) v4.push_back(static_cast<std::uint32_t>(key.high >> 32));
    v4_.build(flips.first_allowed, std::move(v4));
    flips = table.flips(IpAddress::Family::V6);
    v6_.build(flips.first_allowed, std::move(flips.at));
}

template <typename Key>
void AccessIndex::Family<Key>::build(bool first_verdict, std::vector<Key> ascending) {
    first = first_verdict;
    flips = std::move(ascending);
    if (flips.empty()) return;
    least = leading(flips.front());
    const std::uint64_t span = leading(flips.back()) - least;
    const std::size_t wanted = std::min(kMaxCells, std::bit_ceil(flips.size() * kCellsPerFlip));
    while (shift < 63 && (span >> shift) >= wanted) ++shift;
    const std::size_t cells = static_cast<std::size_t>(span >> shift) + 1;
    root.assign(cells + 1, 0);
    for (const Key& key : flips) ++root[cell(key) + 1];
    for (std::size_t i = 1; i < root.size(); ++i) root[i] += root[i - 1];
}

/// For keys from the first flip on; the last cell goes on to the end of the space.
template <typename Key>
std::size_t AccessIndex::Family<Key>::cell(Key key) const noexcept {
    const std::uint64_t cells = root.size() - 1;
    return static_cast<std::size_t>(std::min((leading(key) - least) >> shift, cells - 1));
}

template <typename Key>
bool AccessIndex::Family<Key>::allows(Key key) const noexcept {
    if (flips.empty() || leading(key) < least) return first;
    const std::size_t at = cell(key);
    const Key* begin = flips.data() + root[at];
    const Key* end = flips.data() + root[at + 1];
    std::size_t passed = root[at];
    if (static_cast<std::size_t>(end - begin) > kFewFlips) {
        passed += static_cast<std::size_t>(std::upper_bound(begin, end, key) - begin);
    } else {
        for (; begin != end; ++begin) passed += !(key < *begin);
    }
    return first != ((passed & 1) != 0);
}

bool AccessIndex::is_allowed(const IpAddress& address) const noexcept {
    switch (address.family()) {
        case IpAddress::Family::V4: return v4_.allows(v4_key(address));
        case IpAddress::Family::V6: return v6_.allows(v6_key(address));
        default: return false;
    }
}

void AccessIndex::prefetch_root(const IpAddress& address) const noexcept {
    if (address.family() == IpAddress::Family::V4) {
        const std::uint32_t key = v4_key(address);
        if (!v4_.flips.empty() && key >= v4_.least) fetch_line(&v4_.root[v4_.cell(key)]);
    } else if (!v6_.flips.empty()) {
        const AddressKey key = v6_key(address);
        if (key.high >= v6_.least) fetch_line(&v6_.root[v6_.cell(key)]);
    }
}

void AccessIndex::prefetch_flips(const IpAddress& address) const noexcept {
    if (address.family() == IpAddress::Family::V4) {
        const std::uint32_t key = v4_key(address);
        if (v4_.flips.empty() || key < v4_.least) return;
        fetch_line(v4_.flips.data() + v4_.root[v4_.cell(key)]);
    } else if (!v6_.flips.empty()) {
        const AddressKey key = v6_key(address);
        if (key.high < v6_.least) return;
        fetch_line(v6_.flips.data() + v6_.root[v6_.cell(key)]);
    }
}

}  // namespace gnomon
