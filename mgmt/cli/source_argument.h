#pragma once

/// Addresses, subnets and options as the commands take them.

#include <optional>
#include <string>
#include <string_view>

#include "mgmt/cli/resolver.h"
#include "mgmt/cli/words.h"
#include "mgmt/command/requests.h"
#include "servo/units/result.h"

namespace gnomon::cli {

/// "ID#0000000001", an address, or a host name.
std::optional<IpAddress> parse_source(Resolver& resolver, std::string_view text);

/// An address without look-up, or else the reference ID of a reference clock (1 to 4 characters).
struct SourceOrRefId {
    IpAddress address;
    RefId ref_id;
};
std::optional<SourceOrRefId> parse_source_or_ref_id(std::string_view text);

/// "", "ADDRESS", "NAME", "ADDRESS/BITS", "MASK/ADDRESS". The error is what to tell the user.
Result<command::SourceRange, const char*> parse_range(Resolver& resolver, std::string_view text);

/// "[all] [SUBNET]" of allow and deny: addresses, "192.0.2.0/24", "10.1", "10/8", a host name.
struct AccessArgument {
    command::AccessRule rule;
    bool all = false;
};
std::optional<AccessArgument> parse_access(Resolver& resolver, const Arguments& arguments);

/// Sets the named option: noselect, prefer, require, trust (any case). False for other names.
bool set_select_option(command::SelectOptions& options, std::string_view name);

/// Options of `add server|peer|pool` from word `first` on. The error is what to tell the user.
Result<command::AddSourceRequest, const char*> parse_add_source(const Arguments& arguments);

/// Options of `local`.
std::optional<command::LocalRequest> parse_local(const Arguments& arguments);

}  // namespace gnomon::cli
