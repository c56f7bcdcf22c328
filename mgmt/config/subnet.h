#pragma once

/// Subnets as allow, deny, cmdallow, cmddeny and the CLI take them (SRV-01).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/config/config.h"
#include "mgmt/config/diagnostic.h"

namespace gnomon {

struct SubnetText {
    /// Family Unspecified with an empty `host`: every address of both families. Bits behind the
    /// prefix are cleared.
    Subnet subnet;
    /// When not empty: a name to resolve; its first address is meant, in full length.
    std::string host;
};

struct SubnetResult {
    std::optional<SubnetText> subnet;
    std::string error;  ///< Why not, when `subnet` is unset.
};

/// Address, CIDR, the shorthands a, a.b and a.b.c (with or without a prefix length), "all", ""
/// (both: everything), or a host name.
SubnetResult parse_subnet(std::string_view text);

struct AccessLine {
    std::optional<AccessRule> rule;
    std::vector<Diagnostic> diagnostics;  ///< Columns as in parse_source_line().
};

/// "[all] [SUBNET]" behind `directive` (only used for the wording), as typed in the CLI.
AccessLine parse_access_line(bool allow, const std::string& directive,
                             const std::vector<std::string>& words);

}  // namespace gnomon
