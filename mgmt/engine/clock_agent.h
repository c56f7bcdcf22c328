#pragma once

/// `ClockAgent`: the discipline with its driver, files and listeners. Every change of the NTP clock
/// goes through here: the command is executed at once, and whoever holds times on that clock is
/// told before anything else happens.

#include <optional>
#include <string>

#include "mgmt/config/config.h"
#include "mgmt/engine/engine.h"
#include "mgmt/engine/services.h"
#include "mgmt/engine/temperature_input.h"
#include "servo/discipline/discipline.h"
#include "servo/units/server_state.h"

namespace gnomon {

/// Who has to know what happens to the clock.
class ClockListener {
public:
    virtual ~ClockListener() = default;
    virtual void on_adjustment(const ClockAdjustment& adjustment, const Now& now) = 0;
    /// How the source is called in the tracking log.
    virtual SourceLabel label_of(SourceId source) const = 0;
};

class ClockAgent {
public:
    ClockAgent(const Config& config, const Services& services, const EngineOptions& options,
               ClockListener& listener);

    /// Takes the clock over: drift file, leap table, mode.
    void start(const Now& now);
    /// First call of every turn: notices when somebody else moved the clock.
    void begin_turn(const Now& now);
    void handle_timeout(const Now& now);
    /// Absolute; `now` as of the last turn.
    MonoTime next_timeout(const Now& now) const;
    /// Leaves the clock in order and writes the drift file.
    void shutdown(const Now& now);

    // Each of these changes the clock and tells everybody before it returns.
    void update(const ClockUpdate& update, const Now& now);
    void update_leap(Leap leap, const Now& now);
    void set_unsynchronised(const Now& now);
    void forget_sources(const Now& now);
    bool make_step(const Now& now);
    /// The NTP clock becomes the system clock again, and measurements refer to what a successor will
    /// find: what remained to be slewed is in their offsets. For dump files.
    void give_up_slew(const Now& now);
    bool add_offset(double offset_s, const Now& now);
    /// A reference clock with the option `local` steers at once; nobody's times move.
    bool adjust_reference(double offset_s, double frequency, const Now& now);
    /// `error_ppm` > 0: the clock is found to gain that much more.
    void add_frequency(double error_ppm, const Now& now);
    void set_manual_reference(UtcTime at, double offset_s, double frequency, double skew,
                              const Now& now);
    bool reset_smoothing(const Now& now);
    bool activate_smoothing(const Now& now);

    /// From `start` on.
    Discipline& discipline() { return *discipline_; }
    const Discipline& discipline() const { return *discipline_; }
    bool is_running() const noexcept { return discipline_.has_value(); }
    UtcTime to_utc(SystemTime t) const { return discipline_->to_utc(t); }

    const ServerState& publish(const Now& now);
    const ServerState& server_state() const noexcept { return state_; }
    /// As for symmetric peers: without smoothing.
    ServerState peer_state(const Now& now);
    DisciplineReport report(const Now& now);

    double precision_s() const noexcept { return precision_s_; }
    Log2Seconds precision_log2() const noexcept { return precision_log2_; }
    std::optional<int> exit_status() const noexcept { return exit_status_; }

private:
    std::optional<DriftRecord> load_drift_file();
    void load_leap_table();
    void read_temperature(const Now& now);
    void write_drift_file(const DriftRecord& record);
    /// Executes commands and delivers adjustments and events until nothing is left.
    void settle(const Now& now);
    void deliver(const DisciplineEvent& event);
    /// The monotonic time that servers offer in the mono-root field takes back what is corrected.
    void note_correction(const ClockAdjustment& adjustment);
    std::uint32_t random() { return static_cast<std::uint32_t>(services_.random.next()); }

    const Config& config_;
    Services services_;
    EngineOptions options_;
    ClockListener& listener_;
    double precision_s_;
    Log2Seconds precision_log2_;
    std::optional<Discipline> discipline_;
    TemperatureInput temperature_;
    ServerState state_;
    double mono_offset_s_ = 0.0;
    std::uint32_t mono_epoch_ = 0;
    std::optional<int> exit_status_;
};

}  // namespace gnomon
