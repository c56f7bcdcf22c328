#pragma once

/// What gnomon-lab prints.

#include <string>

#include "mgmt/lab/replay.h"

namespace gnomon {

/// A line per count that is not zero, "replies 12"; the same for every run of the same file.
std::string counts_text(const ReplayResult& result);
/// Clients and histograms, as `gnomonc top` and `gnomonc analytics` show them.
std::string summary_text(const ReplayResult& result, std::uint32_t clients);

}  // namespace gnomon
