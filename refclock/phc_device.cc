#include "refclock/phc_device.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace gnomon {
namespace {

/// Nobody waits longer for the sake of more readings.
constexpr Duration kLongestBurst = Duration::from_us(500);

static_assert(PhcSampler::kMaxReadings <= PTP_MAX_SAMPLES);

Duration duration_of(const ptp_clock_time& time) {
    return Duration::from_s(time.sec) + Duration::from_ns(time.nsec);
}

PhcReading reading_of(const ptp_clock_time& before, const ptp_clock_time& phc,
                      const ptp_clock_time& after) {
    return PhcReading{SystemTime() + duration_of(before), PhcTime() + duration_of(phc),
                      SystemTime() + duration_of(after)};
}

/// "/dev/ptp0" for "eth0"; empty: it has no clock.
std::string path_of_interface(const std::string& name) {
    ethtool_ts_info info{};
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name) return {};
    std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
    info.cmd = ETHTOOL_GET_TS_INFO;
    request.ifr_data = reinterpret_cast<char*>(&info);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return {};
    const int result = ioctl(fd, SIOCETHTOOL, &request);
    close(fd);
    if (result < 0 || info.phc_index < 0) return {};
    return "/dev/ptp" + std::to_string(info.phc_index);
}

SysResult<int> open_clock(const std::string& path, int flags) {
    const std::string what = "PHC " + path;
    // open(), not openat(): simulators of system calls know the former.
    const int fd = open(path.c_str(), flags);
    if (fd < 0) return Unexpected(SysError::last(what));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    ptp_clock_caps capabilities{};
    if (ioctl(fd, PTP_CLOCK_GETCAPS, &capabilities) < 0) {
        const SysError error = SysError::last(what);
        close(fd);
        return Unexpected(error);
    }
    return fd;
}

}  // namespace

SysResult<PhcDevice> PhcDevice::open(const std::string& name, bool writable) {
    const bool is_path = !name.empty() && name[0] == '/';
    const std::string path = is_path ? name : path_of_interface(name);
    if (path.empty()) return Unexpected(SysError{"PHC of interface " + name, ENODEV});
    const auto fd = open_clock(path, writable ? O_RDWR : O_RDONLY);
    if (!fd) return Unexpected(fd.error());
    struct stat status {};
    if (fstat(*fd, &status) < 0 || !S_ISCHR(status.st_mode)) {
        close(*fd);
        return Unexpected(SysError{"PHC " + path, ENOTTY});
    }
    return PhcDevice(*fd, minor(status.st_rdev));
}

PhcDevice::PhcDevice(PhcDevice&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), index_(other.index_), way_(other.way_) {}

PhcDevice::~PhcDevice() {
    if (fd_ >= 0) close(fd_);
}

std::vector<PhcReading> PhcDevice::read(bool cross_timestamps) {
    const auto attempt = [this](Way way, auto function) {
        std::vector<PhcReading> readings;
        if (way_ != Way::Unknown && way_ != way) return readings;
        readings = (this->*function)();
        if (!readings.empty()) way_ = way;
        return readings;
    };
    if (cross_timestamps) {
        auto readings = attempt(Way::Precise, &PhcDevice::read_precise);
        if (!readings.empty()) return readings;
    }
    auto readings = attempt(Way::Extended, &PhcDevice::read_extended);
    return readings.empty() ? attempt(Way::Plain, &PhcDevice::read_plain) : readings;
}

std::vector<PhcReading> PhcDevice::read_precise() const {
    std::vector<PhcReading> readings;
    ptp_sys_offset_precise request{};
    // The hardware pairs the clocks once per call. Some answer at once, some take milliseconds.
    while (readings.size() < PhcSampler::kMaxReadings &&
           ioctl(fd_, PTP_SYS_OFFSET_PRECISE, &request) == 0) {
        readings.push_back(reading_of(request.sys_realtime, request.device, request.sys_realtime));
        if (readings.back().after - readings.front().before > kLongestBurst) break;
        request = ptp_sys_offset_precise{};
    }
    return readings;
}

std::vector<PhcReading> PhcDevice::read_extended() const {
    ptp_sys_offset_extended request{};
    request.n_samples = PhcSampler::kMaxReadings;
    if (ioctl(fd_, PTP_SYS_OFFSET_EXTENDED, &request) < 0) return {};
    std::vector<PhcReading> readings;
    for (const auto& stamps : request.ts) {
        if (readings.size() == PhcSampler::kMaxReadings) break;
        readings.push_back(reading_of(stamps[0], stamps[1], stamps[2]));
    }
    return readings;
}

std::vector<PhcReading> PhcDevice::read_plain() const {
    ptp_sys_offset request{};
    request.n_samples = PhcSampler::kMaxReadings;
    if (ioctl(fd_, PTP_SYS_OFFSET, &request) < 0) return {};
    std::vector<PhcReading> readings;
    // System and hardware clock take turns; each hardware reading lies between two of the system.
    for (int i = 0; i < PhcSampler::kMaxReadings; ++i) {
        const auto index = static_cast<std::size_t>(2 * i);
        readings.push_back(
            reading_of(request.ts[index], request.ts[index + 1], request.ts[index + 2]));
    }
    return readings;
}

SysResult<void> PhcDevice::enable_external(int pin, int channel, bool falling_edge) {
    if (pin >= 0) {
        ptp_pin_desc description{};
        description.index = static_cast<unsigned>(pin);
        description.func = PTP_PF_EXTTS;
        description.chan = static_cast<unsigned>(channel);
        if (ioctl(fd_, PTP_PIN_SETFUNC, &description) < 0) {
            return Unexpected(SysError::last("pin " + std::to_string(pin) + " of PHC"));
        }
    }
    ptp_extts_request request{};
    request.index = static_cast<unsigned>(channel);
    request.flags = PTP_ENABLE_FEATURE | (falling_edge ? PTP_FALLING_EDGE : PTP_RISING_EDGE);
    if (ioctl(fd_, PTP_EXTTS_REQUEST, &request) < 0) {
        return Unexpected(SysError::last("channel " + std::to_string(channel) + " of PHC"));
    }
#if defined(PTP_MASK_CLEAR_ALL) && defined(PTP_MASK_EN_SINGLE)
    // Other channels' events have their own descriptors; kernels before 6.7 cannot tell them apart.
    unsigned single = static_cast<unsigned>(channel);
    if (ioctl(fd_, PTP_MASK_CLEAR_ALL) == 0) ioctl(fd_, PTP_MASK_EN_SINGLE, &single);
#endif
    return {};
}

void PhcDevice::disable_external(int pin, int channel) {
    ptp_extts_request request{};
    request.index = static_cast<unsigned>(channel);
    ioctl(fd_, PTP_EXTTS_REQUEST, &request);
    if (pin < 0) return;
    ptp_pin_desc description{};
    description.index = static_cast<unsigned>(pin);
    description.func = PTP_PF_NONE;
    description.chan = static_cast<unsigned>(channel);
    ioctl(fd_, PTP_PIN_SETFUNC, &description);
}

std::optional<PhcDevice::ExternalEvent> PhcDevice::read_external() {
    // O_NONBLOCK has no effect on these, and another descriptor may have taken the event.
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, 0) != 1 || (waiting.revents & POLLIN) == 0) return std::nullopt;
    ptp_extts_event event{};
    if (::read(fd_, &event, sizeof event) != static_cast<ssize_t>(sizeof event))
        return std::nullopt;
    return ExternalEvent{PhcTime() + duration_of(event.t), static_cast<int>(event.index)};
}

}  // namespace gnomon
