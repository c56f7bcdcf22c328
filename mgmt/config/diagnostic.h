#pragma once

/// What the configuration parser has to say about one word of one line.
///
/// The parser never stops at the first mistake: an operator sees every one of them in a single run.

#include <cstdint>
#include <string>
#include <vector>

namespace gnomon {

enum class Severity : std::uint8_t {
    Warning,  ///< The daemon starts; the line has less effect than written.
    Error,    ///< The daemon must not start with this configuration.
};

struct Diagnostic {
    Severity severity = Severity::Error;
    /// As it was opened; kCommandLine for directives given as arguments; empty where a single line
    /// is parsed on its own (gnomonc add server …).
    std::string file;
    /// 1-based; for arguments the number of the argument. 0 = the file as a whole.
    int line = 0;
    /// 1-based byte in the line of the word in question. 0 = the file as a whole.
    int column = 0;
    std::string message;

    /// "/etc/gnomon/gnomon.conf:3:9: error: …" in the form that editors jump to.
    std::string to_string() const;
    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

inline constexpr char kCommandLine[] = "<command line>";

bool has_errors(const std::vector<Diagnostic>& diagnostics);

}  // namespace gnomon
