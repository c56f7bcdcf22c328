/// Arbitrary bytes as a drift file: no crash, and what is accepted is sane and survives being written.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "servo/discipline/drift_file.h"

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto record = gnomon::parse_drift_file(text);
    if (!record) {
        check(gnomon::to_string(record.error())[0] != '\0');
        return 0;
    }
    check(std::fabs(record->correction.ratio()) <= 1.0);
    check(record->skew >= 1e-12 && std::isfinite(record->skew));
    // Rounded to six digits, a frequency just below the limit is at the limit.
    const auto again = gnomon::parse_drift_file(gnomon::format_drift_file(*record));
    if (std::fabs(record->correction.ppm()) < 999'999.0 && record->skew < 1e40) {
        check(again.has_value());
        check(std::fabs((again->correction - record->correction).ppm()) <= 1e-6);
    }
    return 0;
}
