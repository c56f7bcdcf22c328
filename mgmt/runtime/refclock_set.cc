#include "mgmt/runtime/refclock_set.h"

#include <algorithm>
#include <utility>

#include "refclock/pps_driver.h"
#include "refclock/shm_driver.h"
#include "refclock/sock_driver.h"

namespace gnomon {
namespace {

template <typename Driver>
SysResult<std::unique_ptr<RefclockDriver>> as_driver(SysResult<std::unique_ptr<Driver>> opened) {
    if (!opened) return Unexpected(opened.error());
    return std::unique_ptr<RefclockDriver>(std::move(opened).value());
}

}  // namespace

RefclockSet::RefclockSet(EventLoop& loop, Sink sink) : loop_(loop), sink_(std::move(sink)) {}

RefclockSet::~RefclockSet() {
    for (const auto& driver : drivers_) {
        if (driver->fd() >= 0) loop_.unwatch(driver->fd());
    }
}

SysResult<void> RefclockSet::open(const Config& config, double clock_precision_s) {
    for (const RefclockConfig& refclock : config.refclocks) {
        if (refclock.options.tai && config.clock.leap_list.empty() &&
            config.clock.leap_tz.empty()) {
            return Unexpected(
                SysError{"refclock tai option requires leapseclist or leapsectz", EINVAL});
        }
        auto driver = create(refclock, std::max(clock_precision_s, refclock.options.precision_s));
        if (!driver) return Unexpected(driver.error());
        drivers_.push_back(std::move(driver).value());
    }
    return {};
}

SysResult<std::unique_ptr<RefclockDriver>> RefclockSet::create(const RefclockConfig& config,
                                                               double clock_precision_s) {
    const RefclockDevice& device = config.device;
    switch (device.kind) {
        case RefclockKind::Shm: return as_driver(ShmDriver::open(device.unit, device.mode));
        case RefclockKind::Sock: return as_driver(SockDriver::open(device.path));
        case RefclockKind::Pps: return as_driver(PpsDriver::open(device.path, device.clear_edge));
        case RefclockKind::Phc: {
            PhcDriver::Options options;
            options.cross_timestamps = device.cross_timestamps;
            options.external_pps = device.external_pps;
            options.pin = device.pin;
            options.channel = device.channel;
            options.clear_edge = device.clear_edge;
            options.precision_s = clock_precision_s;
            return as_driver(PhcDriver::open(device.path, options, router_));
        }
        case RefclockKind::Rtc: break;
    }
    return Unexpected(SysError{"refclock driver RTC", ENOSYS});
}

void RefclockSet::watch() {
    for (std::size_t i = 0; i < drivers_.size(); ++i) {
        if (drivers_[i]->fd() < 0) continue;
        loop_.watch(drivers_[i]->fd(), EventLoop::kReadable, [this, i](EventLoop::Events) {
            received_.clear();
            drivers_[i]->receive(received_);
            if (!received_.empty()) sink_(i, received_);
        });
    }
}

}  // namespace gnomon
