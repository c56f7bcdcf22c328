#pragma once

/// The keys file: lines of `ID [TYPE] KEY`, KEY being plain text, `ASCII:text` or `HEX:digits`;
/// TYPE defaults to MD5. Lines that begin with one of !;#% are comments. A bad line is reported and
/// skipped, the others count: a typing error does not lock everybody out.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/wire/mac.h"

namespace gnomon {

struct KeyFileDiagnostic {
    enum class Severity : std::uint8_t { Warning, Error };
    Severity severity = Severity::Error;
    std::size_t line = 0;    ///< from 1
    std::size_t column = 0;  ///< from 1, in bytes
    std::string message;     ///< "duplicate key 5"; never contains key material
};

struct KeyFile {
    std::vector<SymmetricKey> keys;  ///< in the order of the file
    std::vector<KeyFileDiagnostic> diagnostics;
};

/// The longest line that is read; a longer one is an error.
inline constexpr std::size_t kMaxKeyLine = 2047;

/// Never fails as a whole: unusable lines become diagnostics.
KeyFile parse_key_file(std::string_view text);

}  // namespace gnomon
