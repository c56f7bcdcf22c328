#pragma once

/// Command lines: cleaning, splitting, and numbers as the commands accept them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::cli {

/// Single blanks between words, none at the ends; empty for a comment (! ; # % as first character).
std::string normalise_line(std::string_view line);

std::vector<std::string> split_words(std::string_view line);

/// A number at the beginning of `text`; what follows it does not matter ("5s" is 5). Nothing where
/// there is no number or it does not fit.
std::optional<std::int32_t> leading_integer(std::string_view text);
std::optional<std::uint32_t> leading_unsigned(std::string_view text, int base = 10);
std::optional<double> leading_number(std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// The arguments of a command, consumed from the front.
class Arguments {
public:
    explicit Arguments(std::string_view normalised_line)
        : rest_(normalised_line), words_(split_words(normalised_line)) {}

    /// Everything after the command's name, one blank between words.
    const std::string& line() const noexcept { return rest_; }
    const std::vector<std::string>& words() const noexcept { return words_; }
    std::size_t size() const noexcept { return words_.size(); }
    bool empty() const noexcept { return words_.empty(); }
    /// Word `i`, empty beyond the last.
    std::string_view word(std::size_t i) const noexcept {
        return i < words_.size() ? std::string_view(words_[i]) : std::string_view();
    }

private:
    std::string rest_;
    std::vector<std::string> words_;
};

}  // namespace gnomon::cli
