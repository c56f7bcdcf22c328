#include "mgmt/config/lexer.h"

#include <fmt/format.h>

namespace gnomon {
namespace {

// Not std::isspace(): the locale must not change what a configuration means.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

LexedLine lex_line(std::string_view line) {
    LexedLine result;
    if (line.size() >= kMaxLineBytes) {
        result.error = fmt::format("the line has {} bytes; at most {} are allowed", line.size(),
                                   kMaxLineBytes - 1);
        result.error_column = static_cast<int>(kMaxLineBytes);
        return result;
    }
    std::size_t i = 0;
    while (i < line.size() && is_space(line[i])) ++i;
    if (i == line.size() || std::string_view("!;#%").find(line[i]) != std::string_view::npos) {
        return result;
    }
    while (i < line.size()) {
        const std::size_t begin = i;
        for (; i < line.size() && !is_space(line[i]); ++i) {
            if (!is_control(line[i])) continue;
            result.words.clear();
            result.error = fmt::format("control character 0x{:02x} in the line",
                                       static_cast<unsigned>(static_cast<unsigned char>(line[i])));
            result.error_column = static_cast<int>(i) + 1;
            return result;
        }
        result.words.push_back(
            {std::string(line.substr(begin, i - begin)), static_cast<int>(begin) + 1});
        while (i < line.size() && is_space(line[i])) ++i;
    }
    return result;
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

std::string join_words(const std::vector<Word>& words, std::size_t first) {
    std::string text;
    for (std::size_t i = first; i < words.size(); ++i) {
        if (i > first) text += ' ';
        text += words[i].text;
    }
    return text;
}

}  // namespace gnomon
