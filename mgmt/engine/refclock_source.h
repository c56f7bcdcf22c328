#pragma once

/// `RefclockSource`: one reference clock: raw samples of its driver become measurements on the NTP
/// clock, several of them one sample of the source (REF-07 … REF-30).

#include <optional>

#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/selectable_source.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/services.h"
#include "refclock/decode/pulse_pairing.h"
#include "refclock/decode/raw_sample.h"
#include "servo/filter/sample_filter.h"

namespace gnomon {

class RefclockSource;

/// What a reference clock has to know of the others.
class RefclockPeers {
public:
    virtual ~RefclockPeers() = default;
    /// Whether the source with this reference ID is a clock whose pulses follow the NTP clock: then
    /// our stratum is not a new one.
    virtual bool is_following_pulses(RefId ref_id) const = 0;
};

class RefclockSource {
public:
    struct Surroundings {
        const Config& config;
        const Services& services;
        ClockAgent& clock;
        SelectionAgent& selection;
        const RefclockPeers& peers;
    };

    /// `index`: position in the configuration. `polled`: by the driver's nature.
    RefclockSource(SourceId id, std::size_t index, const RefclockConfig& config, bool polled,
                   const Surroundings& around);

    /// Pulses are paired with this clock's samples; itself with the option `local`; null: with the
    /// NTP clock. Outlives this.
    void set_lock(const RefclockSource* lock) noexcept { lock_ = lock; }

    void start(const Now& now);
    MonoTime next_timeout() const noexcept { return next_poll_; }
    /// One poll of the driver, `taken` being its samples, and whatever is due with it. `now`: after
    /// the samples were taken.
    void handle_poll(const std::vector<RawRefclockSample>& taken, const Now& now);
    /// A sample that came on its own.
    void handle_sample(const RawRefclockSample& sample, const Now& now);

    void adjust(const ClockAdjustment& adjustment);
    /// `reset sources`.
    void reset(const Now& now);
    void set_offset(double offset_s) noexcept { options_.offset_s = offset_s; }

    SelectableSource& selectable() noexcept { return selectable_; }
    const SelectableSource& selectable() const noexcept { return selectable_; }
    const RefclockOptions& options() const noexcept { return options_; }
    bool polled() const noexcept { return polled_; }
    bool follows_pulses() const noexcept { return pulses_ && lock_ == nullptr; }

private:
    /// A pulse or time, on the NTP clock.
    struct Reading {
        UtcTime at;
        double raw_offset_s = 0.0;  ///< for the log
        double offset_s = 0.0;
        double dispersion_s = 0.0;
    };
    struct Line {
        UtcTime at;
        double offset_s = 0.0;
        double frequency = 0.0;
    };

    void accept_time(const RawRefclockSample& sample, Reading reading);
    void accept_pulse(const RawRefclockSample& sample, Reading reading, const Now& now);
    bool accumulate(const RawRefclockSample& sample, const Reading& reading);
    std::optional<double> pair_pulse(const Reading& reading, double offset_s, Leap& leap,
                                     const Now& now);
    LockSample lock_sample(UtcTime at, double offset_s) const;
    bool remove_tai_offset(const Reading& reading, double& offset_s) const;
    void lose_lock(const Now& now);

    void finish_poll(const Now& now);
    void update_reach(const Now& now);
    void use(const Measurement& merged, const Now& now);
    Stratum stratum_at(const Now& now) const;
    std::optional<Line> local_line() const;
    void follow_local(const Line& before, const Now& now);
    void log_reading(const Reading& reading, bool pulse) const;
    void log_merged(const Measurement& merged) const;

    Surroundings around_;
    RefclockOptions options_;
    bool polled_;
    double precision_s_;
    PulseTrain train_;
    SelectableSource selectable_;
    MedianFilter median_;
    const RefclockSource* lock_ = nullptr;
    Leap leap_ = Leap::Normal;
    bool pulses_ = false;  ///< the last sample was a pulse
    int polls_ = 0;        ///< of the driver since the last sample went to the source
    int received_ = 0;     ///< samples, good or not, since then
    MonoTime next_poll_ = MonoTime::max();
};

}  // namespace gnomon
