#pragma once

/// Lines and words of chrony's configuration syntax (SYN-01, SYN-02).
///
/// Words are separated by white space; there is no quoting and no continuation. A line whose first
/// visible character is one of ! ; # % is a comment; there are no comments behind a directive.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon {

struct Word {
    std::string text;
    int column = 0;  ///< 1-based byte in its line.
};

/// Longest line, without its end, plus one.
inline constexpr std::size_t kMaxLineBytes = 2048;

struct LexedLine {
    std::vector<Word> words;  ///< Empty for blank lines and comments, and when there is an error.
    std::string error;        ///< Empty: fine.
    int error_column = 0;
};

/// Any bytes; never fails otherwise than by `error` (too long, NUL or control characters).
LexedLine lex_line(std::string_view line);

/// At LF. The last element is what follows the last LF, if anything does.
std::vector<std::string_view> split_lines(std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// `words` from index `first` on, with single spaces between.
std::string join_words(const std::vector<Word>& words, std::size_t first = 0);

}  // namespace gnomon
