#include "mgmt/engine/temperature_input.h"

#include <cmath>

namespace gnomon {

void TemperatureInput::start(MonoTime now) {
    if (config_.file.empty()) return;
    if (!config_.points_file.empty()) {
        const auto text = services_.storage.read(config_.points_file);
        if (text) curve_ = TemperatureCurve::parse_points(*text);
        if (!curve_) {
            services_.events.on_event(
                TemperatureProblem{TemperatureProblem::Kind::BadPoints, config_.points_file, 0.0});
            return;
        }
    } else if (!config_.learn) {
        curve_.emplace(config_.t0, config_.k0, config_.k1, config_.k2);
    }
    next_ = now;
}

std::optional<double> TemperatureInput::reject(TemperatureProblem::Kind kind, double value) {
    ++bad_readings_;
    if (!told_) services_.events.on_event(TemperatureProblem{kind, config_.file, value});
    told_ = true;
    return std::nullopt;
}

std::optional<double> TemperatureInput::read(MonoTime now, UtcTime at,
                                             std::optional<double> correction) {
    using Kind = TemperatureProblem::Kind;
    next_ = now + Duration::from_seconds(config_.interval_s);
    const auto text = services_.storage.read(config_.file);
    const auto temperature = text ? parse_temperature(*text) : std::nullopt;
    if (!temperature) return reject(Kind::Unreadable);
    double compensation = 0.0;
    if (curve_) {
        compensation = curve_->compensation(*temperature);
        if (!(std::fabs(compensation) <= kMaxTemperatureCompensation)) {
            return reject(Kind::Excessive, compensation * 1e6);
        }
    } else {
        // What is not plausible is added as well: a jump is believed when it lasts.
        const bool plausible = learned_.is_plausible(*temperature);
        compensation = learned_.add(now, *temperature, correction);
        if (!plausible) return reject(Kind::Implausible, *temperature);
    }
    told_ = false;
    compensation_ = compensation;
    services_.events.on_event(TemperatureRecord{at, *temperature, compensation * 1e6});
    return compensation;
}

}  // namespace gnomon
