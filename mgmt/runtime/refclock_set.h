#pragma once

/// `RefclockSet`: the drivers of all configured reference clocks, opened and watched.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "mgmt/runtime/event_loop.h"
#include "refclock/driver.h"
#include "refclock/phc_driver.h"

namespace gnomon {

class RefclockSet final : public RefclockReaders {
public:
    /// Samples that came on their own, of the clock configured `index`th.
    using Sink = std::function<void(std::size_t index, std::span<const RawRefclockSample> samples)>;

    RefclockSet(EventLoop& loop, Sink sink);
    ~RefclockSet() override;

    /// Needs the privileges to open devices. The first one that fails ends it.
    SysResult<void> open(const Config& config, double clock_precision_s);
    /// From here on the sink is called.
    void watch();

    bool is_polled(std::size_t index) const override { return drivers_[index]->is_polled(); }
    void poll(std::size_t index, std::vector<RawRefclockSample>& samples) override {
        drivers_[index]->poll(samples);
    }

private:
    SysResult<std::unique_ptr<RefclockDriver>> create(const RefclockConfig& config,
                                                      double clock_precision_s);

    EventLoop& loop_;
    Sink sink_;
    PhcEventRouter router_;
    std::vector<std::unique_ptr<RefclockDriver>> drivers_;
    std::vector<RawRefclockSample> received_;  ///< scratch
};

}  // namespace gnomon
