#pragma once

/// The files that a configuration is read from, as the parser wants to see them.

#include <optional>
#include <string>
#include <vector>

namespace gnomon {

/// Implemented over the file system by the runtime and over a map in tests. Not kept by the parser.
class ConfigFiles {
public:
    virtual ~ConfigFiles() = default;

    /// The whole file; nothing when it cannot be read for any reason.
    virtual std::optional<std::string> read(const std::string& path) = 0;
    /// Paths that match a shell pattern, sorted, as glob(3) gives them. Nothing matched: empty.
    virtual std::vector<std::string> glob(const std::string& pattern) = 0;
    /// Base names in `dir` that end in `suffix` and do not begin with a dot, in any order. Empty
    /// when the directory is missing or unreadable.
    virtual std::vector<std::string> list_dir(const std::string& dir,
                                              const std::string& suffix) = 0;
};

}  // namespace gnomon
