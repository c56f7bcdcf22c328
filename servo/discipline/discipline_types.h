#pragma once

/// What goes into and comes out of `Discipline`: configuration, commands, events, reports.

#include <cstdint>
#include <optional>
#include <variant>

#include "servo/discipline/drift_file.h"
#include "servo/discipline/leap_table.h"
#include "servo/discipline/smoothing.h"
#include "servo/select/selector.h"
#include "servo/units/duration.h"
#include "servo/units/frequency.h"
#include "servo/units/ntp_types.h"
#include "servo/units/server_state.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// One reading of the clocks: the start of the event that is being handled.
struct Instant {
    SystemTime system;
    MonoTime mono;
};

enum class LeapMode : std::uint8_t {
    System,  ///< the kernel inserts or deletes; becomes Step with a driver that cannot
    Step,
    Slew,
    Ignore,
};

/// `local`: serving time without (or in spite of) sources, SRV-10 … SRV-17.
struct LocalReference {
    Stratum stratum = 10;
    double distance_s = 1.0;  ///< root distance above which it takes over
    bool orphan = false;
    double activate_s = 0.0;       ///< the root distance must once have been below; 0: no condition
    double wait_synced_s = 0.0;    ///< time since the last update while synchronised
    double wait_unsynced_s = 0.0;  ///< time since synchronisation was lost; 300 with orphan
};

/// `maxchange OFFSET START IGNORE`.
struct MaxChange {
    double offset_s = 0.0;
    int start = 0;   ///< updates that are not checked
    int ignore = 0;  ///< larger offsets that are ignored before exiting; < 0: all of them
};

/// `makestep THRESHOLD LIMIT`.
struct MakeStep {
    double threshold_s = 0.0;
    int limit = 0;  ///< updates; 0: never step, < 0: no limit
};

/// What an update does: `Normal` follows the source; the others act on the first update only and then
/// ignore everything until the next mode is set.
enum class DisciplineMode : std::uint8_t {
    Normal,
    InitStepSlew,  ///< step when beyond the threshold, else slew
    UpdateOnce,    ///< -q: step
    PrintOnce,     ///< -Q: only say how wrong the clock is
    Ignore,
};

struct DisciplineConfig {
    double max_update_skew = 1000e-6;    ///< s/s
    double correction_time_ratio = 3.0;  ///< `corrtimeratio`
    Frequency max_drift = Frequency::from_ppm(1e5);
    Frequency max_slew_rate = Frequency::from_ppm(1e6 / 12.0);
    double max_clock_error = 1e-6;  ///< s/s
    Log2Seconds precision_log2 = -20;
    double precision_s = 1e-6;
    MakeStep make_step;
    std::optional<MaxChange> max_change;
    double log_change_s = 1.0;
    std::optional<double> mail_change_s;  ///< threshold of `mailonchange`
    LeapMode leap_mode = LeapMode::System;
    std::optional<LocalReference> local;
    int fallback_drift_min_log2 = 0;
    int fallback_drift_max_log2 = 0;
    std::optional<Duration> drift_file_interval;  ///< empty: no drift file
    SmoothingConfig smoothing;
    double init_step_threshold_s = 0.0;
    /// Times beyond these cannot be represented on the wire (era of NTP): corrections there are refused.
    UtcTime earliest_time = UtcTime::from_ns(0);
    UtcTime latest_time = UtcTime::from_ns(4'294'967'296LL * 1'000'000'000LL);
    Duration foreign_step_threshold = Duration::from_s(10);
};

// Commands for the clock driver.

struct SetFrequency {
    Frequency correction;
};
struct StepClock {
    Duration by;
};
struct SetLeap {
    Leap leap = Leap::Normal;
    int tai_offset_s = 0;
};
struct SetSyncStatus {
    bool synchronised = false;
    Duration estimated_error;
    Duration maximum_error;
};
using ClockCommand = std::variant<StepClock, SetFrequency, SetLeap, SetSyncStatus>;

// Events, in the order in which they happen. Offsets are positive when the clock was behind, i.e.
// they are what the messages print.

