#include "mgmt/cli/record.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "mgmt/cli/text_units.h"
#include "mgmt/command/reports.h"

namespace gnomon::cli {

namespace {
constexpr int kCsvSpanDecimals = 9;
constexpr int kCsvPpmDecimals = 3;

std::string decimals(double value, int precision) {
    return fmt::format("{:.{}f}", value, precision);
}

/// By bytes: names come from elsewhere and need not be UTF-8.
std::string padded(std::string_view text, int width) {
    const auto columns = static_cast<std::size_t>(std::abs(width));
    const std::string blanks(columns > text.size() ? columns - text.size() : 0, ' ');
    return width < 0 ? std::string(text) + blanks : blanks + std::string(text);
}
}  // namespace

void Record::add_csv(std::string_view csv) {
    if (has_csv_) csv_ += ',';
    has_csv_ = true;
    csv_ += csv;
}

Record& Record::add(const char* key, std::string_view text, std::string_view csv,
                    nlohmann::ordered_json json) {
    text_ += text;
    add_csv(csv);
    json_[key] = std::move(json);
    return *this;
}

Record& Record::literal(std::string_view text) {
    text_ += text;
    return *this;
}

Record& Record::real(const char* key, double value, Decimals layout) {
    const std::string text = layout.sign
                                 ? fmt::format("{:+{}.{}f}", value, layout.width, layout.precision)
                                 : fmt::format("{:{}.{}f}", value, layout.width, layout.precision);
    return add(key, text, decimals(value, layout.precision), value);
}

Record& Record::offset_words(const char* key, double seconds, int precision) {
    return add(key,
               fmt::format("{:.{}f} seconds {}", std::abs(seconds), precision,
                           seconds > 0.0 ? "slow" : "fast"),
               decimals(seconds, kCsvSpanDecimals), seconds);
}

Record& Record::frequency_words(const char* key, double ppm, int precision) {
    return add(key,
               fmt::format("{:.{}f} ppm {}", std::abs(ppm), precision, ppm > 0.0 ? "fast" : "slow"),
               decimals(ppm, kCsvPpmDecimals), ppm);
}

Record& Record::ppm(const char* key, double value) {
    return add(key, ppm_text(value), decimals(value, kCsvPpmDecimals), value);
}

Record& Record::signed_ppm(const char* key, double value) {
    return add(key, signed_ppm_text(value), decimals(value, kCsvPpmDecimals), value);
}

Record& Record::span(const char* key, double seconds) {
    return add(key, span_text(seconds), decimals(seconds, kCsvSpanDecimals), seconds);
}

Record& Record::signed_span(const char* key, double seconds) {
    return add(key, signed_span_text(seconds), decimals(seconds, kCsvSpanDecimals), seconds);
}

Record& Record::ago(const char* key, std::uint32_t seconds) {
    const bool never = seconds == command::kNever;
    return add(key, seconds_text(seconds), std::to_string(seconds),
               never ? nlohmann::ordered_json() : nlohmann::ordered_json(seconds));
}

Record& Record::interval(const char* key, int log2_s) {
    const bool unknown = log2_s >= command::ClientAccess::kUnknownInterval;
    return add(key, interval_text(log2_s), std::to_string(log2_s),
               unknown ? nlohmann::ordered_json() : nlohmann::ordered_json(log2_s));
}

Record& Record::whole(const char* key, std::uint64_t value, int width) {
    return add(key, fmt::format("{:{}}", value, width), std::to_string(value), value);
}

Record& Record::integer(const char* key, std::int64_t value, int width) {
    return add(key, fmt::format("{:{}}", value, width), std::to_string(value), value);
}

Record& Record::octal(const char* key, unsigned value, int width) {
    return add(key, fmt::format("{:{}o}", value, width), fmt::format("{:o}", value), value);
}

Record& Record::bits(const char* key, unsigned value, int count) {
    std::string text;
    for (int i = count - 1; i >= 0; --i) text += (value >> i & 1U) != 0 ? '1' : '0';
    return add(key, text, text, text);
}

Record& Record::yes_no(const char* key, bool value) {
    const char* text = value ? "Yes" : "No";
    return add(key, text, text, value);
}

Record& Record::date(const char* key, UtcTime time) {
    return add(key, date_text(time), epoch_text(time), time.since_epoch().to_seconds());
}

Record& Record::log_date(const char* key, UtcTime time) {
    const std::string text = log_date_text(time);
    return add(key, text, text, time.since_epoch().to_seconds());
}

Record& Record::ref_id(const char* key, RefId value) {
    const std::string text = fmt::format("{:08X}", value.value);
    return add(key, text, text, text);
}

Record& Record::leap(const char* key, Leap value) {
    return add(key, leap_text(value), leap_text(value), leap_text(value));
}

Record& Record::leap_letter(const char* key, Leap value) {
    return add(key, std::string(1, leap_char(value)), leap_text(value), leap_text(value));
}

Record& Record::character(const char* key, char value) {
    const std::string text(1, value);
    const bool ascii = static_cast<unsigned char>(value) < 0x80;
    return add(key, text, text, ascii ? text : std::string());
}

Record& Record::string(const char* key, std::string_view value, int width) {
    return add(key, padded(value, width), value, std::string(value));
}

Record& Record::json_only(const char* key, nlohmann::ordered_json value) {
    json_[key] = std::move(value);
    return *this;
}

Record& Record::flag_letter(char value) {
    text_ += value;
    add_csv(std::string_view(&value, 1));
    return *this;
}

}  // namespace gnomon::cli
