#pragma once

/// Dates as `settime` takes them.

#include <cstdint>
#include <optional>
#include <string_view>

namespace gnomon::cli {

/// Seconds since 1970, or nothing for text that is no date. Words in any order, local time unless a
/// zone is given:
///  * time of day: 16:30, 16:30:05, 4:30 pm
///  * day: 2026-11-22, 11/22/2026, 11/22, "Nov 22, 2026", "22 Nov 2026", today, yesterday, tomorrow;
///    without one it is today. A day without a time is its midnight.
///  * zone: UTC, GMT, Z, +0100, -0530
///  * distance from now: now, "3 seconds", "2 hours ago", "-1 day", …
///  * @1790000000
std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now);

}  // namespace gnomon::cli
