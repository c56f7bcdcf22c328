#pragma once

#include <fnmatch.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/config/files.h"

namespace gnomon {

/// A file system in a map: path to content.
class MemoryFiles : public ConfigFiles {
public:
    MemoryFiles() = default;
    explicit MemoryFiles(std::map<std::string, std::string> content)
        : content_(std::move(content)) {}

    void write(const std::string& path, std::string text) { content_[path] = std::move(text); }
    void remove(const std::string& path) { content_.erase(path); }

    std::optional<std::string> read(const std::string& path) override {
        const auto found = content_.find(path);
        if (found == content_.end()) return std::nullopt;
        return found->second;
    }
    std::vector<std::string> glob(const std::string& pattern) override {
        std::vector<std::string> paths;
        for (const auto& [path, text] : content_) {
            if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
                paths.push_back(path);
            }
        }
        return paths;
    }
    std::vector<std::string> list_dir(const std::string& dir, const std::string& suffix) override {
        std::vector<std::string> names;
        for (const std::string& path : glob(dir + "/*" + suffix)) {
            names.push_back(path.substr(dir.size() + 1));
        }
        return names;
    }

private:
    std::map<std::string, std::string> content_;
};

}  // namespace gnomon
