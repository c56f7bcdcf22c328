#pragma once

/// What gnomon-mgmtd has to say goes to standard error, where systemd and people expect it.

#include <cstdio>
#include <string>

#include <fmt/format.h>

namespace gnomon::mgmtd {

template <typename... Args>
void log_line(fmt::format_string<Args...> format, Args&&... args) {
    std::string line = fmt::format(format, std::forward<Args>(args)...);
    // Names and paths from outside begin no line of their own.
    for (char& c : line) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    std::fprintf(stderr, "gnomon-mgmtd: %s\n", line.c_str());
}

}  // namespace gnomon::mgmtd
