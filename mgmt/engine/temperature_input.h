#pragma once

/// `TemperatureInput`: `tempcomp`. Reads the sensor's file at its interval and says what compensation
/// follows. Whatever the file holds, the clock is safe: unreadable, implausible and excessive
/// readings are counted, told once, and change nothing.

#include <cstdint>
#include <optional>

#include "mgmt/config/config.h"
#include "mgmt/engine/events.h"
#include "mgmt/engine/services.h"
#include "servo/discipline/temperature.h"
#include "servo/units/time_point.h"

namespace gnomon {

class TemperatureInput {
public:
    TemperatureInput(const TempCompConfig& config, const Services& services)
        : config_(config), services_(services) {}

    /// Reads the points. The first reading is due at once.
    void start(MonoTime now);

    bool is_due(MonoTime now) const noexcept { return next_ && now >= *next_; }
    MonoTime next_timeout() const noexcept { return next_.value_or(MonoTime::max()); }

    /// Takes a reading. `correction` (s/s): all that the frequency takes now, the compensation
    /// included; empty while nobody measures it. The new compensation, s/s; empty: as it was.
    std::optional<double> read(MonoTime now, UtcTime at, std::optional<double> correction);

    /// In force, s/s.
    double compensation() const noexcept { return compensation_; }
    std::uint32_t bad_readings() const noexcept { return bad_readings_; }

private:
    std::optional<double> reject(TemperatureProblem::Kind kind, double value = 0.0);

    const TempCompConfig& config_;
    Services services_;
    std::optional<MonoTime> next_;
    std::optional<TemperatureCurve> curve_;  ///< empty: learned
    LearnedTemperature learned_;
    double compensation_ = 0.0;
    std::uint32_t bad_readings_ = 0;
    bool told_ = false;
};

}  // namespace gnomon
