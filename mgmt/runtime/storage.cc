#include "mgmt/runtime/storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace gnomon {

namespace {

constexpr mode_t kParentMode = 0755;
constexpr mode_t kPermissionBits = 0777;

SysResult<void> write_all(int fd, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t written = write(fd, content.data(), content.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return Unexpected(SysError::last("write " + path));
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

// A rename survives a power cut only once its directory has reached the disk.
void flush_directory(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

}  // namespace

SysResult<std::string> read_file(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Unexpected(SysError::last("open " + path));
    std::string content;
    char buffer[4096];
    for (;;) {
        const ssize_t count = read(fd, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            const SysError error = SysError::last("read " + path);
            close(fd);
            return Unexpected(error);
        }
        if (count == 0) break;
        content.append(buffer, static_cast<std::size_t>(count));
    }
    close(fd);
    return content;
}

SysResult<void> write_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string temporary = path + ".tmp";
    // What a crash left behind may have another owner or mode.
    unlink(temporary.c_str());
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return Unexpected(SysError::last("open " + temporary));

    SysResult<void> written = write_all(fd, content, temporary);
    if (written && fsync(fd) != 0) written = Unexpected(SysError::last("fsync " + temporary));
    if (close(fd) != 0 && written) written = Unexpected(SysError::last("close " + temporary));
    if (written && rename(temporary.c_str(), path.c_str()) != 0) {
        written = Unexpected(SysError::last("rename " + temporary + " to " + path));
    }
    if (!written) {
        unlink(temporary.c_str());
        return written;
    }
    flush_directory(parent_directory(path));
    return {};
}

SysResult<void> remove_file(const std::string& path) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
        return Unexpected(SysError::last("unlink " + path));
    }
    return {};
}

std::optional<SystemTime> modification_time(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return std::nullopt;
    return SystemTime::from_timespec(status.st_mtim);
}

SysResult<void> create_directories(const std::string& path, mode_t mode, uid_t owner, gid_t group) {
    if (path.empty()) return {};
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return {};
        return Unexpected(SysError{"mkdir " + path, ENOTDIR});
    }
    const std::string parent = parent_directory(path);
    if (parent != path) {
        if (auto made = create_directories(parent, kParentMode, 0, 0); !made) return made;
    }
    if (mkdir(path.c_str(), mode) != 0) return Unexpected(SysError::last("mkdir " + path));
    // The umask has had its say in mkdir.
    if (chmod(path.c_str(), mode) != 0) return Unexpected(SysError::last("chmod " + path));
    if (geteuid() == 0 && (owner != 0 || group != 0) && chown(path.c_str(), owner, group) != 0) {
        return Unexpected(SysError::last("chown " + path));
    }
    return {};
}

bool directory_is_private(const std::string& path, mode_t mode, uid_t owner, gid_t group) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        // A simulated directory exists for stat only.
        struct stat status {};
        return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
               (status.st_mode & kPermissionBits & ~mode) == 0 && status.st_uid == owner &&
               status.st_gid == group;
    }
    struct stat status {};
    const bool known = fstat(fd, &status) == 0;
    close(fd);
    return known && S_ISDIR(status.st_mode) && (status.st_mode & kPermissionBits & ~mode) == 0 &&
           status.st_uid == owner && status.st_gid == group;
}

SysResult<void> check_writable_directory(const std::string& path) {
    if (path.empty() || access(path.c_str(), W_OK | X_OK) == 0) return {};
    return Unexpected(SysError::last("write to " + path));
}

std::string parent_directory(const std::string& path) {
    const std::size_t end = path.find_last_not_of('/');
    if (end == std::string::npos) return path.empty() ? "." : "/";
    const std::size_t slash = path.rfind('/', end);
    if (slash == std::string::npos) return ".";
    const std::size_t last = path.find_last_not_of('/', slash);
    return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

std::optional<std::string> SystemConfigFiles::read(const std::string& path) {
    SysResult<std::string> content = read_file(path);
    if (!content) return std::nullopt;
    return std::move(*content);
}

std::vector<std::string> SystemConfigFiles::glob(const std::string& pattern) {
    std::vector<std::string> paths;
    glob_t found{};
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
    return paths;
}

std::vector<std::string> SystemConfigFiles::list_dir(const std::string& dir,
                                                     const std::string& suffix) {
    std::vector<std::string> names;
    DIR* handle = opendir(dir.c_str());
    if (handle == nullptr) return names;
    while (const dirent* entry = readdir(handle)) {
        const std::string name = entry->d_name;
        if (name.empty() || name.front() == '.' || name.size() < suffix.size()) continue;
        if (name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
            names.push_back(name);
        }
    }
    closedir(handle);
    return names;
}

}  // namespace gnomon
