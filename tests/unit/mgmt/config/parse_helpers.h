#pragma once

#include <string>
#include <vector>

#include "mgmt/config/parser.h"
#include "tests/unit/mgmt/config/memory_files.h"

namespace gnomon {

inline constexpr char kMainFile[] = "/etc/main.conf";

inline ParsedConfig parse_text(const std::string& text) {
    MemoryFiles files;
    files.write(kMainFile, text);
    return parse_config_file(kMainFile, files, {default_config(Personality::Chrony)});
}

/// All diagnostics as an operator would see them, one per line.
inline std::string all_text(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.to_string() + "\n";
    return text;
}

}  // namespace gnomon
