#pragma once

/// The pid file: at most one daemon per file, and other programs find the process by it.

#include <sys/types.h>

#include <optional>
#include <string>

#include "servo/units/result.h"

namespace gnomon {

class PidFile {
public:
    /// An empty path means none.
    explicit PidFile(std::string path) : path_(std::move(path)) {}
    /// Removes what `write` has written.
    ~PidFile();
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

    /// The process that the file names, if it is alive and not this one. A file that a crash left
    /// behind (no such process, or no number) names nobody.
    std::optional<pid_t> other_instance() const;

    /// Replaces a stale file with this process's number. A link at the path is not followed, and of
    /// two daemons that start together one fails with EEXIST.
    SysResult<void> write();

private:
    std::string path_;
    bool written_ = false;
};

}  // namespace gnomon
