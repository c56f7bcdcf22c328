#include "mgmt/config/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>
#include <utility>

namespace gnomon {
namespace {

enum class NumberError { None, NotANumber, OutOfRange };

/// strtol() and sscanf() take a leading plus, std::from_chars() does not.
std::string_view without_plus(std::string_view text) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    return text;
}

template <typename T>
NumberError parse_number(std::string_view text, T& value) {
    text = without_plus(text);
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc::invalid_argument || end != text.data() + text.size()) {
        return NumberError::NotANumber;
    }
    return code == std::errc() ? NumberError::None : NumberError::OutOfRange;
}

std::string quoted(const Word& word) { return "'" + word.text + "'"; }

std::string range_text(IntRange range) {
    if (range.min == IntRange{}.min && range.max == IntRange{}.max) return "a 32-bit integer";
    if (range.max >= std::numeric_limits<std::int32_t>::max()) {
        return fmt::format("at least {}", range.min);
    }
    return fmt::format("{} to {}", range.min, range.max);
}

/// Longer words are garbage, not slips; the limit also keeps long garbage cheap.
constexpr std::size_t kLongestSlip = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment: a swap of neighbours is one mistake, as fingers make it. `text` has at
/// most kLongestSlip letters. Answers `limit` as soon as the distance cannot be less.
std::size_t edit_distance(std::string_view text, std::string_view candidate, std::size_t limit) {
    // Three rows of the matrix are alive: a line of garbage is compared with a hundred candidates.
    using Row = std::array<std::size_t, kLongestSlip + 1>;
    Row before{};
    Row above{};
    Row row{};
    std::size_t least_above = 0;
    for (std::size_t j = 0; j <= text.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= candidate.size(); ++i) {
        const char letter = lower(candidate[i - 1]);
        row[0] = i;
        std::size_t least = i;
        for (std::size_t j = 1; j <= text.size(); ++j) {
            const bool same = lower(text[j - 1]) == letter;
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(text[j - 2]) == letter &&
                lower(text[j - 1]) == lower(candidate[i - 2])) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
            least = std::min(least, row[j]);
        }
        // A swap reaches back two rows.
        if (least >= limit && least_above >= limit) return limit;
        least_above = least;
        before = above;
        above = row;
    }
    return above[text.size()];
}

}  // namespace

Reporter::Reporter(std::string file, int line, std::vector<Diagnostic>& out)
    : file_(std::move(file)), line_(line), out_(&out) {}

void Reporter::error(const Word& word, std::string message) {
    out_->push_back({Severity::Error, file_, line_, word.column, std::move(message)});
}

void Reporter::warning(const Word& word, std::string message) {
    out_->push_back({Severity::Warning, file_, line_, word.column, std::move(message)});
}

bool Reporter::read_integer(const Word& word, std::int64_t& value, IntRange valid) {
    std::int64_t number = 0;
    const NumberError problem = parse_number(word.text, number);
    if (problem == NumberError::NotANumber) {
        error(word,
              fmt::format("{} is not an integer; expected {}", quoted(word), range_text(valid)));
        return false;
    }
    if (problem == NumberError::OutOfRange || number < valid.min || number > valid.max) {
        error(word, fmt::format("{} is out of range; expected {}", word.text, range_text(valid)));
        return false;
    }
    value = number;
    return true;
}

bool Reporter::read_int(const Word& word, int& value, IntRange valid, IntRange effective) {
    std::int64_t number = 0;
    if (!read_integer(word, number, valid)) return false;
    value = static_cast<int>(std::clamp(number, effective.min, effective.max));
    if (value != number) {
        warning(word, fmt::format("{} is taken as {}; useful values are {}", number, value,
                                  range_text(effective)));
    }
    return true;
}

bool Reporter::read_u32(const Word& word, std::uint32_t& value, std::uint32_t min) {
    std::int64_t number = 0;
    if (!read_integer(word, number, {min, 0xffffffff})) return false;
    value = static_cast<std::uint32_t>(number);
    return true;
}

bool Reporter::read_u64(const Word& word, std::uint64_t& value) {
    std::int64_t number = 0;
    if (!read_integer(word, number, {0, std::numeric_limits<std::int64_t>::max()})) return false;
    value = static_cast<std::uint64_t>(number);
    return true;
}

