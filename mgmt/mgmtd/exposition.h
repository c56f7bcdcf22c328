#pragma once

/// `Exposition`: metrics as text, in the format of Prometheus (0.0.4) or OpenMetrics (1.0.0).
/// Families come one after the other; all samples of one follow its head.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace gnomon::mgmtd {

class Exposition {
public:
    enum class Format { Prometheus, OpenMetrics };
    enum class Type { Gauge, Counter, Histogram };
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    explicit Exposition(Format format) : format_(format) {}

    static const char* content_type(Format format) noexcept;
    /// What a client that sends this Accept header gets.
    static Format negotiate(std::string_view accept) noexcept;

    /// `name` of a counter ends in _total.
    void family(std::string_view name, Type type, std::string_view help);
    /// Of the last family.
    void sample(double value, Labels labels = {});
    void sample(std::uint64_t value, Labels labels = {});
    /// `_bucket`, `_sum`, `_count` of the last family, which is a histogram.
    void bucket(double upper_bound, std::uint64_t cumulative);
    void total(double sum, std::uint64_t count);

    std::string finish();

private:
    void line(std::string_view suffix, Labels labels, std::string_view value);

    Format format_;
    std::string name_;
    std::string text_;
};

/// Shortest text that reads back the same; +Inf, -Inf, NaN.
std::string metric_number(double value);

}  // namespace gnomon::mgmtd
