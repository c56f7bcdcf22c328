#include "mgmt/config/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

namespace gnomon {

std::string Diagnostic::to_string() const {
    const char* word = severity == Severity::Error ? "error" : "warning";
    if (line == 0) return fmt::format("{}: {}: {}", file, word, message);
    if (file.empty()) return fmt::format("{}:{}: {}: {}", line, column, word, message);
    return fmt::format("{}:{}:{}: {}: {}", file, line, column, word, message);
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
    return std::any_of(diagnostics.begin(), diagnostics.end(),
                       [](const Diagnostic& d) { return d.severity == Severity::Error; });
}

}  // namespace gnomon
