#pragma once

/// Internal to mgmt/config: the option table of server, pool and peer.

#include <optional>
#include <vector>

#include "mgmt/config/options.h"
#include "mgmt/config/source_config.h"

namespace gnomon {

const std::vector<Option<SourceOptions>>& source_option_table();

/// `arguments.directive()` is the kind. Nothing: the diagnostics say why.
std::optional<SourceConfig> parse_source(SourceKind kind, Arguments& arguments);

}  // namespace gnomon
