#pragma once

/// `CounterClock`: measures the system clock over the processor's counter, for threads that tell time
/// without entering the kernel. To be called by the control loop at least twenty times a second, and
/// right after every correction of the clock.

#include <memory>

#include "servo/units/counter_estimator.h"
#include "servo/units/counter_line.h"
#include "servo/units/result.h"

namespace gnomon {

class CounterClock {
public:
    /// Fails where the processor's counter does not run at a constant rate in all states and on all
    /// cores (no invariant TSC): no line over it would be true.
    static SysResult<std::unique_ptr<CounterClock>> open();

    /// Takes some readings (a microsecond together) and returns the line in force. The first call takes
    /// a millisecond, so that the line is valid from then on.
    const CounterLine& measure() noexcept;
    /// The clock was stepped, or its rate changed by `rate_change` (s/s, 0: unknown), since the last
    /// measurement. Measures at once.
    const CounterLine& corrected(double rate_change = 0.0) noexcept;

    const CounterLine& line() const noexcept { return estimator_.line(); }
    std::uint64_t surprises() const noexcept { return estimator_.surprises(); }

private:
    CounterClock() = default;
    void read_once() noexcept;

    CounterEstimator estimator_;
};

}  // namespace gnomon
