#include "refclock/pps_driver.h"

#include <fcntl.h>
#include <linux/pps.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gnomon {
namespace {

SysResult<void> choose_edge(int fd, const std::string& what, bool clear_edge) {
    int capabilities = 0;
    if (ioctl(fd, PPS_GETCAP, &capabilities) < 0) return Unexpected(SysError::last(what));
    const int wanted = clear_edge ? PPS_CAPTURECLEAR : PPS_CAPTUREASSERT;
    const int other = clear_edge ? PPS_CAPTUREASSERT : PPS_CAPTURECLEAR;
    if ((capabilities & wanted) == 0) {
        const char* edge = clear_edge ? ": clear edges" : ": assert edges";
        return Unexpected(SysError{what + edge, EOPNOTSUPP});
    }
    pps_kparams parameters{};
    if (ioctl(fd, PPS_GETPARAMS, &parameters) < 0) return Unexpected(SysError::last(what));
    parameters.mode = (parameters.mode & ~other) | wanted;
    if (ioctl(fd, PPS_SETPARAMS, &parameters) < 0) return Unexpected(SysError::last(what));
    return {};
}

}  // namespace

SysResult<std::unique_ptr<PpsDriver>> PpsDriver::open(const std::string& path, bool clear_edge) {
    const std::string what = "PPS device " + path;
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return Unexpected(SysError::last(what));
    if (auto chosen = choose_edge(fd, what, clear_edge); !chosen) {
        close(fd);
        return Unexpected(chosen.error());
    }
    return std::unique_ptr<PpsDriver>(new PpsDriver(fd, clear_edge));
}

PpsDriver::~PpsDriver() { close(fd_); }

void PpsDriver::poll(std::vector<RawRefclockSample>& samples) {
    // A zero timeout: what has been captured last, without waiting.
    pps_fdata data{};
    if (ioctl(fd_, PPS_FETCH, &data) < 0) return;
    const std::uint32_t sequence =
        clear_edge_ ? data.info.clear_sequence : data.info.assert_sequence;
    const pps_ktime& stamp = clear_edge_ ? data.info.clear_tu : data.info.assert_tu;
    if (sequence == last_sequence_ || (stamp.sec == 0 && stamp.nsec == 0)) return;
    last_sequence_ = sequence;
    samples.push_back(
        pulse_at(SystemTime() + (Duration::from_s(stamp.sec) + Duration::from_ns(stamp.nsec))));
}

}  // namespace gnomon
