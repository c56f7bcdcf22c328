#pragma once

/// The one parser of server, pool and peer lines (SOP-37).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/diagnostic.h"
#include "mgmt/config/files.h"
#include "mgmt/config/source_config.h"

namespace gnomon {

struct SourceLine {
    /// Unset when there is an error among the diagnostics.
    std::optional<SourceConfig> source;
    /// Columns count in the words joined by single spaces, the kind being the first of them:
    /// "server NAME …".
    std::vector<Diagnostic> diagnostics;
};

/// "server", "pool", "peer", in any case.
std::optional<SourceKind> parse_source_kind(std::string_view word);

/// `words`: the name, then options, as after `add server` of the CLI. No names are resolved.
SourceLine parse_source_line(SourceKind kind, const std::vector<std::string>& words);

struct SourcesDirResult {
    std::vector<SourceConfig> sources;
    /// Warnings only: a line that is not understood is left out, the others count (SYN-09).
    std::vector<Diagnostic> diagnostics;
};

/// Reads the *.sources files of one `sourcedir` line: in the order of their base names; of files
/// with the same base name only the one in the directory listed first. A last line without LF is
/// being written and is left out.
SourcesDirResult parse_sources_dir(const std::vector<std::string>& dirs, ConfigFiles& files);

/// The same for all `sourcedir` lines (ClientConfig::source_dirs), in order.
SourcesDirResult parse_sources_dirs(const std::vector<std::vector<std::string>>& source_dirs,
                                    ConfigFiles& files);

}  // namespace gnomon
