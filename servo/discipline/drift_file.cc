#include "servo/discipline/drift_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace gnomon {
namespace {

constexpr double kMinSkew = 1e-12;
constexpr double kMaxFrequencyPpm = 1e6;

// strtod wants an end; a number longer than this is not one of ours.
constexpr std::size_t kMaxNumberLength = 63;

std::optional<double> take_number(std::string_view& text) {
    std::size_t begin = 0;
    while (begin < text.size() && std::isspace(static_cast<unsigned char>(text[begin]))) ++begin;
    std::size_t end = begin;
    while (end < text.size() && !std::isspace(static_cast<unsigned char>(text[end]))) ++end;
    if (end == begin || end - begin > kMaxNumberLength) return std::nullopt;
    std::array<char, kMaxNumberLength + 1> buffer{};
    std::memcpy(buffer.data(), text.data() + begin, end - begin);
    char* parsed_to = nullptr;
    const double value = std::strtod(buffer.data(), &parsed_to);
    if (parsed_to != buffer.data() + (end - begin)) return std::nullopt;
    text.remove_prefix(end);
    return value;
}

}  // namespace

const char* to_string(DriftFileError error) noexcept {
    switch (error) {
        case DriftFileError::Incomplete: return "two numbers expected";
        case DriftFileError::NotFinite: return "not a finite number";
        case DriftFileError::OutOfRange: return "out of range";
    }
    return "";
}

Result<DriftRecord, DriftFileError> parse_drift_file(std::string_view content) {
    const auto frequency_ppm = take_number(content);
    if (!frequency_ppm) return Unexpected(DriftFileError::Incomplete);
    const auto skew_ppm = take_number(content);
    if (!skew_ppm) return Unexpected(DriftFileError::Incomplete);
    if (!std::isfinite(*frequency_ppm) || !std::isfinite(*skew_ppm)) {
        return Unexpected(DriftFileError::NotFinite);
    }
    if (std::fabs(*frequency_ppm) >= kMaxFrequencyPpm || *skew_ppm < 0.0) {
        return Unexpected(DriftFileError::OutOfRange);
    }
    DriftRecord record;
    record.correction = Frequency::from_ppm(-*frequency_ppm);
    record.skew = std::max(*skew_ppm * 1e-6, kMinSkew);
    return record;
}

std::string format_drift_file(const DriftRecord& record) {
    // Adding zero turns a negative zero, which chrony's sign of a zero frequency would be, into zero.
    return fmt::format("{:20.6f} {:20.6f}\n", 0.0 - record.correction.ppm(), record.skew * 1e6);
}

bool DriftFileSchedule::update(Duration since_last) noexcept {
    age_ += since_last;
    if (age_ < interval_) return false;
    age_ = Duration::zero();
    return true;
}

}  // namespace gnomon
