#pragma once

/// Options of `local` and of the rate limits, for the configuration file and for the CLI alike.

#include <optional>
#include <string>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/config/diagnostic.h"

namespace gnomon {

struct LocalLine {
    std::optional<LocalConfig> local;  ///< Enabled; unset when there is an error.
    std::vector<Diagnostic> diagnostics;
};

/// `words`: what follows `local` (SRV-12 … SRV-17). "off" is for the caller.
LocalLine parse_local_line(const std::vector<std::string>& words);

struct RateLimitLine {
    std::optional<RateLimitConfig> rate_limit;  ///< Enabled; unset when there is an error.
    std::vector<Diagnostic> diagnostics;
};

/// `words`: what follows `ratelimit`; values not named stay as in `current`.
RateLimitLine parse_ratelimit_line(const std::vector<std::string>& words,
                                   const RateLimitConfig& current = {});

}  // namespace gnomon
