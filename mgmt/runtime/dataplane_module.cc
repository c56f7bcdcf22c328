#include "mgmt/runtime/dataplane_module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace gnomon {

namespace {

std::string running_program() {
    char path[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string listed(const std::vector<std::string>& candidates) {
    std::string text;
    for (const std::string& path : candidates) text += (text.empty() ? "" : ", ") + path;
    return text;
}

}  // namespace

std::vector<std::string> module_candidates(const std::string& listed_directories,
                                           const std::string& program) {
    std::vector<std::string> candidates;
    std::size_t from = 0;
    while (from < listed_directories.size()) {
        const std::size_t colon =
            std::min(listed_directories.find(':', from), listed_directories.size());
        if (colon > from) {
            candidates.push_back(listed_directories.substr(from, colon - from) + "/" +
                                 kDataplaneModuleFile);
        }
        from = colon + 1;
    }
    if (!program.empty()) {
        for (const char* relative : {"/../lib/", "/../lib/gnomon/"}) {
            candidates.push_back(directory_of(program) + relative + kDataplaneModuleFile);
        }
    }
    return candidates;
}

Result<const DataplaneModule*, std::string> load_dataplane_module(
    const std::vector<std::string>& candidates) {
    for (const std::string& path : candidates) {
        if (access(path.c_str(), F_OK) != 0) continue;
        void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) {
            return Unexpected(fmt::format("Could not load {} : {}", path, dlerror()));
        }
        const auto* module = static_cast<const DataplaneModule*>(dlsym(library, kDataplaneEntry));
        if (module == nullptr) {
            return Unexpected(fmt::format("{} is no module of gnomon : {}", path, dlerror()));
        }
        if (strcmp(module->abi, kDataplaneAbi) != 0) {
            return Unexpected(
                fmt::format("{} is of another version (\"{}\", not \"{}\") : install program and "
                            "module together",
                            path, module->abi, kDataplaneAbi));
        }
        return module;
    }
    return Unexpected(fmt::format(
        "Directive dataplane needs {}, which is not installed : build gnomon with DPDK "
        "(scripts/deps, then cmake -DGNOMON_DPDK=ON), or name its directory in {} ; looked for {}",
        kDataplaneModuleFile, kModulesVariable, listed(candidates)));
}

Result<const DataplaneModule*, std::string> load_dataplane_module() {
    const char* const directories = secure_getenv(kModulesVariable);
    return load_dataplane_module(
        module_candidates(directories != nullptr ? directories : "", running_program()));
}

}  // namespace gnomon
