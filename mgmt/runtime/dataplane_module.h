#pragma once

/// Finds and loads the module that polls ports (dataplane/dpdk). It is never unloaded: what it brings
/// along keeps threads and exit handlers.

#include <string>
#include <vector>

#include "dataplane/port/dataplane.h"
#include "servo/units/result.h"

namespace gnomon {

inline constexpr char kDataplaneModuleFile[] = "libgnomon-dpdk.so";
/// Directories to search first, separated by colons.
inline constexpr char kModulesVariable[] = "GNOMON_MODULES";

/// Where the module may be, best first. `listed`: the value of kModulesVariable, empty when it is not
/// set. `program`: path of the running program.
std::vector<std::string> module_candidates(const std::string& listed, const std::string& program);

/// The first candidate that exists is the one: it loads and fits, or nothing does. The error is for an
/// operator and names the remedy.
Result<const DataplaneModule*, std::string> load_dataplane_module(
    const std::vector<std::string>& candidates);
/// With the candidates of this process.
Result<const DataplaneModule*, std::string> load_dataplane_module();

}  // namespace gnomon
