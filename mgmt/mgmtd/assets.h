#pragma once

/// Files that are part of the program: the dashboard (mgmt/web/dist, when it was there at build
/// time) and openapi.json. CMake makes the table.

#include <string_view>

namespace gnomon::mgmtd {

struct Asset {
    std::string_view path;  ///< "/index.html"
    std::string_view content_type;
    std::string_view etag;
    std::string_view body;
};

/// Null when there is no such file.
const Asset* find_asset(std::string_view path) noexcept;

}  // namespace gnomon::mgmtd
