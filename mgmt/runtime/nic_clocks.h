#pragma once

/// `NicClocks`: the hardware clocks behind `hwtimestamp`, read now and then, and the conversion of
/// their stamps into system time.
///
/// One clock per interface. It runs free: nobody here steers it. It is read when a stamp of it arrives
/// and the last reading is older than `minpoll`, so that stamps meet a fresh reading, and at the latest
/// after `maxpoll`. All readings of a burst count (`PhcSampler`), and `ClockRelation` follows the clock
/// against the NTP clock; corrections of that are told through `ClockObserver`.
///
/// The oscillator of an interface may be steadier than that of the system clock. Measurements of the
/// selected source decide (`OscillatorTrial`), and what the system clock wanders against the better one
/// is then made good at every reading, by its weight: with hardware timestamps the relation is known to
/// nanoseconds, and a source is much noisier. `nofollow` switches that off.
///
/// A clock that jumps, stops or runs wild is logged once and its stamps are refused, so that the
/// kernel's are used; it comes back by itself when it has behaved for a while.
///
/// Belongs to the control loop's thread. `open` needs privileges, nothing else does.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/socket/frame_time.h"
#include "dataplane/socket/interface_stamping.h"
#include "dataplane/socket/socket_port.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "refclock/decode/phc_sampler.h"
#include "refclock/phc_device.h"
#include "servo/filter/clock_relation.h"
#include "servo/filter/oscillator_trial.h"
#include "servo/units/result.h"

namespace gnomon {

class NicClocks final : public HardwareStampConverter, public ClockObserver {
public:
    /// The NTP clock at a system time, by the line in force.
    using ToUtc = std::function<UtcTime(SystemTime)>;

    /// `Engine::follow_oscillator`.
    using Follow = std::function<bool(double offset_s, double frequency)>;

    NicClocks(ToUtc to_utc, Follow follow)
        : to_utc_(std::move(to_utc)), follow_(std::move(follow)) {}

    /// Switches stamping on. A named interface that cannot do it is an error; `*` takes what there is.
    /// `clock_precision_s`: of reading the system clock.
    SysResult<void> open(const TimestampingConfig& config, double clock_precision_s);
    bool empty() const noexcept { return nics_.empty(); }

    /// When a clock wants to be read.
    MonoTime next_timeout() const noexcept;
    void handle_timeout(MonoTime now);

    std::optional<Stamp> convert(const Raw& raw) override;
    void on_adjustment(const ClockAdjustment& adjustment) override;
    void on_measurement(SourceId source, const Measurement& measurement) override;

private:
    struct Nic {
        Nic(const StampingInterface& found, PhcDevice opened, const HwTimestampConfig& options,
            double clock_precision_s);

        StampingInterface interface;
        PhcDevice device;
        HwTimestampConfig config;
        PhcSampler sampler;
        ClockRelation relation;
        OscillatorTrial trial;
        Duration base;  ///< of the trial's differences
        FrameHeaders headers;
        int speed_mbps = 0;
        MonoTime last_read;
        MonoTime next_read = MonoTime::max();  ///< set by the first stamp
        int failed_reads = 0;
        bool reported = false;  ///< that its stamps are not used
    };

    SysResult<void> add(const std::string& name, const HwTimestampConfig& config,
                        double clock_precision_s);
    Nic* find(int interface_index) noexcept;
    void read_clock(Nic& nic, MonoTime now);
    void tell(Nic& nic, ClockRelation::Fault fault);
    SystemTime to_system(UtcTime utc) const;
    void follow(Nic& nic);

    /// What the NTP clock got from following, against its own oscillator, as a line.
    struct Followed {
        UtcTime at;
        double offset_s = 0.0;
        double frequency = 0.0;
        double at_time(UtcTime t) const noexcept {
            return offset_s + frequency * (t - at).to_seconds();
        }
    };

    ToUtc to_utc_;
    Follow follow_;
    std::vector<std::unique_ptr<Nic>> nics_;
    Nic* leader_ = nullptr;  ///< whose oscillator is followed
    Followed followed_;
    Followed followed_before_;  ///< the line before the last correction
    std::optional<SourceId> judge_;
};

}  // namespace gnomon
