#include "servo/discipline/ntp_clock.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

constexpr double kMinOffsetS = 1e-9;
constexpr double kMinSlewS = 1.0;
// Long slews are renewed, so that the quantisation of the frequency cannot add up to much.
constexpr double kMaxSlewS = 1e4;

// A slew that ends late by a large part of its duration overshoots, and the next one back overshoots
// again. So a slew lasts several times the lateness seen lately.
constexpr double kMinSlewPerLateness = 5.0;
constexpr double kLatenessDecay = 0.9;
constexpr double kLatenessFloorS = 1e-9;
// Longer ones come from suspended machines and tell nothing about scheduling.
constexpr double kMaxLatenessS = 100.0;

Frequency clamped(double ratio, Frequency limit) {
    return Frequency::from_ratio(std::clamp(ratio, -limit.ratio(), limit.ratio()));
}

}  // namespace

NtpClock::NtpClock(const NtpClockConfig& config, SystemTime now, Frequency applied)
    : config_(config),
      base_(applied),
      applied_(applied),
      start_(now),
      slew_end_(now + Duration::from_seconds(kMaxSlewS)),
      last_system_(now) {}

SystemTime NtpClock::to_system(UtcTime t) const noexcept {
    const double since_start_s =
        (Duration::from_ns(t.ns()) - start_.since_epoch() - remaining_).to_seconds() /
        (1.0 - slew_);
    SystemTime system = start_ + Duration::from_seconds(since_start_s);
    // The division was done in double: what it lost on a long way is put right to the nanosecond.
    for (int i = 0; i < 2; ++i) system += t - to_utc(system);
    return system;
}

double NtpClock::remaining_s(SystemTime t) const noexcept {
    return remaining_at_start_s() - slew_ * (t - start_).to_seconds();
}

ClockLine NtpClock::line() const noexcept {
    ClockLine line;
    line.epoch = start_;
    line.offset = remaining_;
    line.rate = -slew_;
    return line;
}

void NtpClock::adjust(SystemTime now, Frequency base, double offset_s, double correction_area_s2) {
    note_lateness(now);
    rebase(now);
    base_ = base;
    update_slew_rate();
    add_remaining(offset_s);
    correction_area_s2_ = correction_area_s2;
    plan(now);
}

void NtpClock::add_offset(SystemTime now, double offset_s, double correction_area_s2) {
    adjust(now, base_, offset_s, correction_area_s2);
}

void NtpClock::set_base(SystemTime now, Frequency base) {
    adjust(now, base, 0.0, correction_area_s2_);
}

void NtpClock::drop_remaining(SystemTime now) {
    note_lateness(now);
    rebase(now);
    remaining_ = Duration::zero();
    remaining_fraction_ns_ = 0.0;
    plan(now);
}

void NtpClock::tick(SystemTime now) {
    if (now < slew_end_ || pending_) return;
    note_lateness(now);
    rebase(now);
    plan(now);
}

void NtpClock::stop_slewing(SystemTime now) {
    rebase(now);
    pending_ = clamped(base_.ratio(), config_.max_frequency);
    slew_end_ = SystemTime::max();
}

void NtpClock::frequency_applied(SystemTime at, Frequency actual) {
    rebase(at);
    applied_ = actual;
    pending_.reset();
    update_slew_rate();
    if (slew_end_ == SystemTime::max()) return;

    // A slew that cannot work (nothing to do, or a sign turned by rounding or by the driver's limit)
    // is looked at again after the longest time.
    const double remaining = remaining_at_start_s();
    double duration_s = kMaxSlewS;
    if (std::fabs(remaining) >= kMinOffsetS && remaining * slew_ > 0.0) {
        duration_s = std::clamp(remaining / slew_, kMinSlewS, kMaxSlewS);
    }
    slew_end_ = at + Duration::from_seconds(duration_s);
}

void NtpClock::step_applied(Duration by) noexcept {
    start_ += by;
    slew_end_ += by;
    last_system_ += by;
}

std::optional<Duration> NtpClock::check_foreign_step(SystemTime now, MonoTime mono) noexcept {
    const Duration jump = (now - last_system_) - (mono - last_mono_);
    const bool first = last_mono_.is_zero();
    last_system_ = now;
    last_mono_ = mono;
    if (first || abs(jump) < config_.foreign_step_threshold) return std::nullopt;
    return jump;
}

void NtpClock::rebase(SystemTime now) noexcept {
    const double slewed_ns = slew_ * static_cast<double>((now - start_).ns());
    start_ = now;
    const double total = remaining_fraction_ns_ - slewed_ns;
    const double whole = std::nearbyint(total);
    remaining_ += Duration::from_ns(static_cast<std::int64_t>(whole));
    remaining_fraction_ns_ = total - whole;
}

void NtpClock::add_remaining(double offset_s) noexcept {
    const double total = remaining_fraction_ns_ + offset_s * 1e9;
    const Duration whole = Duration::from_seconds(total * 1e-9);
    remaining_ += whole;
    remaining_fraction_ns_ = total - static_cast<double>(whole.ns());
}

void NtpClock::plan(SystemTime now) {
    const double remaining = remaining_at_start_s();
    double slew = 0.0;
    if (std::fabs(remaining) >= kMinOffsetS) {
        const double duration_s = std::max({correction_area_s2_ / std::fabs(remaining), kMinSlewS,
                                            kMinSlewPerLateness * lateness_s_});
        slew = clamped(remaining / duration_s, config_.max_slew_rate).ratio();
    }
    pending_ = clamped((1.0 + base_.ratio()) * (1.0 + slew) - 1.0, config_.max_frequency);
    // Until the driver answers there is no end; not at once again, whatever happens to it.
    slew_end_ = now + Duration::from_seconds(kMinSlewS);
}

void NtpClock::note_lateness(SystemTime now) noexcept {
    lateness_s_ = (lateness_s_ + kLatenessFloorS) * kLatenessDecay;
    const double late_s = (now - slew_end_).to_seconds();
    if (late_s > lateness_s_ && late_s <= kMaxLatenessS) lateness_s_ = late_s;
}

double NtpClock::remaining_at_start_s() const noexcept {
    return remaining_.to_seconds() + remaining_fraction_ns_ * 1e-9;
}

void NtpClock::update_slew_rate() noexcept {
    slew_ = (applied_.ratio() - base_.ratio()) / (1.0 + applied_.ratio());
}

}  // namespace gnomon
