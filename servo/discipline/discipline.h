#pragma once

/// `Discipline`: makes the NTP clock follow the estimates of selection, and says what our own servers
/// and reports shall show of it.
///
/// Sans-IO. Inputs are method calls with the `Instant` at which the event loop woke up; outputs wait
/// inside until taken:
///  * commands for the clock driver: `execute(discipline, driver, …)` in servo/actuator/clock_executor.h
///    runs them and reports back. Do that after every mutating call, before anything else reads the
///    NTP clock; a failed step adds further commands.
///  * `take_adjustments()`: to be broadcast, in order, to every holder of times on the NTP clock;
///  * `take_events()`: for logs and files.
///
/// Order within one wake-up: `begin_wakeup` (foreign steps), inputs, `execute`, adjustments, events,
/// then `next_timeout` for the timer.
///
/// Signs: offset > 0 clock behind; frequency > 0 clock slow (see Estimate). One thread.

#include <cstdint>
#include <optional>
#include <vector>

#include "servo/discipline/discipline_types.h"
#include "servo/discipline/drift_file.h"
#include "servo/discipline/fallback_drift.h"
#include "servo/discipline/frequency_trend.h"
#include "servo/discipline/leap_table.h"
#include "servo/discipline/ntp_clock.h"
#include "servo/discipline/smoothing.h"
#include "servo/units/measurement.h"
#include "servo/units/server_state.h"

namespace gnomon {

class Discipline {
public:
    /// What the clock driver is and does when we start.
    struct ClockProperties {
        Frequency frequency;  ///< correction in force
        Frequency max_frequency;
        bool can_leap = false;
    };

    Discipline(const DisciplineConfig& config, const ClockProperties& clock, Instant now);

    // --- the clock -------------------------------------------------------------------------------
    const NtpClock& clock() const noexcept { return clock_; }
    UtcTime to_utc(SystemTime t) const noexcept { return clock_.to_utc(t); }
    /// Our frequency (temperature compensation undone), as the drift file and `tracking` show it.
    Frequency frequency() const noexcept { return frequency_; }
    double skew() const noexcept { return skew_; }
    bool synchronised() const noexcept { return synchronised_; }
    /// Updates come as regularly as before: `frequency()` is that of our oscillator now.
    bool is_measured(MonoTime now) const noexcept;
    /// How wrong the system clock may be: root distance and what remains to be corrected. `ahead_s` from
    /// now, if no update comes until then. Infinity unless synchronised.
    double bound_s(Instant now, double ahead_s = 0.0) const noexcept;

    // --- inputs ----------------------------------------------------------------------------------
    /// First call of every wake-up. True if somebody else moved the clock: an `UnknownStep` is
    /// broadcast and synchronisation is lost.
    bool begin_wakeup(Instant now);
    /// After a deadline; harmless at any time.
    void handle_timeout(Instant now);
    /// How long until `handle_timeout` wants to be called, ≥ 0.
    Duration next_timeout(Instant now) const;

    /// Once, before anything else: takes up the frequency of the drift file, and declares the clock
    /// unsynchronised (to the kernel too).
    void start(Instant now, const std::optional<DriftRecord>& drift);
    /// The follow-up of a selection. `random` blurs the reference time, so that the reply does not
    /// disclose the exact time of the last update.
    void update(Instant now, const ClockUpdate& update, std::uint32_t random);
    /// Selection is satisfied with the current source, only its leap vote is new.
    void update_leap(Instant now, Leap leap);
    /// No source can be followed.
    void set_unsynchronised(Instant now);
    /// A reference clock with the option `local`: steers at once, bypassing selection; its holders
    /// of samples are not told. False if the correction is not sane.
    bool adjust_reference(Instant now, double offset_s, double frequency);
    /// `settime` of the manual reference: unsynchronised, but steered. Signs as everywhere.
    void set_manual_reference(Instant now, UtcTime at, double offset_s, double frequency,
                              double skew, std::uint32_t random);

