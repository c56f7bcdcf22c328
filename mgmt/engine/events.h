#pragma once

/// What happens inside the engine, as values. Whoever words them (logs, log files, the event
/// stream) needs nothing but the value; nothing here is text for people but names that came from
/// outside.
///
/// Signs are ours: an offset > 0 means that the local clock is behind. chrony's messages about
/// "System clock wrong by" and "was stepped by" and the log files show some of them negated; the
/// field comments say which. Times are on the NTP clock unless they are typed otherwise.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "dataplane/port/dataplane.h"
#include "dataplane/wire/address.h"
#include "servo/discipline/discipline_types.h"
#include "servo/units/clock_status.h"
#include "servo/units/duration.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// How a source is named in messages: by address, or a reference clock by its reference ID. `name`
/// is the configured one; messages add it in brackets when it differs from the address.
struct SourceLabel {
    IpAddress address;  ///< may be an `Id` one; Unspecified for reference clocks
    RefId ref_id;       ///< of a reference clock
    std::string name;

    bool is_refclock() const noexcept { return address.family() == IpAddress::Family::Unspecified; }
    /// "192.0.2.1" or "PPS0": what log files and messages call it.
    std::string to_string() const { return is_refclock() ? ref_id.to_text() : address.to_string(); }
};

enum class SourceOrigin : std::uint8_t { Config, SourceFile, Command };

// --- Sources ---------------------------------------------------------------------------------

/// "Added source 192.0.2.1 (name)"; for pools "Added pool name" when `pool` is set. chrony is
/// silent about what comes from the configuration file.
struct SourceAdded {
    SourceLabel source;
    bool pool = false;
    SourceOrigin origin = SourceOrigin::Config;
};
struct SourceRemoved {
    SourceLabel source;
    bool pool = false;
    SourceOrigin origin = SourceOrigin::Command;
};
/// A `server` line or `*.sources` line that could not be used.
struct SourceAddFailed {
    enum class Reason : std::uint8_t { InUse, TooMany, InvalidFamily, InvalidName };
    std::string name;
    Reason reason = Reason::InUse;
};
/// "Source A replaced with B (name)". With `changed_by_protocol`: "Source A changed to B (name)".
/// An `Id` address as the old one is a first resolution: worth a debug message only.
struct SourceReplaced {
    IpAddress old_address;
    IpAddress new_address;
    std::string name;
    bool changed_by_protocol = false;
};
/// "Invalid host NAME": the name does not exist and is given up.
struct NameNotFound {
    std::string name;
};
/// "Source A online" / "offline".
struct OnlineChanged {
    SourceLabel source;
    bool online = true;
};
/// Loops of the mesh prove the path to a peer asymmetric: its offsets had `bias_s` too much, which is
/// taken off from now on. 0: no longer.
struct MeshCorrected {
    SourceLabel source;
    double bias_s = 0.0;
};
/// A run-time change of one parameter: "Source A new minpoll 6".
struct SourceParameterChanged {
    enum class Parameter : std::uint8_t {
        MinPoll,
        MaxPoll,
        MaxDelay,
        MaxDelayRatio,
        MaxDelayDevRatio,
        MinStratum,
        PollTarget,
        Offset,
        SelectOptions,
    };
    SourceLabel source;
    Parameter parameter = Parameter::MinPoll;
    double value = 0.0;  ///< 0 for SelectOptions
};
/// "Received KoD RATE from A"
struct KodReceived {
    SourceLabel source;
};
/// A key that a source is configured with is unusable.
struct KeyProblem {
    enum class Reason : std::uint8_t { Missing, TooShort, BadLine, Duplicate, FileUnreadable };
    std::uint32_t key_id = 0;  ///< 0 when it is not about one key
    Reason reason = Reason::Missing;
    std::string file;
    int line = 0;
};
struct KeysLoaded {
    std::uint32_t count = 0;
};
struct AllSourcesReset {};
/// "Dropping sample around leap second"
struct SampleDroppedAtLeap {
    SourceLabel source;
};

/// Of a reference clock: "Invalid lock refid OTHER", "REFID maxlockage too small for OTHER", "Local
/// refclock lost lock".
struct RefclockProblem {
    enum class Reason : std::uint8_t { InvalidLock, LockAgeTooSmall, LostLock };
    SourceLabel source;
    Reason reason = Reason::InvalidLock;
    RefId other;
};

// --- Selection -------------------------------------------------------------------------------

