#pragma once

/// Small files of the daemon: drift, dumps, keys. A reader sees the old content or the new one, never
/// half of either, even after a power cut.
///
/// Plain open/stat/mkdir only, no *at variants: simulators interpose the former. The paths are the
/// operator's; nothing that came from a network reaches one.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "mgmt/config/files.h"
#include "mgmt/engine/services.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon {

SysResult<std::string> read_file(const std::string& path);

/// Writes PATH.tmp, flushes it to the disk and renames it over `path`.
SysResult<void> write_file(const std::string& path, std::string_view content, mode_t mode);

/// Missing already counts as success.
SysResult<void> remove_file(const std::string& path);

/// When `path` was last changed; nothing when it is missing.
std::optional<SystemTime> modification_time(const std::string& path);

/// Makes `path` and its missing parents; `mode` and owner are those of the last one, parents are 0755.
/// A directory that exists is left as it is. An empty path counts as success.
SysResult<void> create_directories(const std::string& path, mode_t mode, uid_t owner, gid_t group);

/// Whether `path` is a directory (not a link to one) of `owner` and `group` with no permission bits
/// outside `mode`.
bool directory_is_private(const std::string& path, mode_t mode, uid_t owner, gid_t group);

/// Whether this process may make files in `path`. An empty path counts as success.
SysResult<void> check_writable_directory(const std::string& path);

/// "." when there is no slash.
std::string parent_directory(const std::string& path);

/// The parser's view of the file system.
class SystemConfigFiles final : public ConfigFiles {
public:
    std::optional<std::string> read(const std::string& path) override;
    std::vector<std::string> glob(const std::string& pattern) override;
    std::vector<std::string> list_dir(const std::string& dir, const std::string& suffix) override;
};

/// The engine's view of it.
class SystemStorage final : public Storage {
public:
    SysResult<std::string> read(const std::string& path) override { return read_file(path); }
    SysResult<void> write(const std::string& path, std::string_view text,
                          std::uint32_t mode) override {
        return write_file(path, text, static_cast<mode_t>(mode));
    }
    SysResult<void> remove(const std::string& path) override { return remove_file(path); }
};

}  // namespace gnomon
