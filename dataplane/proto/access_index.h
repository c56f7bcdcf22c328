#pragma once

/// `AccessIndex`: an `AccessTable` compiled for lookups by workers. The same answers; never changed
/// after it is made; safe from several threads at once.

#include "dataplane/proto/access_table.h"
#include "dataplane/wire/address.h"

namespace gnomon {

class AccessIndex {
public:
    /// Denies everything.
    AccessIndex() = default;
    explicit AccessIndex(const AccessTable& table) : table_(table) {}

    bool is_allowed(const IpAddress& address) const noexcept { return table_.is_allowed(address); }

private:
    AccessTable table_;
};

}  // namespace gnomon
