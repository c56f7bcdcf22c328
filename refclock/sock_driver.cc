#include "refclock/sock_driver.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "refclock/decode/sock_sample.h"

namespace gnomon {
namespace {

constexpr mode_t kSocketMode = 0666;

}  // namespace

SysResult<std::unique_ptr<SockDriver>> SockDriver::open(const std::string& path) {
    const std::string what = "socket " + path;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return Unexpected(SysError{what, ENAMETOOLONG});
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) return Unexpected(SysError::last(what));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct stat status {};
    // Left by a run that did not end well. Anything else at this path is a mistake worth an error.
    if (stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        chmod(path.c_str(), kSocketMode) < 0) {
        const SysError error = SysError::last(what);
        close(fd);
        return Unexpected(error);
    }
    return std::unique_ptr<SockDriver>(new SockDriver(fd, path));
}

SockDriver::~SockDriver() {
    close(fd_);
    unlink(path_.c_str());
}

void SockDriver::receive(std::vector<RawRefclockSample>& samples) {
    // Longer than any valid one, so that a longer one is not taken for it.
    std::array<std::uint8_t, kSockSampleSize + 16> buffer{};
    const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
    if (length < 0) return;
    const auto sample =
        decode_sock(std::span<const std::uint8_t>(buffer.data(), static_cast<size_t>(length)));
    if (sample) samples.push_back(*sample);
}

}  // namespace gnomon
