#include "refclock/phc_driver.h"

#include <algorithm>
#include <utility>

namespace gnomon {
namespace {

/// More than a poll's worth of a fast pulse is not kept.
constexpr std::size_t kMaxPending = 64;

}  // namespace

void PhcEventRouter::remove(PhcDriver& driver) {
    drivers_.erase(std::remove(drivers_.begin(), drivers_.end(), &driver), drivers_.end());
}

void PhcEventRouter::deliver(unsigned clock_index, const PhcDevice::ExternalEvent& event) {
    for (PhcDriver* driver : drivers_) {
        if (driver->device_.index() != clock_index || driver->options_.channel != event.channel ||
            driver->last_event_ == event.at || driver->pending_.size() >= kMaxPending) {
            continue;
        }
        driver->last_event_ = event.at;
        driver->pending_.push_back(event.at);
    }
}

SysResult<std::unique_ptr<PhcDriver>> PhcDriver::open(const std::string& name,
                                                      const Options& options,
                                                      PhcEventRouter& router) {
    auto device = PhcDevice::open(name, options.external_pps);
    if (!device) return Unexpected(device.error());
    if (options.external_pps) {
        if (auto enabled =
                device->enable_external(options.pin, options.channel, options.clear_edge);
            !enabled) {
            return Unexpected(enabled.error());
        }
    }
    return std::unique_ptr<PhcDriver>(new PhcDriver(std::move(device).value(), options, router));
}

PhcDriver::PhcDriver(PhcDevice device, const Options& options, PhcEventRouter& router)
    : device_(std::move(device)),
      options_(options),
      router_(router),
      sampler_(options.precision_s) {
    if (options_.external_pps) router_.add(*this);
}

PhcDriver::~PhcDriver() {
    if (!options_.external_pps) return;
    router_.remove(*this);
    device_.disable_external(options_.pin, options_.channel);
}

std::optional<RawRefclockSample> PhcDriver::read_clock() {
    const auto readings = device_.read(options_.cross_timestamps);
    const auto sample = sampler_.combine(readings);
    if (sample && sample->usable) error_s_ = sample->error_s;
    return sample;
}

void PhcDriver::poll(std::vector<RawRefclockSample>& samples) {
    const auto sample = read_clock();
    if (options_.external_pps) {
        take_pending(samples);
    } else if (sample) {
        samples.push_back(*sample);
    }
}

void PhcDriver::receive(std::vector<RawRefclockSample>& samples) {
    if (const auto event = device_.read_external()) router_.deliver(device_.index(), *event);
    take_pending(samples);
}

void PhcDriver::take_pending(std::vector<RawRefclockSample>& samples) {
    // Stamps want a reading beside them: between polls the system clock is steered.
    if (!pending_.empty() && !sampler_.has_reading_near(pending_.back())) (void)read_clock();
    for (const PhcTime event : pending_) {
        const auto at = sampler_.to_system(event);
        if (!at) continue;
        samples.push_back(pulse_at(*at));
        samples.back().error_s = error_s_;
    }
    pending_.clear();
}

}  // namespace gnomon
