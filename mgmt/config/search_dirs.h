#pragma once

/// Internal to mgmt/config: drop-in directories.

#include <string>
#include <vector>

#include "mgmt/config/files.h"

namespace gnomon {

/// Paths of the files ending in `suffix`, ordered by base name; among equal base names only the one
/// in the directory listed first (SYN-08).
std::vector<std::string> search_dirs(const std::vector<std::string>& dirs,
                                     const std::string& suffix, ConfigFiles& files);

}  // namespace gnomon
