#include "tests/sim/sim_clock.h"

#include <algorithm>
#include <cmath>

namespace gnomon::sim {

SimClock::SimClock(const OscillatorModel& model, TrueTime start, double initial_offset_s,
                   std::uint64_t seed)
    : model_(model),
      random_(seed),
      now_(start),
      start_(start),
      grain_end_(start),
      phase_s_(initial_offset_s) {
    next_grain();
}

void SimClock::next_grain() {
    grain_end_ += kGrain;
    const double grain_s = static_cast<double>(kGrain) * 1e-9;
    double wander = model_.wander;
    if (model_.wander_period_s > 0.0) {
        const double elapsed_s = static_cast<double>(now_ - start_) * 1e-9;
        if (std::fmod(elapsed_s, 2.0 * model_.wander_period_s) >= model_.wander_period_s) {
            wander = model_.other_wander;
        }
    }
    walk_ += wander * std::sqrt(grain_s) * random_.normal();
    double jumped = 0.0;
    for (const auto& jump : model_.jumps) {
        if (now_ >= jump.at) jumped += jump.frequency;
    }
    const double phase = static_cast<double>(now_ - start_) * 1e-9 / model_.temperature_period_s;
    oscillator_ = model_.frequency + walk_ + jumped + model_.white * random_.normal() +
                  model_.temperature_amplitude * std::sin(2.0 * 3.14159265358979323846 * phase);
}

void SimClock::advance_to(TrueTime now) {
    while (now_ < now) {
        const TrueTime until = std::min(now, grain_end_);
        const double elapsed_s = static_cast<double>(until - now_) * 1e-9;
        const double gained_s = elapsed_s * (effective_rate() - 1.0);
        phase_s_ += gained_s;
        mono_phase_s_ += gained_s;
        now_ = until;
        if (now_ == grain_end_) next_grain();
    }
}

double SimClock::error_s() const noexcept { return phase_s_; }

SystemTime SimClock::now() const {
    return SystemTime::from_ns(now_ + static_cast<std::int64_t>(std::floor(phase_s_ * 1e9)));
}

MonoTime SimClock::mono() const noexcept {
    // An uptime of 1000 s at the start, so that no time is negative or zero.
    return MonoTime::from_ns(now_ - start_ + 1'000'000'000'000 +
                             static_cast<std::int64_t>(std::floor(mono_phase_s_ * 1e9)));
}

TrueTime SimClock::when_mono(MonoTime t) const noexcept {
    const double ahead_s = (t - mono()).to_seconds();
    if (ahead_s <= 0.0) return now_;
    const double true_ns = std::min(ahead_s / effective_rate() * 1e9, 4e18);
    return now_ + static_cast<TrueTime>(std::ceil(true_ns)) + 1;
}

SysResult<Frequency> SimClock::set_frequency(Frequency correction) {
    const double limited = std::clamp(correction.ratio(), -0.1, 0.1);
    const double quantum = 1e-6 / 65536.0;
    correction_ = Frequency::from_ratio(std::nearbyint(limited / quantum) * quantum);
    return correction_;
}

SysResult<void> SimClock::step(Duration by) {
    phase_s_ += by.to_seconds();
    ++steps_;
    return {};
}

SysResult<void> SimClock::set_leap(Leap, int) { return {}; }

SysResult<void> SimClock::set_sync_status(bool synchronised, Duration, Duration) {
    synchronised_ = synchronised;
    return {};
}

}  // namespace gnomon::sim
