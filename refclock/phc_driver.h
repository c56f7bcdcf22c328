#pragma once

/// `PhcDriver`: a PTP hardware clock as reference, either its time or pulses that it stamps at an
/// input pin (`extpps`).

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "refclock/decode/phc_sampler.h"
#include "refclock/driver.h"
#include "refclock/phc_device.h"
#include "servo/units/result.h"

namespace gnomon {

class PhcDriver;

/// The drivers that wait for external events. Kernels before 6.7 have one queue of events per clock,
/// whoever of its readers comes first gets the event of another channel.
class PhcEventRouter {
public:
    void add(PhcDriver& driver) { drivers_.push_back(&driver); }
    void remove(PhcDriver& driver);
    void deliver(unsigned clock_index, const PhcDevice::ExternalEvent& event);

private:
    std::vector<PhcDriver*> drivers_;
};

class PhcDriver final : public RefclockDriver {
public:
    struct Options {
        bool cross_timestamps = true;
        bool external_pps = false;
        int pin = 0;
        int channel = 0;
        bool clear_edge = false;
        double precision_s = 1e-7;  ///< of reading the system clock
    };
    /// `router` outlives the driver.
    static SysResult<std::unique_ptr<PhcDriver>> open(const std::string& name,
                                                      const Options& options,
                                                      PhcEventRouter& router);
    ~PhcDriver() override;
    PhcDriver(const PhcDriver&) = delete;
    PhcDriver& operator=(const PhcDriver&) = delete;

    bool is_polled() const override { return true; }
    void poll(std::vector<RawRefclockSample>& samples) override;
    int fd() const override { return options_.external_pps ? device_.fd() : -1; }
    void receive(std::vector<RawRefclockSample>& samples) override;

private:
    friend class PhcEventRouter;
    PhcDriver(PhcDevice device, const Options& options, PhcEventRouter& router);
    std::optional<RawRefclockSample> read_clock();
    void take_pending(std::vector<RawRefclockSample>& samples);

    PhcDevice device_;
    Options options_;
    PhcEventRouter& router_;
    PhcSampler sampler_;
    double error_s_ = 0.0;  ///< of the last reading
    std::optional<PhcTime> last_event_;
    std::vector<PhcTime> pending_;
};

}  // namespace gnomon