/// "Selected source A (name)"
struct SourceSelected {
    SourceLabel source;
};
/// "Can't synchronise: …"
struct CannotSynchronise {
    enum class Reason : std::uint8_t {
        NoSources,        ///< "no sources"
        NoSelectable,     ///< "no selectable sources (`unreachable` unreachable sources)"
        NoAgreement,      ///< "no majority (no agreement among `total` sources)"
        NoMajority,       ///< "no majority (only `agreeing` of `total` sources agree)"
        NoneAgrees,       ///< "no selectable sources", after the intersection
        MissingRequired,  ///< "no required source in selectable sources"
        TooFewSources,    ///< "not enough selectable sources"
    };
    Reason reason = Reason::NoSources;
    int unreachable = 0;
    int agreeing = 0;
    int total = 0;
    bool only_trusted = false;  ///< the counts are of "trusted sources"
};
/// "Unknown local refid in orphan mode"
struct OrphanRefIdUnknown {
    SourceLabel source;
};
struct FalsetickerDetected {
    SourceLabel source;
};
/// "Root distance of A exceeds maxdistance of 3.0" and its like.
struct SourceUnacceptable {
    enum class Reason : std::uint8_t {
        RootDistance,
        Jitter,
        StratumBelowMinimum,
        StratumAboveMaximum,
    };
    SourceLabel source;
    Reason reason = Reason::RootDistance;
    double limit = 0.0;
};

// --- The clock -------------------------------------------------------------------------------
// What the discipline tells under its own names is passed on as it is (discipline_types.h):
// ClockWrong, ClockStepped, LeapEvent, TaiOffsetSet, SmoothingChanged, ClockChangeMail,
// InitialOffset, NoSuitableSource, AdjustmentInvalid.

/// "State HOLDOVER (in spec) : no source answers (bound 1.2 ms, limit 100 ms)"
struct ClockStateChanged {
    ClockStateKind before = ClockStateKind::Unsynced;
    ClockStateKind kind = ClockStateKind::Unsynced;
    ClockReason reason = ClockReason::None;
    bool in_spec = false;
    bool only_reason = false;  ///< the rest is as it was
    double bound_s = 0.0;      ///< infinity when unknown
    double limit_s = 0.0;
};
/// "Could not step system clock"; the offset is slewed instead.
struct ClockStepFailed {
    std::string error;
};
struct ClockControlFailed {
    std::string error;
};
/// Somebody else stepped the system clock: "Backward/Forward time jump detected!"
struct TimeJumpDetected {
    Duration jump;  ///< > 0: forward
};
/// "Adjustment of X seconds exceeds the allowed maximum of Y seconds (ignored / exiting)".
/// > 0: the clock was behind, which is how it is printed. With `fatal` the engine asks to be shut
/// down (exit status 1).
struct MaxChangeExceeded {
    double offset_s = 0.0;
    double limit_s = 0.0;
    bool fatal = false;
};
/// "Frequency F +/- S ppm read from FILE"; positive: the clock gains.
struct FrequencyRead {
    double frequency_ppm = 0.0;
    double skew_ppm = 0.0;
    std::string file;
};
struct DriftFileUnreadable {
    std::string file;
};
/// "Initial frequency F ppm"; without a drift file.
struct InitialFrequency {
    double frequency_ppm = 0.0;
};
struct FrequencyLimited {
    double requested_ppm = 0.0;
};
/// Where leap seconds are known from, or that it is of no use.
struct LeapTableStatus {
    enum class Kind : std::uint8_t { ListUsed, ListUnreadable, ListExpired, ZoneUsed, ZoneInvalid };
    Kind kind = Kind::ListUsed;
    std::string name;
};
struct LocalModeChanged {
    bool enabled = false;
};

// --- Commands and files ------------------------------------------------------------------------

struct ParameterChanged {
    enum class Parameter : std::uint8_t { MaxUpdateSkew, MakeStep, ReselectDistance };
    Parameter parameter = Parameter::MaxUpdateSkew;
    double value = 0.0;
    int limit = 0;  ///< MakeStep
};
/// `dfreq`, `doffset`: ppm and seconds as given.
struct ManualAdjustment {
    enum class Kind : std::uint8_t { Frequency, Offset, SettimeSlew, SettimeFrequencyAndSlew };
    Kind kind = Kind::Frequency;
    double frequency_ppm = 0.0;
    double offset_s = 0.0;
};
struct DumpFileLoaded {
    SourceLabel source;
    bool ok = true;
};
struct FileWriteFailed {
    std::string error;  ///< SysError::message()
};
struct ServerSocketFailed {
    std::string error;
};

// --- Rows of the log files (LGF) -----------------------------------------------------------------

/// measurements.log. Written for every reply that was received, good or not.
struct MeasurementRecord {
    UtcTime at;  ///< receive time
    IpAddress address;
    Leap leap = Leap::Normal;
    std::uint8_t stratum = 0;
    /// Ten bits, test 1 in bit 9 … test D in bit 0; set: passed.
    std::uint16_t tests = 0;
    int local_poll = 0;
    int remote_poll = 0;
    double poll_score = 0.0;
    double offset_s = 0.0;  ///< as in the file
    double peer_delay_s = 0.0;
    double peer_dispersion_s = 0.0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    std::uint32_t ref_id = 0;
    std::uint8_t mode = 0;
    bool interleaved = false;
    TimestampSource tx_source = TimestampSource::Daemon;
    TimestampSource rx_source = TimestampSource::Daemon;
    /// Passed tests 1–7 (`log measurements`); others are for `log rawmeasurements` only.
    bool valid = false;
};