bool Reporter::read_port(const Word& word, std::uint16_t& port) {
    std::int64_t number = 0;
    if (!read_integer(word, number, {0, 65535})) return false;
    port = static_cast<std::uint16_t>(number);
    return true;
}

bool Reporter::read_double(const Word& word, double& value, DoubleRange effective) {
    double number = 0.0;
    const NumberError problem = parse_number(word.text, number);
    if (problem != NumberError::None || !std::isfinite(number)) {
        error(word, fmt::format("{} is not a finite number", quoted(word)));
        return false;
    }
    value = std::clamp(number, effective.min, effective.max);
    if (value != number) {
        const std::string useful = effective.max == kNotNegative.max
                                       ? fmt::format("at least {}", effective.min)
                                       : fmt::format("{} to {}", effective.min, effective.max);
        warning(word,
                fmt::format("{} is taken as {}; useful values are {}", word.text, value, useful));
    }
    return true;
}

bool Reporter::read_ip(const Word& word, IpAddress& value) {
    const std::optional<IpAddress> address = IpAddress::parse(word.text);
    if (!address || !address->is_ip()) {
        error(word, fmt::format("{} is not a numeric IPv4 or IPv6 address", quoted(word)));
        return false;
    }
    value = *address;
    return true;
}

Arguments::Arguments(const std::vector<Word>& words, Reporter& reporter)
    : words_(&words), reporter_(&reporter) {}

const Word* Arguments::next() { return next_ < words_->size() ? &(*words_)[next_++] : nullptr; }

const Word* Arguments::next_value(const Word& name) {
    const Word* value = next();
    if (value == nullptr) {
        reporter_->error(name, fmt::format("option {} needs a value", quoted(name)));
    }
    return value;
}

bool Arguments::expect(std::size_t min, std::size_t max) {
    if (count() < min) {
        reporter_->error(directive(),
                         fmt::format("missing argument: {} needs {}{}, got {}", quoted(directive()),
                                     min == max ? "" : "at least ", min, count()));
        return false;
    }
    if (count() > max) {
        reporter_->error((*this)[max],
                         max == 0 ? fmt::format("{} takes no argument", quoted(directive()))
                                  : fmt::format("too many arguments: {} takes at most {}",
                                                quoted(directive()), max));
        return false;
    }
    return true;
}

void Arguments::take_flag(bool& value, bool when_given) {
    if (expect(0)) value = when_given;
}

void Arguments::take_int(int& value, IntRange valid, IntRange effective) {
    if (expect(1)) reporter_->read_int((*this)[0], value, valid, effective);
}

void Arguments::take_double(double& value, DoubleRange effective) {
    if (expect(1)) reporter_->read_double((*this)[0], value, effective);
}

void Arguments::take_string(std::string& value) {
    if (expect(1)) value = (*this)[0].text;
}

void Arguments::take_port(std::uint16_t& value) {
    if (expect(1)) reporter_->read_port((*this)[0], value);
}

void Arguments::take_address(IpAddress& v4, IpAddress& v6) {
    IpAddress address;
    if (!expect(1) || !reporter_->read_ip((*this)[0], address)) return;
    (address.family() == IpAddress::Family::V4 ? v4 : v6) = address;
}

std::string_view closest(std::string_view text, const std::vector<std::string_view>& candidates) {
    // A third of the letters wrong is no longer a slip.
    if (text.empty() || text.size() > kLongestSlip) return {};
    std::size_t best = std::max<std::size_t>(1, text.size() / 3) + 1;
    std::string_view found;
    for (const std::string_view candidate : candidates) {
        const std::size_t longer = std::max(text.size(), candidate.size());
        const std::size_t shorter = std::min(text.size(), candidate.size());
        // The difference in length is a lower bound, and free.
        if (longer - shorter >= best) continue;
        const std::size_t distance = edit_distance(text, candidate, best);
        if (distance >= best || distance >= candidate.size()) continue;
        best = distance;
        found = candidate;
    }
    return found;
}

std::string did_you_mean(std::string_view text, const std::vector<std::string_view>& candidates) {
    const std::string_view found = closest(text, candidates);
    return found.empty() ? std::string() : fmt::format(" (did you mean '{}'?)", found);
}

std::string list_of(const std::vector<std::string_view>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
        text += names[i];
    }
    return text;
}

}  // namespace gnomon