    void set_mode(DisciplineMode mode) noexcept { mode_ = mode; }
    DisciplineMode mode() const noexcept { return mode_; }
    void set_leap_table(LeapTable table);
    LeapMode leap_mode() const noexcept { return config_.leap_mode; }

    /// Restores the nominal state of the clock: no slew, leap flags cleared.
    void prepare_exit(Instant now);
    DriftRecord drift_record() const noexcept { return DriftRecord{frequency_, skew_}; }

    // --- commands of the operator ----------------------------------------------------------------
    /// `makestep`: what remains is stepped at once. False if the target is not sane.
    bool make_step(Instant now);
    /// `doffset`: > 0: the clock is behind. False if not sane.
    bool add_offset(Instant now, double offset_s);
    /// `dfreq`: > 0: the clock is to run faster, s/s.
    void add_frequency(Instant now, double frequency);
    /// `reset sources`: everything measured so far is worthless.
    void forget_sources(Instant now);
    void set_make_step(const MakeStep& make_step) noexcept { config_.make_step = make_step; }
    void set_max_update_skew(double skew) noexcept { config_.max_update_skew = skew; }
    void set_local(const std::optional<LocalReference>& local) noexcept { config_.local = local; }
    /// `tempcomp`: the oscillator runs slow by so much at its present temperature; nobody is told,
    /// because only the oscillator changed. Returns the compensation in force, s/s.
    double set_temperature_compensation(Instant now, double compensation);
    TimeSmoothing& smoothing() noexcept { return smoothing_; }
    const TimeSmoothing& smoothing() const noexcept { return smoothing_; }

    // --- what others are told --------------------------------------------------------------------
    /// For servers (and, with `smoothed` false, for symmetric peers). To be published at every wake-up
    /// and at least once a second: the choice of the local reference depends on the time.
    ServerState server_state(Instant now, std::uint32_t random, bool smoothed = true);
    DisciplineReport report(Instant now, std::uint32_t random);
    /// Stratum as our clients see it; 16 when unsynchronised.
    Stratum stratum(Instant now) const noexcept;
    /// `local orphan`'s stratum; 16 without.
    Stratum orphan_stratum() const noexcept;
    /// Within five seconds of a leap second, either clock: no measurements then.
    bool is_leap_close(Instant now) const noexcept;
    bool is_leap_close(UtcTime t) const noexcept;
    /// TAI − UTC by the leap table; 0: not known. For reference clocks on TAI.
    int tai_offset(UtcTime t) const noexcept;

    // --- outputs ---------------------------------------------------------------------------------
    std::optional<ClockCommand> next_command(SystemTime now);
    void step_done(Instant now, Duration by, bool ok);
    void frequency_done(SystemTime at, Frequency actual) { clock_.frequency_applied(at, actual); }
    std::vector<ClockAdjustment> take_adjustments();
    std::vector<DisciplineEvent> take_events();

private:
    enum class StepReason : std::uint8_t { Update, Operator, LeapSecond, Once };
    struct PendingStep {
        double offset_s = 0.0;
        StepReason reason = StepReason::Update;
    };
    /// What clients see: source, local reference or nothing.
    struct Served {
        enum class From : std::uint8_t { Source, Local, Nothing };
        From from = From::Nothing;
        double dispersion_s = 0.0;
    };

    // discipline.cc
    void follow(Instant now, const ClockUpdate& update, bool manual, std::uint32_t random);
    void remember_update(Instant now, double offset_s, Duration interval);
    bool offset_allowed(double offset_s);
    bool step_wanted(double offset_s);
    bool is_sane(UtcTime t, double offset_s);
    Frequency clamp_frequency(Frequency correction);
    double correction_area_s2(double offset_s, double interval_s) const noexcept;
    double steering_area_s2(const Estimate& estimate, double remaining_s,
                            double interval_s) const noexcept;
    bool accumulate(Instant now, double frequency, double offset_s, double area_s2, bool tell);
    bool request_step(Instant now, double offset_s, StepReason reason);
    void set_frequency(Instant now, Frequency correction);
    void broadcast(const ClockAdjustment& adjustment, Instant now);
    void update_once(Instant now, bool valid, double offset_s);
    void end_mode(bool success);
    Frequency compensated(Frequency correction) const noexcept;

