#pragma once

/// `NicClock`: the system clock as a line over a device's own clock, so that its stamps become system
/// times. Measured by the control loop, which holds the processor's counter against the device's clock,
/// and the counter against the system clock; the variances of both end up in the line. No device that
/// this project is tested with has a clock: what is here is tested with a made-up one.

#include <array>
#include <cstdint>

#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/dpdk/nic_device.h"
#include "servo/units/counter_estimator.h"
#include "servo/units/counter_line.h"

namespace gnomon {

class NicClock {
public:
    /// Reads the device's clock a few times; false when it cannot be read. `counter`: the system clock
    /// over the processor's counter.
    bool measure(NicDevice& nic, const CounterLine& counter) noexcept {
        if (!counter.is_valid()) return false;
        std::array<CounterReading, kReadings> readings;
        for (CounterReading& reading : readings) {
            const std::uint64_t before = read_cycles();
            const auto device_ns = nic.read_clock();
            const std::uint64_t after = read_cycles();
            if (!device_ns) return false;
            // The device's clock is the counter of this line; the width of the reading, seen from the
            // processor, is the same on it but for some ppm.
            const auto half = static_cast<std::uint64_t>(static_cast<double>(after - before) *
                                                         counter.ns_per_count / 2.0);
            const auto count = static_cast<std::uint64_t>(*device_ns);
            reading = {count - half, counter.to_system(before + (after - before) / 2),
                       count + half};
        }
        estimator_.add(narrowest(readings));
        line_ = estimator_.line();
        line_.variance_s2 += counter.variance_s2;
        return line_.is_valid();
    }
    /// Invalid until the second measurement.
    const CounterLine& line() const noexcept { return line_; }

private:
    static constexpr std::size_t kReadings = 4;

    CounterEstimator estimator_;
    CounterLine line_;
};

}  // namespace gnomon
