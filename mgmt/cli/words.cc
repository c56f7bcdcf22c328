#include "mgmt/cli/words.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>

namespace gnomon::cli {

namespace {
bool is_space(char c) noexcept { return std::isspace(static_cast<unsigned char>(c)) != 0; }
}  // namespace

std::vector<std::string> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while (true) {
        while (at < line.size() && is_space(line[at])) ++at;
        if (at == line.size()) return words;
        const std::size_t begin = at;
        while (at < line.size() && !is_space(line[at])) ++at;
        words.emplace_back(line.substr(begin, at - begin));
    }
}

std::string normalise_line(std::string_view line) {
    std::string clean;
    for (const std::string& word : split_words(line)) {
        if (clean.empty() && std::string_view("!;#%").find(word[0]) != std::string_view::npos) {
            return {};
        }
        if (!clean.empty()) clean += ' ';
        clean += word;
    }
    return clean;
}

std::optional<std::int32_t> leading_integer(std::string_view text) {
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const long long value = std::strtoll(copy.c_str(), &end, 10);
    if (end == copy.c_str() || errno != 0 || value > std::numeric_limits<std::int32_t>::max() ||
        value < std::numeric_limits<std::int32_t>::min()) {
        return std::nullopt;
    }
    return static_cast<std::int32_t>(value);
}

std::optional<std::uint32_t> leading_unsigned(std::string_view text, int base) {
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const long long value = std::strtoll(copy.c_str(), &end, base);
    if (end == copy.c_str() || errno != 0 || value < 0 ||
        value > std::numeric_limits<std::uint32_t>::max()) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value);
}

std::optional<double> leading_number(std::string_view text) {
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (end == copy.c_str()) return std::nullopt;
    return value;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::tolower(static_cast<unsigned char>(a[i])) !=
            std::tolower(static_cast<unsigned char>(b[i]))) {
            return false;
        }
    }
    return true;
}

}  // namespace gnomon::cli