    // discipline_holdover.cc
    void use_fallback(Instant now, Frequency correction);
    void start_holdover_timer(Instant now);
    void continue_holdover(Instant now);
    double holdover_dispersion_s(double age_s) const noexcept;

    // discipline_leap.cc
    void update_leap_status(Instant now, Leap leap, bool reset);
    void clear_leap_status(Instant now);
    void apply_leap_status(Instant now, Leap leap, int leap_step_s, int tai_offset_s, bool reset);
    void set_leap_timer(SystemTime now);
    void start_leap(Instant now);
    void end_leap(Instant now);
    void command_leap(bool applied);
    LeapInfo lookup_leap(SystemTime now);

    // discipline_reference.cc
    double root_dispersion_s(UtcTime t) const noexcept;
    double dispersion_rate() const noexcept;
    void update_sync_status(UtcTime now);
    void log_tracking(UtcTime now, int combined, double offset_s, double remaining_s,
                      double root_distance_s);
    Served served(Instant now) const noexcept;
    Served note_served(Instant now, std::uint32_t random);

    DisciplineConfig config_;
    NtpClock clock_;
    FallbackDrift fallback_;
    TimeSmoothing smoothing_;
    LeapTable leap_table_;
    std::optional<DriftFileSchedule> drift_schedule_;
    DisciplineMode mode_ = DisciplineMode::Normal;
    bool can_leap_ = false;

    Frequency frequency_;  ///< base of the NTP clock without temperature compensation
    double temperature_compensation_ = 0.0;

    // The reference we follow.
    bool synchronised_ = false;
    Stratum stratum_ = 0;
    RefId ref_id_;
    std::optional<SourceId> source_;
    bool has_reference_ = false;  ///< else tracking.log shows 0.0.0.0
    UtcTime reference_time_;
    double skew_ = 1.0;
    double residual_frequency_ = 0.0;
    double root_delay_s_ = 1.0;
    double root_dispersion_s_ = 1.0;
    double offset_sd_s_ = 0.0;
    double frequency_sd_ = 0.0;
    double wander_ = 0.0;
    std::optional<MonoTime> last_update_;
    double last_update_interval_s_ = 0.0;
    double usual_interval_s_ = 0.0;  ///< the same without a single gap
    int start_updates_ = 0;  ///< since the start or the last unknown step, as far as they count
    double last_offset_s_ = 0.0;
    double mean_square_offset_s2_ = 0.0;
    bool mean_square_moving_ = false;
    double last_system_offset_s_ = 0.0;
    MonoTime unsynchronised_since_;
    std::optional<MonoTime> last_reference_adjustment_;
    int reference_adjustments_ = 0;

    // Holdover: what the frequency takes on beyond the last update.
    FrequencyTrend trend_;
    std::optional<MonoTime> holdover_at_;
    double holdover_change_ = 0.0;  ///< in force, s/s

    // The local reference.
    bool local_activated_ = false;
    bool local_serving_ = false;
    UtcTime local_reference_time_;

    // Leap second.
    Leap leap_ = Leap::Unsynchronised;
    int leap_step_s_ = 0;  ///< +1 insert, −1 delete, 0 none
    int tai_offset_s_ = 0;
    std::int64_t leap_at_unix_s_ = 0;  ///< midnight of the next or last leap second
    bool leap_in_progress_ = false;
    std::optional<SystemTime> leap_start_;
    std::optional<MonoTime> leap_end_;
    int kernel_leap_step_s_ = 0;
    int kernel_tai_offset_s_ = 0;
    std::int64_t leap_lookup_slot_ = -1;
    LeapInfo leap_lookup_;

    // Outputs that wait to be taken.
    std::optional<PendingStep> pending_step_;
    std::optional<SetLeap> pending_leap_;
    std::optional<SetSyncStatus> pending_sync_;
    std::vector<ClockAdjustment> adjustments_;
    std::vector<DisciplineEvent> events_;
};

}  // namespace gnomon
