#include "mgmt/cli/text_units.h"

#include <array>
#include <cmath>
#include <ctime>
#include <string>

#include <fmt/format.h>

#include "mgmt/command/reports.h"

namespace gnomon::cli {

namespace {

/// Up to `below` seconds a span is shown in units of `unit_s` with this many decimals.
struct SpanUnit {
    double below;
    double unit_s;
    int decimals;
    const char* suffix;
};

constexpr double kMinute = 60.0;
constexpr double kHour = 3600.0;
constexpr double kDay = 86400.0;

constexpr SpanUnit kSpanUnits[] = {
    {9999.5e-9, 1e-9, 0, "ns"},       {9999.5e-6, 1e-6, 0, "us"},
    {9999.5e-3, 1e-3, 0, "ms"},       {999.5, 1.0, 1, "s"},
    {99999.5, 1.0, 0, "s"},           {99999.5 * kMinute, kMinute, 0, "m"},
    {99999.5 * kHour, kHour, 0, "h"}, {99999.5 * kDay, kDay, 0, "d"},
};
constexpr SpanUnit kYears{0.0, 365 * kDay, 0, "y"};

const SpanUnit& unit_for(double magnitude) {
    for (const SpanUnit& unit : kSpanUnits) {
        if (magnitude < unit.below) return unit;
    }
    return kYears;
}

/// Multiplied for the small units, as the decimals of the quotient would differ in the last place.
double in_unit(double seconds, const SpanUnit& unit) {
    return unit.unit_s < 1.0 ? seconds * std::round(1.0 / unit.unit_s) : seconds / unit.unit_s;
}

std::string utc_text(UtcTime time, const char* format) {
    const timespec ts = time.to_timespec();
    tm fields{};
    if (gmtime_r(&ts.tv_sec, &fields) == nullptr) return {};
    std::array<char, 64> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format, &fields);
    return std::string(text.data(), size);
}

constexpr double kWidePpm = 99999.5;

}  // namespace

std::string seconds_text(std::uint32_t seconds) {
    if (seconds == command::kNever) return "   -";
    if (seconds < 1200) return fmt::format("{:4}", seconds);
    if (seconds < 36000) return fmt::format("{:3}m", seconds / 60);
    if (seconds < 345600) return fmt::format("{:3}h", seconds / 3600);
    const std::uint32_t days = seconds / 86400;
    return days > 999 ? fmt::format("{:3}y", days / 365) : fmt::format("{:3}d", days);
}

std::string span_text(double seconds) {
    const double magnitude = std::abs(seconds);
    const SpanUnit& unit = unit_for(magnitude);
    const std::size_t suffix = std::char_traits<char>::length(unit.suffix);
    return fmt::format("{:{}.{}f}{}", in_unit(magnitude, unit), 6 - suffix, unit.decimals,
                       unit.suffix);
}

std::string signed_span_text(double seconds) {
    const SpanUnit& unit = unit_for(std::abs(seconds));
    const std::size_t suffix = std::char_traits<char>::length(unit.suffix);
    return fmt::format("{:+{}.{}f}{}", in_unit(seconds, unit), 7 - suffix, unit.decimals,
                       unit.suffix);
}

std::string ppm_text(double ppm) {
    return fmt::format("{:10.{}f}", ppm, std::abs(ppm) < kWidePpm ? 3 : 0);
}

std::string signed_ppm_text(double ppm) {
    return fmt::format("{:+10.{}f}", ppm, std::abs(ppm) < kWidePpm ? 3 : 0);
}

std::string interval_text(int log2_s) {
    return log2_s >= command::ClientAccess::kUnknownInterval ? " -" : fmt::format("{:2}", log2_s);
}

std::string date_text(UtcTime time) { return utc_text(time, "%a %b %d %H:%M:%S %Y"); }

std::string log_date_text(UtcTime time) { return utc_text(time, "%Y-%m-%d %H:%M:%S"); }

std::string epoch_text(UtcTime time) {
    const timespec ts = time.to_timespec();
    return fmt::format("{}.{:09}", static_cast<std::int64_t>(ts.tv_sec),
                       static_cast<std::int64_t>(ts.tv_nsec));
}

std::string ref_id_text(RefId ref_id) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const auto c = static_cast<char>((ref_id.value >> shift) & 0xff);
        if (c >= ' ' && c <= '~') text.push_back(c);
    }
    return text;
}

const char* leap_text(Leap leap) noexcept {
    switch (leap) {
        case Leap::Normal: return "Normal";
        case Leap::InsertSecond: return "Insert second";
        case Leap::DeleteSecond: return "Delete second";
        case Leap::Unsynchronised: return "Not synchronised";
    }
    return "Invalid";
}

char leap_char(Leap leap) noexcept {
    switch (leap) {
        case Leap::Normal: return 'N';
        case Leap::InsertSecond: return '+';
        case Leap::DeleteSecond: return '-';
        case Leap::Unsynchronised: return '?';
    }
    return '?';
}

}  // namespace gnomon::cli
