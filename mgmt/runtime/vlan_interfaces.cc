#include "mgmt/runtime/vlan_interfaces.h"

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <memory>

namespace gnomon {

namespace {

constexpr int kDeepest = 4;

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};

std::vector<std::string> entries_of(const std::string& path) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
    if (!directory) return names;
    while (const dirent* entry = readdir(directory.get())) {
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    return names;
}

int index_of(const std::string& path) {
    int index = 0;
    std::ifstream(path + "/ifindex") >> index;
    return index;
}

bool is_vlan(const std::string& path) {
    std::ifstream file(path + "/uevent");
    for (std::string line; std::getline(file, line);) {
        if (line == "DEVTYPE=vlan") return true;
    }
    return false;
}

void add_uppers(const std::string& sysfs, const std::string& name, int depth,
                std::vector<int>& indices) {
    constexpr std::string_view kUpper = "upper_";
    if (depth == kDeepest) return;
    for (const std::string& entry : entries_of(sysfs + "/" + name)) {
        if (entry.compare(0, kUpper.size(), kUpper) != 0) continue;
        const std::string upper = entry.substr(kUpper.size());
        const std::string path = sysfs + "/" + upper;
        if (!is_vlan(path)) continue;
        if (const int index = index_of(path); index > 0) indices.push_back(index);
        add_uppers(sysfs, upper, depth + 1, indices);
    }
}

}  // namespace

std::vector<int> with_vlan_interfaces(int interface_index, const std::string& sysfs) {
    std::vector<int> indices;
    for (const std::string& name : entries_of(sysfs)) {
        if (index_of(sysfs + "/" + name) != interface_index) continue;
        indices.push_back(interface_index);
        add_uppers(sysfs, name, 0, indices);
    }
    std::sort(indices.begin(), indices.end());
    indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
    return indices;
}

}  // namespace gnomon
