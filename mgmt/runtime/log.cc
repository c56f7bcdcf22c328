#include "mgmt/runtime/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

namespace gnomon {

namespace {

constexpr int kStandardError = 2;
constexpr mode_t kFileMode = 0640;

int open_for_append(const std::string& path) {
    return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kFileMode);
}

int syslog_priority(LogSeverity severity) {
    switch (severity) {
        case LogSeverity::Debug: return LOG_DEBUG;
        case LogSeverity::Info: return LOG_INFO;
        case LogSeverity::Warning: return LOG_WARNING;
        case LogSeverity::Error: return LOG_ERR;
        case LogSeverity::Fatal: return LOG_CRIT;
    }
    return LOG_INFO;
}

// A full disk or a closed terminal must not stop the clock: what cannot be written is lost.
void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string time_prefix() {
    const time_t now = time(nullptr);
    tm parts{};
    char text[32] = "";
    if (gmtime_r(&now, &parts) != nullptr) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ ", &parts);
    }
    return text;
}

}  // namespace

Log& log() {
    static Log instance;
    return instance;
}

Log::~Log() { close_destination(); }

void Log::close_destination() noexcept {
    if (syslog_) closelog();
    if (fd_ > kStandardError) close(fd_);
    syslog_ = false;
    fd_ = -1;
    path_.clear();
}

void Log::to_terminal() {
    close_destination();
    fd_ = kStandardError;
}

void Log::to_syslog(const std::string& program) {
    close_destination();
    program_ = program;
    syslog_ = true;
    openlog(program_.c_str(), LOG_PID, LOG_DAEMON);
}

SysResult<void> Log::to_file(const std::string& path) {
    const int fd = open_for_append(path);
    if (fd < 0) return Unexpected(SysError::last("open " + path));
    close_destination();
    fd_ = fd;
    path_ = path;
    return {};
}

void Log::cycle() {
    if (path_.empty()) return;
    struct stat present {};
    // Nothing was moved away: opening would only risk an error.
    if (stat(path_.c_str(), &present) == 0) return;
    const int fd = open_for_append(path_);
    if (fd < 0) {
        write(LogSeverity::Error, SysError::last("Could not open " + path_).message());
        return;
    }
    close(fd_);
    fd_ = fd;
}

void Log::write(LogSeverity severity, std::string_view message) {
    const bool fatal = severity == LogSeverity::Fatal;
    std::string line = fatal ? "Fatal error : " : "";
    line += message;
    if (severity >= threshold_) {
        if (syslog_) {
            syslog(syslog_priority(severity), "%s", line.c_str());
        } else if (fd_ >= 0) {
            write_all(fd_, time_prefix() + line + "\n");
        }
    }
    if (fatal && parent_fd_ >= 0) write_all(parent_fd_, std::string(message) + '\0');
}

}  // namespace gnomon
