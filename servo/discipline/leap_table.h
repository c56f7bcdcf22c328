#pragma once

/// `LeapTable`: announced leap seconds and TAI − UTC, from a file that somebody maintains.
///
/// Two formats carry it: leap-seconds.list (IERS, NIST; times count from 1900) and the leap second
/// records of a TZif file such as right/UTC (RFC 8536). Both parsers take any bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "servo/units/ntp_types.h"
#include "servo/units/result.h"

namespace gnomon {

struct LeapInfo {
    Leap leap = Leap::Normal;  ///< what happens at the end of this UTC day; never Unsynchronised
    int tai_offset_s = 0;      ///< TAI − UTC on this day; 0: not known
    bool expired = false;      ///< the end of this day is beyond the table's expiry
};

enum class LeapTableError : std::uint8_t {
    BadEntry,      ///< a line that is neither comment nor "seconds offset"
    NoUpdateLine,  ///< leap-seconds.list without #$
    NoExpiryLine,  ///< leap-seconds.list without #@
    TooLong,       ///< a line or the table exceeds its bound
    NotTzif,       ///< wrong magic, or shorter than its own counts
};
const char* to_string(LeapTableError error) noexcept;

class LeapTable {
public:
    /// From this UTC midnight on, TAI − UTC is `tai_offset_s`.
    struct Entry {
        std::int64_t from_unix_s = 0;
        int tai_offset_s = 0;
        friend constexpr bool operator==(const Entry&, const Entry&) noexcept = default;
    };

    /// TAI − UTC before the first leap second (1972-07-01).
    static constexpr int kFirstTaiOffset = 10;
    static constexpr std::size_t kMaxEntries = 1000;

    LeapTable() = default;
    /// Entries in the order of the file; `expires_unix_s` empty: never.
    LeapTable(std::vector<Entry> entries, std::optional<std::int64_t> expires_unix_s);

    static Result<LeapTable, LeapTableError> parse_list(std::string_view text);
    static Result<LeapTable, LeapTableError> parse_tzif(std::string_view bytes);

    /// For the UTC day that contains `unix_s`. An expired table still answers: its TAI offset is the
    /// best there is; `expired` tells the operator.
    LeapInfo lookup(std::int64_t unix_s) const noexcept;

    /// Knows of the leap second of June 2012 and of the day after; a table that does not is of no
    /// use and must be refused with a warning.
    bool is_plausible() const noexcept;

    const std::vector<Entry>& entries() const noexcept { return entries_; }

private:
    std::vector<Entry> entries_;
    std::optional<std::int64_t> expires_unix_s_;
};

}  // namespace gnomon