/// statistics.log, at every accepted sample.
struct StatisticsRecord {
    UtcTime at;  ///< of the newest sample
    SourceLabel source;
    double stddev_s = 0.0;
    double offset_s = 0.0;  ///< file: negated
    double offset_sd_s = 0.0;
    double frequency = 0.0;  ///< s/s, as in `Estimate`: > 0 runs slow; file: negated
    double skew = 0.0;       ///< s/s
    double stress = 0.0;     ///< |change of frequency| / predicted skew
    int samples = 0;
    int best_start = 0;
    int runs = 0;
    double asymmetry = 0.0;
};

/// tracking.log, at every update of the clock and when the reference is lost.
struct TrackingRecord {
    UtcTime at;
    SourceLabel source;
    int stratum = 0;
    double frequency_ppm = 0.0;  ///< positive: the clock gains; file: the same sign
    double skew_ppm = 0.0;
    double offset_s = 0.0;  ///< > 0: the clock was behind; file: negated
    Leap leap = Leap::Unsynchronised;
    int combined = 0;
    double offset_sd_s = 0.0;
    double uncorrected_offset_s = 0.0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double max_error_s = 0.0;
};

/// selection.log: one row per source and selection.
struct SelectionRecord {
    UtcTime at;
    SourceLabel source;
    char state = '?';
    bool authenticated = false;
    bool noselect = false;  ///< effective options
    bool prefer = false;
    bool trust = false;
    bool require = false;
    std::uint8_t reach = 0;
    double score = 0.0;
    double last_sample_ago_s = 0.0;
    double low_s = 0.0;  ///< file: negated and swapped
    double high_s = 0.0;
};

/// What is wrong with `tempcomp`'s files; of the sensor once, until it is right again.
struct TemperatureProblem {
    enum class Kind : std::uint8_t {
        Unreadable,   ///< no file, or no number in it
        Implausible,  ///< no temperature that a coefficient can be learned from
        Excessive,    ///< the compensation `value` (ppm) is not sane
        BadPoints,    ///< no compensation at all
    };
    Kind kind = Kind::Unreadable;
    std::string file;
    double value = 0.0;
};
/// tempcomp.log: every reading that was good.
struct TemperatureRecord {
    UtcTime at;
    double temperature = 0.0;  ///< in the sensor's unit
    double compensation_ppm = 0.0;
};

/// refclocks.log: every sample of a driver, and what several of them were merged into.
struct RefclockRecord {
    UtcTime at;
    SourceLabel source;
    bool merged = false;  ///< then these do not apply: driver_poll, pulse, raw_offset_s
    int driver_poll = 0;
    Leap leap = Leap::Normal;
    bool pulse = false;
    double raw_offset_s = 0.0;  ///< of the system clock; as in the file
    double offset_s = 0.0;      ///< of the NTP clock; as in the file
    double dispersion_s = 0.0;
};

/// Who serves on a polled port has changed, or why it does not.
struct PolledPortChanged {
    std::string device;  ///< as configured
    PortHealth health = PortHealth::Healthy;
    bool serving = false;       ///< the port does; else the kernel, if there is one under it
    bool kernel_under = false;  ///< the kernel's sockets can serve in its place
    bool has_failed = false;    ///< it has served before, and not all the time
};

using Event = std::variant<
    SourceAdded, SourceRemoved, SourceAddFailed, SourceReplaced, NameNotFound, OnlineChanged,
    SourceParameterChanged, MeshCorrected, KodReceived, KeyProblem, KeysLoaded, AllSourcesReset,
    SampleDroppedAtLeap, SourceSelected, CannotSynchronise, OrphanRefIdUnknown, FalsetickerDetected,
    SourceUnacceptable, ClockWrong, ClockStepped, ClockStepFailed, ClockControlFailed,
    ClockChangeMail, InitialOffset, NoSuitableSource, AdjustmentInvalid, TimeJumpDetected,
    MaxChangeExceeded, FrequencyRead, DriftFileUnreadable, InitialFrequency, FrequencyLimited,
    FallbackDriftUsed, LeapEvent, TaiOffsetSet, LeapTableStatus, SmoothingChanged, LocalModeChanged,
    ParameterChanged, ManualAdjustment, DumpFileLoaded, FileWriteFailed, ServerSocketFailed,
    MeasurementRecord, StatisticsRecord, TrackingRecord, SelectionRecord, RefclockProblem,
    RefclockRecord, TemperatureProblem, TemperatureRecord, ClockStateChanged, PolledPortChanged>;

}  // namespace gnomon
