#pragma once

/// The drift file: what we know of the oscillator, kept over restarts. One line, two numbers in ppm,
/// `"%20.6f %20.6f\n"`: frequency and skew (FIL-01, the same file as chronyd's).
///
/// Sign in the file: positive means that the uncorrected clock runs *fast*. In memory it is the
/// correction, positive makes the clock faster.

#include <optional>
#include <string>
#include <string_view>

#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/result.h"

namespace gnomon {

struct DriftRecord {
    Frequency correction;
    double skew = 0.0;  ///< s/s, ≥ 1e-12
};

enum class DriftFileError : std::uint8_t {
    Incomplete,  ///< fewer than two numbers
    NotFinite,   ///< inf or nan
    OutOfRange,  ///< |frequency| ≥ 1e6 ppm, or a negative skew
};
const char* to_string(DriftFileError error) noexcept;

/// Anything after the two numbers is ignored. Never throws, takes any bytes.
Result<DriftRecord, DriftFileError> parse_drift_file(std::string_view content);

std::string format_drift_file(const DriftRecord& record);

/// When to rewrite: after `interval` of synchronised operation; the time counts by update intervals,
/// so that an idle daemon does not touch the disk.
class DriftFileSchedule {
public:
    explicit DriftFileSchedule(Duration interval = Duration::from_s(3600)) : interval_(interval) {}

    /// One more update, `since_last` after the one before. True: write now.
    bool update(Duration since_last) noexcept;

private:
    Duration interval_;
    Duration age_;
};

}  // namespace gnomon
