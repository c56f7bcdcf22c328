#include "mgmt/mgmtd/exposition.h"

#include <cmath>

#include <fmt/format.h>

namespace gnomon::mgmtd {

namespace {

constexpr std::string_view kTotal = "_total";

bool ends_with_total(std::string_view name) {
    return name.size() > kTotal.size() && name.substr(name.size() - kTotal.size()) == kTotal;
}

/// Names of sources come from outside: nothing of them may end the label or the line.
void append_escaped(std::string& text, std::string_view value, bool quotes) {
    for (const char c : value) {
        switch (c) {
            case '\\': text += "\\\\"; break;
            case '\n': text += "\\n"; break;
            case '"':
                if (quotes) text += '\\';
                text += '"';
                break;
            default: text += c;
        }
    }
}

}  // namespace

std::string metric_number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0.0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value == 0.0 ? 0.0 : value);
}

const char* Exposition::content_type(Format format) noexcept {
    return format == Format::OpenMetrics
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

Exposition::Format Exposition::negotiate(std::string_view accept) noexcept {
    return accept.find("application/openmetrics-text") != std::string_view::npos
               ? Format::OpenMetrics
               : Format::Prometheus;
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
    name_ = name;
    std::string_view family = name;
    // In OpenMetrics a counter's family is called without the suffix of its samples.
    if (format_ == Format::OpenMetrics && type == Type::Counter && ends_with_total(name)) {
        family.remove_suffix(kTotal.size());
    }
    const char* type_name = type == Type::Gauge     ? "gauge"
                            : type == Type::Counter ? "counter"
                                                    : "histogram";
    text_ += fmt::format("# HELP {} ", family);
    append_escaped(text_, help, format_ == Format::OpenMetrics);
    text_ += fmt::format("\n# TYPE {} {}\n", family, type_name);
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view value) {
    text_ += name_;
    text_ += suffix;
    if (labels.size() > 0) {
        char separator = '{';
        for (const auto& [label, content] : labels) {
            text_ += separator;
            text_ += label;
            text_ += "=\"";
            append_escaped(text_, content, true);
            text_ += '"';
            separator = ',';
        }
        text_ += '}';
    }
    text_ += ' ';
    text_ += value;
    text_ += '\n';
}

void Exposition::sample(double value, Labels labels) { line("", labels, metric_number(value)); }

void Exposition::sample(std::uint64_t value, Labels labels) {
    line("", labels, fmt::format("{}", value));
}

void Exposition::bucket(double upper_bound, std::uint64_t cumulative) {
    // OpenMetrics wants 1.0 where Prometheus writes 1.
    std::string bound = metric_number(upper_bound);
    if (format_ == Format::Prometheus && bound.size() > 2 &&
        bound.compare(bound.size() - 2, 2, ".0") == 0) {
        bound.resize(bound.size() - 2);
    } else if (format_ == Format::OpenMetrics &&
               bound.find_first_not_of("0123456789") == std::string::npos) {
        bound += ".0";
    }
    line("_bucket", {{"le", bound}}, fmt::format("{}", cumulative));
}

void Exposition::total(double sum, std::uint64_t count) {
    line("_sum", {}, metric_number(sum));
    line("_count", {}, fmt::format("{}", count));
}

std::string Exposition::finish() {
    if (format_ == Format::OpenMetrics) text_ += "# EOF\n";
    return std::move(text_);
}

}  // namespace gnomon::mgmtd
