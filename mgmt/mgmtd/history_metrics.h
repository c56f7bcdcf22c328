#pragma once

/// Which figures the history keeps, and how they are taken from a snapshot.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mgmt/telemetry/telemetry.h"

namespace gnomon::mgmtd {

/// The rate of counters needs the snapshot before.
struct Rates {
    std::optional<double> ntp_per_s;
    std::optional<double> ntp_drops_per_s;
};

class RateMeter {
public:
    Rates update(const telemetry::Snapshot& snapshot);

private:
    std::optional<MonoTime> at_;
    std::uint64_t hits_ = 0;
    std::uint64_t drops_ = 0;
};

/// `use(metric, source, value)`; the source is empty for figures of the clock.
using UseSample =
    std::function<void(std::string_view metric, const std::string& source, double value)>;
void for_each_sample(const telemetry::Snapshot& snapshot, const Rates& rates, const UseSample& use);

}  // namespace gnomon::mgmtd
