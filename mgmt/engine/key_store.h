#pragma once

/// `KeyStore`: the symmetric keys of the keys file, read at start and at `rekey`.

#include <cstdint>
#include <string>

#include "dataplane/wire/mac.h"
#include "mgmt/engine/services.h"

namespace gnomon {

class KeyStore {
public:
    /// An empty path: no keys. A file that cannot be read leaves the old keys in force.
    KeyStore(std::string path, const Services& services)
        : path_(std::move(path)), services_(services) {}

    void load();
    /// The same object for the whole run; `load` gives it new contents.
    const KeyTable& table() const noexcept { return table_; }
    /// Counts how often `load` has given it new contents.
    std::uint64_t version() const noexcept { return version_; }

private:
    std::string path_;
    Services services_;
    KeyTable table_;
    std::uint64_t version_ = 0;
};

}  // namespace gnomon
