#include "mgmt/cli/date.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <ctime>
#include <string>
#include <vector>

#include "mgmt/cli/words.h"

namespace gnomon::cli {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Unit {
    std::string_view name;
    std::int64_t seconds;
};
constexpr Unit kUnits[] = {{"sec", 1},       {"second", 1},         {"min", 60},
                           {"minute", 60},   {"hour", 3600},        {"day", 86400},
                           {"week", 604800}, {"fortnight", 1209600}};

/// Numbers separated by one kind of character, all of the text.
std::vector<int> numbers(std::string_view text, char separator) {
    std::vector<int> values;
    std::size_t at = 0;
    while (true) {
        const std::size_t end = std::min(text.find(separator, at), text.size());
        int value = 0;
        const char* last = text.data() + end;
        const auto [stop, error] = std::from_chars(text.data() + at, last, value);
        if (error != std::errc() || stop != last || value < 0) return {};
        values.push_back(value);
        if (end == text.size()) return values;
        at = end + 1;
    }
}

class DateParser {
public:
    DateParser(std::string_view text, std::int64_t now) : now_(now) {
        std::string lower;
        for (const char c : text) {
            lower +=
                c == ',' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        words_ = split_words(lower);
        const std::time_t local = now;
        localtime_r(&local, &fields_);
    }

    std::optional<std::int64_t> parse() {
        if (words_.empty()) return std::nullopt;
        if (words_.size() == 1 && words_[0][0] == '@') return epoch(words_[0]);
        while (at_ < words_.size()) {
            if (!(time_of_day() || zone() || numeric_day() || month_day() || day_word() ||
                  distance() || lone_number())) {
                return std::nullopt;
            }
        }
        return result();
    }

private:
    static std::optional<std::int64_t> epoch(const std::string& word) {
        std::int64_t value = 0;
        const char* last = word.data() + word.size();
        const auto [stop, error] = std::from_chars(word.data() + 1, last, value);
        if (error != std::errc() || stop != last) return std::nullopt;
        return value;
    }

    std::string_view peek(std::size_t ahead = 0) const {
        return at_ + ahead < words_.size() ? std::string_view(words_[at_ + ahead])
                                           : std::string_view();
    }
    std::optional<int> whole(std::string_view word) const {
        const auto values = numbers(word, '\0');
        if (values.size() != 1) return std::nullopt;
        return values[0];
    }

    bool time_of_day() {
        std::string_view word = peek();
        if (word.find(':') == std::string_view::npos || has_time_) return false;
        bool utc = false;
        if (word.back() == 'z') {
            utc = true;
            word.remove_suffix(1);
        }
        auto values = numbers(word, ':');
        if (values.size() < 2 || values.size() > 3) return false;
        const std::string_view half = peek(1);
        const bool twelve = half == "am" || half == "pm";
        if (values[0] > (twelve ? 12 : 23) || values[1] > 59) return false;
        if (values.size() == 3 && values[2] > 60) return false;
        if (twelve) values[0] = values[0] % 12 + (half == "pm" ? 12 : 0);
        set_time(values[0], values[1], values.size() == 3 ? values[2] : 0);
        if (utc) zone_s_ = 0;
        at_ += twelve ? 2 : 1;
        return true;
    }

    bool zone() {
        const std::string_view word = peek();
        if (word == "utc" || word == "gmt" || word == "z") {
            zone_s_ = 0;
        } else if (has_time_ && word.size() == 5 && (word[0] == '+' || word[0] == '-')) {
            const auto value = whole(word.substr(1));
            if (!value || *value % 100 > 59) return false;
            zone_s_ = (*value / 100 * 60 + *value % 100) * (word[0] == '-' ? -60 : 60);
        } else {
            return false;
        }
        ++at_;
        return true;
    }

    bool numeric_day() {
        std::string_view word = peek();
        const std::size_t t = word.find('t');
        std::string rest;
        if (t != std::string_view::npos && word.find('-') < t) {
            rest = std::string(word.substr(t + 1));
            word = word.substr(0, t);
        }
        if (const auto iso = numbers(word, '-'); iso.size() == 3) {
            if (!set_day(iso[0], iso[1], iso[2])) return false;
        } else if (const auto us = numbers(word, '/'); us.size() == 3 || us.size() == 2) {
            if (!set_day(us.size() == 3 ? us[2] : fields_.tm_year + 1900, us[0], us[1]))
                return false;
        } else {
            return false;
        }
        if (rest.empty()) {
            ++at_;
        } else {
            words_[at_] = rest;
        }
        return true;
    }

    static int index_of(std::string_view word, const std::string_view* names, int count) {
        if (word.size() < 3) return -1;
        for (int i = 0; i < count; ++i) {
            if (word.substr(0, 3) == names[i]) return i;
        }
        return -1;
    }

    /// "nov 22 2026", "22 nov 2026", either without the year.
    bool month_day() {
        const bool day_first = whole(peek()).has_value();
        const int month = index_of(peek(day_first ? 1 : 0), kMonths.data(), 12);
        const auto day = whole(peek(day_first ? 0 : 1));
        if (month < 0 || !day) return false;
        const auto year = whole(peek(2));
        const bool has_year = year.has_value() && *year > 31;
        if (!set_day(has_year ? *year : fields_.tm_year + 1900, month + 1, *day)) return false;
        at_ += has_year ? 3 : 2;
        return true;
    }

    bool day_word() {
        const std::string_view word = peek();
        if (word == "now" || word == "today") {
            relative_ = true;
        } else if (word == "yesterday" || word == "tomorrow") {
            relative_ = true;
            fields_.tm_mday += word == "tomorrow" ? 1 : -1;
        } else if (index_of(word, kDays.data(), 7) < 0 || word.size() > 9) {
            return false;
        }
        ++at_;
        return true;
    }

    bool distance() {
        std::string_view word = peek();
        const bool minus = word.size() > 1 && word[0] == '-';
        if (minus || (word.size() > 1 && word[0] == '+')) word.remove_prefix(1);
        const auto count = whole(word);
        std::string_view name = peek(1);
        if (!count || name.empty()) return false;
        if (name.back() == 's' && name.size() > 3) name.remove_suffix(1);
        for (const Unit& unit : kUnits) {
            if (name != unit.name) continue;
            const bool ago = peek(2) == "ago";
            distance_s_ += *count * unit.seconds * (minus != ago ? -1 : 1);
            relative_ = true;
            at_ += ago ? 3 : 2;
            return true;
        }
        return false;
    }

    /// A year after a time of day ("nov 22 16:30:05 2026").
    bool lone_number() {
        const auto value = whole(peek());
        if (!value || !has_day_ || *value <= 31) return false;
        fields_.tm_year = *value - 1900;
        ++at_;
        return true;
    }

    void set_time(int hour, int minute, int second) {
        fields_.tm_hour = hour;
        fields_.tm_min = minute;
        fields_.tm_sec = second;
        has_time_ = true;
    }

    bool set_day(int year, int month, int day) {
        if (has_day_ || month < 1 || month > 12 || day < 1 || day > 31 || year > 9999) return false;
        if (year < 70) {
            year += 2000;
        } else if (year < 100) {
            year += 1900;
        }
        fields_.tm_year = year - 1900;
        fields_.tm_mon = month - 1;
        fields_.tm_mday = day;
        has_day_ = true;
        return true;
    }

    std::optional<std::int64_t> result() {
        if (!has_time_ && !has_day_ && !relative_) return std::nullopt;
        if (has_day_ && !has_time_) set_time(0, 0, 0);
        fields_.tm_isdst = -1;
        std::tm copy = fields_;
        const std::int64_t base =
            zone_s_.has_value() ? timegm(&copy) - *zone_s_ : std::mktime(&copy);
        if (base == -1) return std::nullopt;
        // Relative to this very second, unless a day or time was named as well.
        return (has_day_ || has_time_ || zone_s_.has_value() || copy.tm_mday != today() ? base
                                                                                        : now_) +
               distance_s_;
    }

    int today() const {
        const std::time_t local = now_;
        std::tm fields{};
        localtime_r(&local, &fields);
        return fields.tm_mday;
    }

    std::int64_t now_;
    std::vector<std::string> words_;
    std::size_t at_ = 0;
    std::tm fields_{};
    bool has_time_ = false;
    bool has_day_ = false;
    bool relative_ = false;
    std::int64_t distance_s_ = 0;
    std::optional<int> zone_s_;
};

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now) {
    return DateParser(text, now).parse();
}

}  // namespace gnomon::cli
