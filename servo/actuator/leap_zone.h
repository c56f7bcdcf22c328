#pragma once

/// `leapsectz`: leap seconds from the system's time zone database.

#include <string>

#include "servo/discipline/leap_table.h"
#include "servo/units/result.h"

namespace gnomon {

/// Reads the TZif file of `zone` ("right/UTC") below the database's directory and takes its leap second
/// records. Reads the file itself instead of asking the C library, whose zone is process-wide state.
/// A name that leads out of the directory, a missing file or one without leap seconds is an error.
SysResult<LeapTable> load_leap_zone(const std::string& zone,
                                    const std::string& directory = "/usr/share/zoneinfo");

/// Reads a leap-seconds.list.
SysResult<LeapTable> load_leap_list(const std::string& path);

}  // namespace gnomon
