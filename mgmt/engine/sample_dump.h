#pragma once

/// Dump files (FIL-03): the measurements of one source, kept over a restart. chrony's format, readable
/// in both directions; its offsets have the other sign (> 0: the clock is ahead).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/engine/selectable_source.h"

namespace gnomon {

struct SampleDump {
    std::string name;  ///< as configured; "." for reference clocks
    bool authenticated = false;
    std::uint8_t reach = 0;
    int reach_size = 0;
    Stratum stratum = 0;
    Leap leap = Leap::Normal;
    int asymmetry_run = 0;
    std::vector<Sample> samples;  ///< oldest first
};

/// Empty when there is nothing to keep.
std::string format_dump(const SelectableSource& source, UtcTime now);

/// Any bytes; nothing unless the whole file makes sense. Whether the samples are plausible is for
/// `SourceFilter::restore` to judge.
std::optional<SampleDump> parse_dump(std::string_view text);

/// "192.0.2.1.dat", "refid:50505330.dat"; empty for a source without an address.
std::string dump_file_name(const SelectableSource& source);

}  // namespace gnomon
