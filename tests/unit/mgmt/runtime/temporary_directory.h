#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace gnomon {

/// A directory that is gone with its content when the test ends.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        char name[] = "/tmp/gnomon-test-XXXXXX";
        if (const char* made = mkdtemp(name)) path_ = made;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace gnomon
