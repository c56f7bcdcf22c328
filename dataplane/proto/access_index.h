#pragma once

/// `AccessIndex`: an `AccessTable` compiled for lookups by workers: the same answers, but two loads that
/// depend on each other instead of one per four bits. Made as a whole by the control loop whenever the
/// table has changed (10,000 prefixes: some milliseconds), never changed afterwards, safe from
/// several threads at once.
///
/// Along the addresses of a family the verdict flips here and there. An address is allowed or not by
/// the parity of the flips up to it. The space between the first and the last flip is cut into equal
/// cells, about four per flip but no more than 2^16, and a root table tells how many flips lie before
/// each cell; a cell holds few of them, in one line (Zec, Rizzo, Mikuc: DXR, 2012). Memory: 20 to 36
/// bytes per flip for IPv4 and IPv6; a prefix makes two flips at most.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/proto/access_table.h"
#include "dataplane/wire/address.h"

namespace gnomon {

class AccessIndex {
public:
    /// Denies everything.
    AccessIndex() = default;
    explicit AccessIndex(const AccessTable& table);

    bool is_allowed(const IpAddress& address) const noexcept;

    /// Fetch what `is_allowed` will need: the root's entry; then, when that is there, the flips.
    void prefetch_root(const IpAddress& address) const noexcept;
    void prefetch_flips(const IpAddress& address) const noexcept;

private:
    /// One family. `Key`: std::uint32_t or AddressKey.
    template <typename Key>
    struct Family {
        bool first = false;  ///< the verdict before the first flip
        std::uint64_t least = 0;
        unsigned shift = 0;
        std::vector<std::uint32_t> root;  ///< flips before cell i; one entry more than cells
        std::vector<Key> flips;           ///< ascending: from each on, the verdict is the other one

        void build(bool first_verdict, std::vector<Key> ascending);
        std::size_t cell(Key key) const noexcept;
        bool allows(Key key) const noexcept;
    };

    Family<std::uint32_t> v4_;
    Family<AddressKey> v6_;
};

}  // namespace gnomon
