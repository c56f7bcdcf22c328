/// The module's door: the one symbol that is not hidden.

#include <dlfcn.h>

#include "dataplane/dpdk/dpdk_dataplane.h"
#include "dataplane/port/dataplane.h"

namespace {

/// The directory that this module was loaded from.
std::string module_directory() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&module_directory), &info) == 0) return ".";
    const std::string path = info.dli_fname;
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

gnomon::SysResult<std::unique_ptr<gnomon::PolledDataplane>> open_dataplane(
    const gnomon::DataplaneConfig& config, gnomon::ClientLog& log, gnomon::TimestampStore& store,
    gnomon::RandomSource& seed) {
    return gnomon::DpdkDataplane::open(config, log, store, seed, module_directory());
}

}  // namespace

extern "C" __attribute__((visibility("default")))
const gnomon::DataplaneModule gnomon_dataplane_module = {gnomon::kDataplaneAbi, &open_dataplane};
