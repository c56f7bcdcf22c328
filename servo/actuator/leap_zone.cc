#include "servo/actuator/leap_zone.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace gnomon {
namespace {

struct FileCloser {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

SysResult<std::string> read_file(const std::string& path) {
    // Zones with all leap seconds have some kilobytes, the list has ten.
    constexpr std::size_t kMaxSize = 1 << 20;
    const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
    if (!file) return Unexpected(SysError::last("open " + path));
    std::string content;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
        content.append(buffer.data(), got);
        if (content.size() > kMaxSize) return Unexpected(SysError{"read " + path, EFBIG});
    }
    if (std::ferror(file.get())) return Unexpected(SysError::last("read " + path));
    return content;
}

}  // namespace

SysResult<LeapTable> load_leap_zone(const std::string& zone, const std::string& directory) {
    if (zone.empty() || zone.front() == '/' || zone.find("..") != std::string::npos) {
        return Unexpected(SysError{"time zone " + zone, EINVAL});
    }
    const std::string path = directory + "/" + zone;
    const auto bytes = read_file(path);
    if (!bytes) return Unexpected(bytes.error());
    auto table = LeapTable::parse_tzif(*bytes);
    if (!table) return Unexpected(SysError{path + ": " + to_string(table.error()), EBADMSG});
    if (table->entries().empty()) return Unexpected(SysError{path + ": no leap seconds", ENODATA});
    return std::move(table).value();
}

SysResult<LeapTable> load_leap_list(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return Unexpected(text.error());
    auto table = LeapTable::parse_list(*text);
    if (!table) return Unexpected(SysError{path + ": " + to_string(table.error()), EBADMSG});
    return std::move(table).value();
}

}  // namespace gnomon
