#pragma once

/// One direction of a network path: how long a packet takes, and whether it arrives at all.

#include <optional>
#include <vector>

#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_random.h"

namespace gnomon::sim {

struct PathModel {
    enum class Jitter { None, Exponential, Gamma, Bursty };

    double base_s = 1e-4;
    Jitter jitter = Jitter::Exponential;
    double jitter_s = 1e-4;  ///< mean of the random part
    double loss = 0.0;
    double duplication = 0.0;
    /// Chance that a packet is held back by up to `max_late_s`: later ones overtake it.
    double late = 0.0;
    double max_late_s = 5.0;
    /// Bursty: a queue that fills for `burst_s` every `burst_period_s`, with 20 × the jitter.
    double burst_s = 30.0;
    double burst_period_s = 600.0;
    /// No packet passes inside these intervals of true time.
    struct Interval {
        TrueTime from = 0;
        TrueTime to = 0;
    };
    std::vector<Interval> partitions;
    /// The base delay changes for good at these instants (a new route).
    struct Change {
        TrueTime at = 0;
        double by_s = 0.0;
    };
    std::vector<Change> changes;

    /// Delay of a packet that leaves at `now`, s; empty: lost.
    std::optional<double> delay_s(TrueTime now, SimRandom& random) const;
    /// Base delay in force, s.
    double base_at(TrueTime now) const;
};

}  // namespace gnomon::sim
