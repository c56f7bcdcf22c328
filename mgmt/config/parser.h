#pragma once

/// chrony.conf syntax to a typed Config. Sans-IO: files come from a ConfigFiles; nothing is
/// resolved, opened or created.
///
/// Every call returns a complete Config, even with errors (what was good in the file, defaults
/// otherwise); the caller decides by has_errors(). Any bytes are acceptable input.

#include <string>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/config/diagnostic.h"
#include "mgmt/config/files.h"

namespace gnomon {

struct ParseOptions {
    /// What the file adds to; default_config() of the program's personality.
    Config initial;
    /// -R: a `makestep` with a positive limit does nothing.
    bool restarted = false;
};

struct ParsedConfig {
    Config config;
    /// In the order in which lines are read.
    std::vector<Diagnostic> diagnostics;
};

/// The file with everything it includes.
ParsedConfig parse_config_file(const std::string& path, ConfigFiles& files,
                               const ParseOptions& options);

/// Directives given as arguments, one line each; they stand in for the file (SYN-04). `files`
/// serves include and confdir.
ParsedConfig parse_config_lines(const std::vector<std::string>& lines, ConfigFiles& files,
                                const ParseOptions& options);

/// What `-p` writes: one line per directive, as given, in effective order (SYN-10).
std::string print_config(const Config& config);

/// docs/chrony-compat.md, generated from the table of directives.
std::string render_compat_table();

}  // namespace gnomon
