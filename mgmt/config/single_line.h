#pragma once

/// Internal to mgmt/config: words that come from a CLI, not from a file.

#include <string>
#include <vector>

#include "mgmt/config/lexer.h"

namespace gnomon {

/// Columns as if `directive` and `words` were joined by single spaces.
std::vector<Word> line_of(const std::string& directive, const std::vector<std::string>& words);

}  // namespace gnomon
