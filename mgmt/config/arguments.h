#pragma once

/// The words behind a directive, and typed ways to take them that report what is wrong.
///
/// Internal to mgmt/config. A reader of a value that fails has already added its diagnostic and
/// left the target as it was; the caller only stops.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/config/diagnostic.h"
#include "mgmt/config/lexer.h"

namespace gnomon {

/// Two nested ranges: outside `valid` is an error; outside `effective` is clamped with a warning.
struct IntRange {
    std::int64_t min = std::numeric_limits<std::int32_t>::min();
    std::int64_t max = std::numeric_limits<std::int32_t>::max();
};
struct DoubleRange {
    double min = std::numeric_limits<double>::lowest();
    double max = std::numeric_limits<double>::max();
};
inline constexpr IntRange kCount{0, std::numeric_limits<std::int32_t>::max()};
inline constexpr DoubleRange kAnyNumber{};
inline constexpr DoubleRange kNotNegative{0.0, std::numeric_limits<double>::max()};

/// Adds diagnostics for the words of one line.
class Reporter {
public:
    Reporter(std::string file, int line, std::vector<Diagnostic>& out);

    void error(const Word& word, std::string message);
    void warning(const Word& word, std::string message);

    /// Decimal integers only. False: reported.
    bool read_int(const Word& word, int& value, IntRange valid, IntRange effective);
    bool read_int(const Word& word, int& value, IntRange valid) {
        return read_int(word, value, valid, valid);
    }
    bool read_u32(const Word& word, std::uint32_t& value, std::uint32_t min);
    bool read_u64(const Word& word, std::uint64_t& value);
    bool read_port(const Word& word, std::uint16_t& port);
    /// Finite decimal numbers. Outside `effective`: clamped with a warning.
    bool read_double(const Word& word, double& value, DoubleRange effective);
    bool read_ip(const Word& word, IpAddress& value);

private:
    bool read_integer(const Word& word, std::int64_t& value, IntRange valid);

    std::string file_;
    int line_ = 0;
    std::vector<Diagnostic>* out_;
};

class Arguments {
public:
    /// `words[0]` is the directive itself. Both references outlive this object.
    Arguments(const std::vector<Word>& words, Reporter& reporter);

    Reporter& report() { return *reporter_; }
    const Word& directive() const { return (*words_)[0]; }
    std::size_t count() const { return words_->size() - 1; }
    /// `index` < count().
    const Word& operator[](std::size_t index) const { return (*words_)[index + 1]; }

    /// The next word not taken yet; nullptr at the end.
    const Word* next();
    /// The value of option `name`; nullptr and a diagnostic when the line ends here.
    const Word* next_value(const Word& name);

    /// False, with a diagnostic, unless there are `min`..`max` words.
    bool expect(std::size_t min, std::size_t max);
    bool expect(std::size_t exactly) { return expect(exactly, exactly); }

    // Directives with exactly one value, or none.
    void take_flag(bool& value, bool when_given = true);
    void take_int(int& value, IntRange valid, IntRange effective);
    void take_int(int& value, IntRange valid) { take_int(value, valid, valid); }
    void take_double(double& value, DoubleRange effective);
    void take_string(std::string& value);
    void take_port(std::uint16_t& value);
    /// Into the one of the two that has the address's family.
    void take_address(IpAddress& v4, IpAddress& v6);

private:
    const std::vector<Word>* words_;
    Reporter* reporter_;
    std::size_t next_ = 1;
};

/// The candidate that was probably meant, by edit distance; empty when none is near.
std::string_view closest(std::string_view text, const std::vector<std::string_view>& candidates);

/// " (did you mean 'makestep'?)", or nothing.
std::string did_you_mean(std::string_view text, const std::vector<std::string_view>& candidates);

/// "a, b or c".
std::string list_of(const std::vector<std::string_view>& names);

}  // namespace gnomon