/// |offset| > logchange: "System clock wrong by %.6f seconds".
struct ClockWrong {
    double offset_s = 0.0;
};
/// |offset| > mailonchange's threshold.
struct ClockChangeMail {
    double offset_s = 0.0;
};
/// In a mode other than Normal: the one offset measured and what is done about it.
struct InitialOffset {
    double offset_s = 0.0;
    DisciplineMode mode = DisciplineMode::Normal;
    bool stepped = false;  ///< else slewed (InitStepSlew) or ignored (PrintOnce)
};
/// No update came in a mode other than Normal: "No suitable source for …".
struct NoSuitableSource {
    DisciplineMode mode = DisciplineMode::Normal;
};
/// The mode is over (and is now Ignore). After a fatal `maxchange` `success` is false.
struct ModeEnded {
    DisciplineMode mode = DisciplineMode::Normal;
    bool success = false;
};
/// "System clock was stepped by %.6f seconds".
struct ClockStepped {
    double offset_s = 0.0;
    bool for_leap_second = false;  ///< "System clock was stepped for leap second"
};
/// "Could not step system clock"; the offset will be slewed instead, where that makes sense.
struct StepFailed {
    double offset_s = 0.0;
};
/// "Adjustment of %.3f seconds exceeds the allowed maximum of %.3f seconds (ignored|exiting)".
struct ChangeTooLarge {
    double offset_s = 0.0;
    double limit_s = 0.0;
    bool fatal = false;
};
/// "Adjustment of %.1f seconds is invalid".
struct AdjustmentInvalid {
    double offset_s = 0.0;
};
/// "Frequency %.1f ppm exceeds allowed maximum"; chrony's sign.
struct FrequencyClamped {
    double frequency_ppm = 0.0;
};
/// `fallbackdrift` came into force: the frequency is now the average over 2^interval_log2_s seconds;
/// chrony's sign.
struct FallbackDriftUsed {
    double frequency_ppm = 0.0;
    int interval_log2_s = 0;
};
/// Somebody else moved the clock: "Forward/Backward time jump detected!".
struct TimeJump {
    Duration by;
};
enum class LeapAction : std::uint8_t {
    SetToInsert,
    SetToDelete,
    ResetAfter,   ///< the kernel has done it
    Cancelled,    ///< "set to not insert/delete"
    SlewStarted,  ///< "Adjusting system clock for leap second"
    Ignored,      ///< "Ignoring leap second"
};
struct LeapEvent {
    LeapAction action = LeapAction::Ignored;
};
/// "System clock TAI offset set to %d seconds".
struct TaiOffsetSet {
    int tai_offset_s = 0;
};
/// "Leap second list %s needs update".
struct LeapTableExpired {};
/// "Activated/Reset time smoothing [(leap seconds only)]".
struct SmoothingChanged {
    bool activated = false;  ///< else reset
    bool leap_only = false;
};
/// Whether clients of ours get time from the `local` reference has changed (seen at
/// `server_state`).
struct LocalReferenceChanged {
    bool active = false;
};
/// The drift file is due.
struct WriteDriftFile {
    DriftRecord record;
};
/// A line of tracking.log.
struct TrackingLogRecord {
    UtcTime at;
    std::optional<SourceId> source;  ///< empty: print `ref_id`, or 0.0.0.0 when that is empty too
    std::optional<RefId> ref_id;
    Stratum stratum = 0;
    double frequency_ppm = 0.0;  ///< chrony's sign: fast is positive
    double skew_ppm = 0.0;
    double offset_s = 0.0;  ///< > 0: the clock was behind; the log prints chrony's sign, −offset_s
    Leap leap = Leap::Unsynchronised;
    int combined = 0;
    double offset_sd_s = 0.0;
    double remaining_s = 0.0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double max_error_s = 0.0;
};

using DisciplineEvent =
    std::variant<ClockWrong, ClockChangeMail, InitialOffset, NoSuitableSource, ModeEnded,
                 ClockStepped, StepFailed, ChangeTooLarge, AdjustmentInvalid, FrequencyClamped,
                 TimeJump, LeapEvent, TaiOffsetSet, LeapTableExpired, SmoothingChanged,
                 LocalReferenceChanged, FallbackDriftUsed, WriteDriftFile, TrackingLogRecord>;

/// What `tracking` shows. Signs as chronyc's protocol has them where noted.
struct DisciplineReport {
    RefId ref_id;
    std::optional<SourceId> source;  ///< whose address goes with it
    Stratum stratum = 0;
    UtcTime reference_time;
    Leap leap = Leap::Unsynchronised;
    double remaining_s = 0.0;    ///< NTP clock − system clock ("slow" when positive)
    double last_offset_s = 0.0;  ///< > 0: the clock was behind
    double rms_offset_s = 0.0;
    double frequency_ppm = 0.0;           ///< fast is positive
    double residual_frequency_ppm = 0.0;  ///< fast is positive
    double skew_ppm = 0.0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double last_update_interval_s = 0.0;
};

}  // namespace gnomon
