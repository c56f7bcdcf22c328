#pragma once

/// Internal to mgmt/config: the parser of `refclock` lines.

#include <optional>
#include <vector>

#include "mgmt/config/options.h"
#include "mgmt/config/refclock_config.h"

namespace gnomon {

const std::vector<Option<RefclockOptions>>& refclock_option_table();

/// What may follow a driver's parameter, for the document.
struct DriverOptionInfo {
    std::string_view driver;
    OptionInfo option;
};
std::vector<DriverOptionInfo> refclock_driver_options();

/// Nothing: the diagnostics say why.
std::optional<RefclockConfig> parse_refclock(Arguments& arguments);

}  // namespace gnomon
