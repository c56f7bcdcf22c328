#pragma once

/// Lines from the user: with editing, history and completion on a terminal, plain otherwise.

#include <optional>
#include <string>

namespace gnomon::cli {

class LineReader {
public:
    LineReader(bool interactive, std::string prompt);
    /// Nothing at the end of input.
    std::optional<std::string> next();

private:
    bool interactive_;
    std::string prompt_;
};

}  // namespace gnomon::cli
