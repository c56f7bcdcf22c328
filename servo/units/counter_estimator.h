#pragma once

/// `CounterEstimator`: keeps a `CounterLine` from readings of a clock beside a free-running counter: the
/// system clock over the processor's counter, or over the clock of a network interface. Pure.
///
/// A reading is the clock between two values of the counter. Its error is at most half their distance;
/// interruptions only ever widen a reading, so of several taken in a row the narrowest counts.
///
/// A Kalman filter of two states, the clock's deviation from the line and that of its rate. The rate
/// wanders slowly while nobody corrects the clock. A correction moves it by up to a thousand ppm at
/// once: whoever knows of one says so (`corrected`); others are found out by the first reading that
/// lies off the line, and the rate is learned anew.

#include <cstdint>
#include <span>

#include "servo/units/counter_line.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct CounterReading {
    std::uint64_t before = 0;
    SystemTime system;
    std::uint64_t after = 0;

    std::uint64_t width() const noexcept { return after - before; }
    std::uint64_t middle() const noexcept { return before + (after - before) / 2; }
};

/// The narrowest; `readings` is not empty.
const CounterReading& narrowest(std::span<const CounterReading> readings) noexcept;

class CounterEstimator {
public:
    struct Options {
        /// What a reading varies by besides its width, s.
        double reading_sd_s = 5e-9;
        /// Random walk of the rate, s/s per √s.
        double rate_wander = 2e-9;
        /// Largest rate error that a correction of the clock can leave behind, s/s.
        double correction = 1e-3;
    };

    CounterEstimator() : CounterEstimator(Options()) {}
    explicit CounterEstimator(const Options& options) : options_(options) {}

    /// Readings in the order of the counter. The first two only find the rate. One that goes back, or
    /// is wider than a millisecond, is ignored.
    void add(const CounterReading& reading) noexcept;
    /// The clock was stepped or its rate changed since the last reading; the next one starts anew from
    /// where it is. `rate_change`: s/s, if known.
    void corrected(double rate_change = 0.0) noexcept;

    /// Invalid until there are two readings a tenth of a millisecond apart.
    const CounterLine& line() const noexcept { return line_; }
    /// Readings that lay off the line though nobody had announced a correction.
    std::uint64_t surprises() const noexcept { return surprises_; }

private:
    void start(const CounterReading& reading) noexcept;
    void publish() noexcept;

    Options options_;
    bool has_first_ = false;
    CounterReading first_;
    CounterLine line_;
    double p00_ = 0.0;  ///< s²
    double p01_ = 0.0;  ///< s²/s
    double p11_ = 0.0;  ///< (s/s)²
    bool corrected_ = false;
    std::uint64_t surprises_ = 0;
};

}  // namespace gnomon
