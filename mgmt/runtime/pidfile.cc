#include "mgmt/runtime/pidfile.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "mgmt/runtime/storage.h"

namespace gnomon {

PidFile::~PidFile() {
    if (written_) unlink(path_.c_str());
}

std::optional<pid_t> PidFile::other_instance() const {
    if (path_.empty()) return std::nullopt;
    const SysResult<std::string> text = read_file(path_);
    if (!text) return std::nullopt;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
    if (error != std::errc() || pid <= 0 || pid == getpid()) return std::nullopt;
    // Works without the right to signal the process.
    if (getsid(pid) < 0) return std::nullopt;
    return pid;
}

SysResult<void> PidFile::write() {
    if (path_.empty()) return {};
    unlink(path_.c_str());
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return Unexpected(SysError::last("open " + path_));
    const std::string text = std::to_string(getpid()) + "\n";
    const ssize_t count = ::write(fd, text.data(), text.size());
    const SysError error = SysError::last("write " + path_);
    close(fd);
    if (count != static_cast<ssize_t>(text.size())) {
        unlink(path_.c_str());
        return Unexpected(error);
    }
    written_ = true;
    return {};
}

}  // namespace gnomon
