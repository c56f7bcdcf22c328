#include <utility>

#include "servo/discipline/discipline.h"

// Leap seconds: who announces them, and how the clock gets over them.

namespace gnomon {
namespace {

constexpr std::int64_t kDayS = 86'400;
constexpr std::int64_t kLookupSlotS = kDayS / 2;
constexpr std::int64_t kLeapCloseS = 5;
// With some room, so that nobody sees the clock before the kernel is through with it.
constexpr Duration kLeapLasts = Duration::from_s(2);

std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

std::int64_t unix_seconds(std::int64_t ns) { return floor_divide(ns, 1'000'000'000); }

/// Leap seconds have only ever been put at the end of June and December; anything else is a mistake of
/// some server. Civil dates by Hinnant, "chrono-compatible low-level date algorithms".
bool is_leap_second_day(std::int64_t unix_s) {
    const std::int64_t days = floor_divide(unix_s, kDayS) + 719'468;
    const std::int64_t day_of_era = days - floor_divide(days, 146'097) * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin with March here: 30 June is day 121, 31 December day 305.
    return day_of_year == 121 || day_of_year == 305;
}

}  // namespace

void Discipline::set_leap_table(LeapTable table) {
    leap_table_ = std::move(table);
    leap_lookup_slot_ = -1;
}

int Discipline::tai_offset(UtcTime t) const noexcept {
    const std::int64_t slot = floor_divide(unix_seconds(t.ns()), kLookupSlotS);
    return leap_table_.lookup(slot * kLookupSlotS).tai_offset_s;
}

bool Discipline::is_leap_close(UtcTime t) const noexcept {
    const std::int64_t s = unix_seconds(t.ns());
    return leap_at_unix_s_ != 0 && s >= leap_at_unix_s_ - kLeapCloseS &&
           s < leap_at_unix_s_ + kLeapCloseS;
}

bool Discipline::is_leap_close(Instant now) const noexcept {
    return is_leap_close(to_utc(now.system)) || is_leap_close(UtcTime::from_ns(now.system.ns()));
}

LeapInfo Discipline::lookup_leap(SystemTime now) {
    const std::int64_t slot = floor_divide(unix_seconds(now.ns()), kLookupSlotS);
    if (slot != leap_lookup_slot_) {
        leap_lookup_slot_ = slot;
        leap_lookup_ = leap_table_.lookup(slot * kLookupSlotS);
        if (leap_lookup_.expired) events_.emplace_back(LeapTableExpired{});
    }
    return leap_lookup_;
}

void Discipline::update_leap(Instant now, Leap leap) {
    // The first update brings its own.
    if (!synchronised_) return;
    update_leap_status(now, leap, false);
    update_sync_status(to_utc(now.system));
}

void Discipline::update_leap_status(Instant now, Leap leap, bool reset) {
    const LeapInfo table = lookup_leap(now.system);
    if (leap == Leap::Normal) leap = table.leap;
    int leap_step_s = 0;
    if (leap == Leap::InsertSecond || leap == Leap::DeleteSecond) {
        if (is_leap_second_day(unix_seconds(now.system.ns()))) {
            leap_step_s = leap == Leap::InsertSecond ? 1 : -1;
        } else {
            leap = Leap::Normal;
        }
    }
    apply_leap_status(now, leap, leap_step_s, table.tai_offset_s, reset);
}

void Discipline::clear_leap_status(Instant now) {
    apply_leap_status(now, Leap::Unsynchronised, 0, 0, false);
}

void Discipline::apply_leap_status(Instant now, Leap leap, int leap_step_s, int tai_offset_s,
                                   bool reset) {
    const bool changed = leap_step_s != leap_step_s_ || tai_offset_s != tai_offset_s_;
    // While it happens, sources and table may already speak of the next one.
    if (changed && !is_leap_close(now)) {
        leap_step_s_ = leap_step_s;
        tai_offset_s_ = tai_offset_s;
        if (config_.leap_mode == LeapMode::System) command_leap(false);
        set_leap_timer(now.system);
    } else if (reset) {
        set_leap_timer(now.system);
    }
    leap_ = leap;
}

void Discipline::set_leap_timer(SystemTime now) {
    leap_start_.reset();
    leap_end_.reset();
    leap_in_progress_ = false;
    if (leap_step_s_ == 0) return;

    leap_at_unix_s_ = (floor_divide(unix_seconds(now.ns()), kDayS) + 1) * kDayS;
    // A second is inserted at 0:00:00 and deleted at 23:59:59. What the kernel does itself is to be
    // expected a little before.
    SystemTime start = SystemTime::from_ns(leap_at_unix_s_ * 1'000'000'000);
    if (leap_step_s_ < 0) start = start - Duration::from_s(1);
    if (config_.leap_mode == LeapMode::System) start = start - Duration::from_ms(500);
    leap_start_ = start;
}

void Discipline::start_leap(Instant now) {
    leap_start_.reset();
    leap_in_progress_ = true;
    leap_end_ = now.mono + kLeapLasts;
    const double correction_s = -leap_step_s_;
    switch (config_.leap_mode) {
        case LeapMode::System: break;
        case LeapMode::Step: request_step(now, correction_s, StepReason::LeapSecond); break;
        case LeapMode::Slew: {
            // The NTP clock follows UTC at once, the system clock slowly. Nobody is told: times of
            // before are right as they are.
            ClockAdjustment adjustment;
            adjustment.at = to_utc(now.system);
            adjustment.offset_change_s = correction_s;
            bool activated = smoothing_.leap(adjustment.at, leap_step_s_, skew_);
            activated = smoothing_.adjust(adjustment, skew_) || activated;
            if (activated) {
                events_.emplace_back(SmoothingChanged{true, config_.smoothing.leap_only});
            }
            clock_.add_offset(now.system, correction_s, 0.0);
            events_.emplace_back(LeapEvent{LeapAction::SlewStarted});
            break;
        }
        case LeapMode::Ignore: events_.emplace_back(LeapEvent{LeapAction::Ignored}); break;
    }
}

void Discipline::end_leap(Instant) {
    leap_end_.reset();
    leap_in_progress_ = false;
    if (tai_offset_s_ != 0) tai_offset_s_ += leap_step_s_;
    leap_step_s_ = 0;
    if (config_.leap_mode == LeapMode::System) command_leap(true);
    if (leap_ == Leap::InsertSecond || leap_ == Leap::DeleteSecond) leap_ = Leap::Normal;
}

void Discipline::command_leap(bool applied) {
    SetLeap command;
    if (leap_step_s_ > 0) command.leap = Leap::InsertSecond;
    if (leap_step_s_ < 0) command.leap = Leap::DeleteSecond;
    command.tai_offset_s = tai_offset_s_;
    pending_leap_ = command;

    const int before_s = kernel_leap_step_s_;
    kernel_leap_step_s_ = leap_step_s_;
    if (tai_offset_s_ != 0) {
        // The kernel has counted the leap second itself.
        if (applied && leap_step_s_ == 0) kernel_tai_offset_s_ += before_s;
        if (kernel_tai_offset_s_ != tai_offset_s_) {
            kernel_tai_offset_s_ = tai_offset_s_;
            events_.emplace_back(TaiOffsetSet{tai_offset_s_});
        }
    }
    if (before_s == leap_step_s_) return;
    LeapAction action = applied ? LeapAction::ResetAfter : LeapAction::Cancelled;
    if (leap_step_s_ > 0) action = LeapAction::SetToInsert;
    if (leap_step_s_ < 0) action = LeapAction::SetToDelete;
    events_.emplace_back(LeapEvent{action});
}

}  // namespace gnomon
