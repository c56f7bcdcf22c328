#pragma once

/// `Record`: one report entry, written once and rendered three ways.
///
///  * text: the fields with the literals between them, scaled and padded for people;
///  * CSV:  the fields only, unscaled: spans with nine decimals, frequencies with three, times as
///          seconds since 1970;
///  * JSON: an object; the keys name the unit.
/// Every field method takes the JSON key first and returns *this for chaining.

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::cli {

/// How a decimal number is laid out in text.
struct Decimals {
    int precision = 0;
    bool sign = false;
    int width = 0;
};

class Record {
public:
    /// Text only.
    Record& literal(std::string_view text);

    Record& real(const char* key, double value, Decimals layout);
    /// "0.123456789 seconds slow": > 0 is slow.
    Record& offset_words(const char* key, double seconds, int precision);
    /// "1.234 ppm fast": > 0 is fast.
    Record& frequency_words(const char* key, double ppm, int precision);
    Record& ppm(const char* key, double value);
    Record& signed_ppm(const char* key, double value);
    Record& span(const char* key, double seconds);
    Record& signed_span(const char* key, double seconds);
    /// `kNever` is "-" in text and null in JSON.
    Record& ago(const char* key, std::uint32_t seconds);
    /// log2 s of the client log; unknown is "-" and null.
    Record& interval(const char* key, int log2_s);
    Record& whole(const char* key, std::uint64_t value, int width = 0);
    Record& integer(const char* key, std::int64_t value, int width = 0);
    Record& octal(const char* key, unsigned value, int width);
    /// The low `count` bits, highest first.
    Record& bits(const char* key, unsigned value, int count);
    Record& yes_no(const char* key, bool value);
    Record& date(const char* key, UtcTime time);
    Record& log_date(const char* key, UtcTime time);
    Record& ref_id(const char* key, RefId value);
    Record& leap(const char* key, Leap value);
    /// One character in text, words in CSV.
    Record& leap_letter(const char* key, Leap value);
    Record& character(const char* key, char value);
    /// `width` < 0: left-justified.
    Record& string(const char* key, std::string_view value, int width = 0);
    /// Only in JSON: for what text and CSV spread over several fields.
    Record& json_only(const char* key, nlohmann::ordered_json value);
    /// Only in text and CSV.
    Record& flag_letter(char value);

    const std::string& text() const noexcept { return text_; }
    /// Without a line end.
    const std::string& csv() const noexcept { return csv_; }
    const nlohmann::ordered_json& json() const noexcept { return json_; }

private:
    Record& add(const char* key, std::string_view text, std::string_view csv,
                nlohmann::ordered_json json);
    void add_csv(std::string_view csv);

    std::string text_;
    std::string csv_;
    bool has_csv_ = false;
    nlohmann::ordered_json json_ = nlohmann::ordered_json::object();
};

}  // namespace gnomon::cli
