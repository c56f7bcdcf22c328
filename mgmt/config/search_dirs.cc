#include "mgmt/config/search_dirs.h"

#include <map>

namespace gnomon {

std::vector<std::string> search_dirs(const std::vector<std::string>& dirs,
                                     const std::string& suffix, ConfigFiles& files) {
    std::map<std::string, std::string> path_by_name;
    for (const std::string& dir : dirs) {
        for (const std::string& name : files.list_dir(dir, suffix)) {
            path_by_name.try_emplace(name, dir + "/" + name);
        }
    }
    std::vector<std::string> paths;
    for (const auto& [name, path] : path_by_name) paths.push_back(path);
    return paths;
}

}  // namespace gnomon
