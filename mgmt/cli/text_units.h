#pragma once

/// Numbers for people, in the fixed widths of the reports.

#include <cstdint>
#include <string>

#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::cli {

/// Four columns: seconds below 20 minutes, then m, h, d, y; "   -" for `kNever`.
std::string seconds_text(std::uint32_t seconds);
/// Six columns, the magnitude only: ns, us, ms with four digits, then s, m, h, d, y.
std::string span_text(double seconds);
/// Seven columns with the sign.
std::string signed_span_text(double seconds);
/// Ten columns.
std::string ppm_text(double ppm);
std::string signed_ppm_text(double ppm);
/// Two columns: log2 s, " -" when unknown.
std::string interval_text(int log2_s);
/// "Sun Nov 22 17:00:00 2026", UTC.
std::string date_text(UtcTime time);
/// "2026-11-22 17:00:00", UTC.
std::string log_date_text(UtcTime time);
/// Seconds since 1970 with nine decimals.
std::string epoch_text(UtcTime time);
/// The printable characters of a reference ID.
std::string ref_id_text(RefId ref_id);
const char* leap_text(Leap leap) noexcept;
char leap_char(Leap leap) noexcept;

}  // namespace gnomon::cli
