#pragma once

/// The daemon's log: what it says to people, as opposed to the columns of log_files.h.
///
/// The only mutable global of the project, because a message must be possible from anywhere in the
/// programs at any time. Used by the control thread only; nothing below L4 logs.
///
/// Destinations: the terminal (standard error), a file, or syslog. On the terminal and in files a line
/// begins with `YYYY-MM-DDThh:mm:ssZ ` (UTC); syslog adds its own time. Wording and the severity each
/// message has are interface: scripts look for them (LOG-13).

#include <string>
#include <string_view>

#include <fmt/core.h>

#include "servo/units/result.h"

namespace gnomon {

/// The numbers are those of the option -L.
enum class LogSeverity : int { Debug = -1, Info = 0, Warning = 1, Error = 2, Fatal = 3 };

class Log {
public:
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Where a new process logs to; also after a failed `to_file`.
    void to_terminal();
    /// `program` is the identifier of every line there.
    void to_syslog(const std::string& program);
    /// Appends to `path` (mode 0640, line-buffered). On failure the old destination stays.
    SysResult<void> to_file(const std::string& path);
    /// Opens the file again after it has been moved away; keeps the old one if that fails.
    void cycle();

    void set_threshold(LogSeverity threshold) noexcept { threshold_ = threshold; }
    LogSeverity threshold() const noexcept { return threshold_; }

    /// Fatal messages go to this pipe too, for a parent that waits for us (daemonize.h). -1: none.
    void set_parent(int fd) noexcept { parent_fd_ = fd; }

    /// `message` without a line end. Below the threshold: nothing happens.
    void write(LogSeverity severity, std::string_view message);

private:
    friend Log& log();
    Log() = default;
    void close_destination() noexcept;

    LogSeverity threshold_ = LogSeverity::Info;
    /// -1: not a file. 2 (standard error) is never closed.
    int fd_ = 2;
    std::string path_;
    std::string program_;
    bool syslog_ = false;
    int parent_fd_ = -1;
};

Log& log();

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
    log().write(LogSeverity::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    log().write(LogSeverity::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
    log().write(LogSeverity::Error, fmt::format(format, std::forward<Args>(args)...));
}
/// For a condition the program ends on; the caller ends it. Returns exit status 1.
template <typename... Args>
int log_fatal(fmt::format_string<Args...> format, Args&&... args) {
    log().write(LogSeverity::Fatal, fmt::format(format, std::forward<Args>(args)...));
    return 1;
}

}  // namespace gnomon
