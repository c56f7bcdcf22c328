#include "mgmt/runtime/messages.h"

#include <cmath>

#include <fmt/format.h>

#include "servo/discipline/temperature.h"

namespace gnomon {

namespace {

using Text = std::optional<Message>;

template <typename... Args>
Text debug(fmt::format_string<Args...> format, Args&&... args) {
    return Message{LogSeverity::Debug, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Text info(fmt::format_string<Args...> format, Args&&... args) {
    return Message{LogSeverity::Info, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Text warning(fmt::format_string<Args...> format, Args&&... args) {
    return Message{LogSeverity::Warning, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Text error(fmt::format_string<Args...> format, Args&&... args) {
    return Message{LogSeverity::Error, fmt::format(format, std::forward<Args>(args)...)};
}

/// "192.0.2.1 (ntp.example.net)", or the address alone when that is what was configured.
std::string with_name(const SourceLabel& source) {
    const std::string label = source.to_string();
    if (source.is_refclock() || source.name.empty() || source.name == label) return label;
    return label + " (" + source.name + ")";
}

Text added_or_removed(const char* what, const SourceLabel& source, bool pool, SourceOrigin origin) {
    // What the configuration file says is no news.
    const auto severity = origin == SourceOrigin::Config ? LogSeverity::Debug : LogSeverity::Info;
    if (pool) return Message{severity, fmt::format("{} pool {}", what, source.name)};
    return Message{severity, fmt::format("{} source {}", what, with_name(source))};
}

const char* reason_of(SourceAddFailed::Reason reason) {
    switch (reason) {
        case SourceAddFailed::Reason::InUse: return "Already in use";
        case SourceAddFailed::Reason::TooMany: return "Too many sources";
        case SourceAddFailed::Reason::InvalidFamily: return "Invalid address";
        case SourceAddFailed::Reason::InvalidName: return "Invalid name";
    }
    return "Unknown error";
}

struct Words {
    // --- Sources
    Text operator()(const SourceAdded& e) const {
        return added_or_removed("Added", e.source, e.pool, e.origin);
    }
    Text operator()(const SourceRemoved& e) const {
        return added_or_removed("Removed", e.source, e.pool, e.origin);
    }
    Text operator()(const SourceAddFailed& e) const {
        return error("Could not add source {} : {}", e.name, reason_of(e.reason));
    }
    Text operator()(const SourceReplaced& e) const {
        const char* verb = e.changed_by_protocol ? "changed to" : "replaced with";
        const auto severity = e.old_address.is_ip() ? LogSeverity::Info : LogSeverity::Debug;
        return Message{severity, fmt::format("Source {} {} {} ({})", e.old_address.to_string(),
                                             verb, e.new_address.to_string(), e.name)};
    }
    Text operator()(const NameNotFound& e) const { return warning("Invalid host {}", e.name); }
    Text operator()(const OnlineChanged& e) const {
        return info("Source {} {}", e.source.to_string(), e.online ? "online" : "offline");
    }
    Text operator()(const SourceParameterChanged& e) const { return parameter(e); }
    Text operator()(const MeshCorrected& e) const {
        if (e.bias_s == 0.0) return info("Path to {} not corrected any more", e.source.to_string());
        return info("Path to {} is asymmetric, offsets corrected by {:+.9f}", e.source.to_string(),
                    -e.bias_s);
    }
    Text operator()(const KodReceived& e) const {
        return warning("Received KoD RATE from {}", e.source.to_string());
    }
    Text operator()(const KeyProblem& e) const { return key_problem(e); }
    Text operator()(const KeysLoaded& e) const { return info("Loaded {} symmetric keys", e.count); }
    Text operator()(const SampleDroppedAtLeap&) const {
        return info("Dropping sample around leap second");
    }
    Text operator()(const AllSourcesReset&) const { return info("Reset all sources"); }

    Text operator()(const RefclockProblem& e) const {
        switch (e.reason) {
            case RefclockProblem::Reason::InvalidLock:
                return warning("Invalid lock refid {}", e.other.to_text());
            case RefclockProblem::Reason::LockAgeTooSmall:
                return warning("{} maxlockage too small for {}", e.source.to_string(),
                               e.other.to_text());
            case RefclockProblem::Reason::LostLock: return warning("Local refclock lost lock");
        }
        return std::nullopt;
    }

    // --- Selection
    Text operator()(const SourceSelected& e) const {
        return info("Selected source {}", with_name(e.source));
    }
    Text operator()(const CannotSynchronise& e) const { return cannot_synchronise(e); }
    Text operator()(const FalsetickerDetected& e) const {
        return warning("Detected falseticker {}", with_name(e.source));
    }
    Text operator()(const SourceUnacceptable& e) const { return unacceptable(e); }

    // --- The clock
    Text operator()(const ClockWrong& e) const {
        return warning("System clock wrong by {:.6f} seconds", e.offset_s);
    }
    Text operator()(const ClockStepped& e) const {
        if (e.for_leap_second) return warning("System clock was stepped for leap second");
        return warning("System clock was stepped by {:.6f} seconds", e.offset_s);
    }
    Text operator()(const ClockStepFailed& e) const {
        if (e.error.empty()) return error("Could not step system clock");
        return error("Could not step system clock : {}", e.error);
    }
    Text operator()(const InitialOffset& e) const { return initial_offset(e); }
    Text operator()(const NoSuitableSource& e) const {
        return warning("No suitable source for {}",
                       e.mode == DisciplineMode::InitStepSlew ? "initstepslew" : "synchronisation");
    }
    Text operator()(const AdjustmentInvalid& e) const {
        return warning("Adjustment of {:.1f} seconds is invalid", e.offset_s);
    }
    Text operator()(const ClockControlFailed& e) const {
        return error("Could not control system clock : {}", e.error);
    }
    Text operator()(const TimeJumpDetected& e) const {
        return warning("{} time jump detected!",
                       e.jump < Duration::zero() ? "Backward" : "Forward");
    }
    Text operator()(const MaxChangeExceeded& e) const {
        return warning(
            "Adjustment of {:.3f} seconds exceeds the allowed maximum of {:.3f} seconds ({}) ",
            e.offset_s, e.limit_s, e.fatal ? "exiting" : "ignored");
    }
    Text operator()(const FrequencyRead& e) const {
        return info("Frequency {:.3f} +/- {:.3f} ppm read from {}", e.frequency_ppm, e.skew_ppm,
                    e.file);
    }
    Text operator()(const DriftFileUnreadable& e) const {
        return warning("Could not read valid frequency and skew from driftfile {}", e.file);
    }
    Text operator()(const InitialFrequency& e) const {
        return info("Initial frequency {:.3f} ppm", e.frequency_ppm);
    }
    Text operator()(const FrequencyLimited& e) const {
        return warning("Frequency {:.1f} ppm exceeds allowed maximum", e.requested_ppm);
    }
    Text operator()(const TemperatureProblem& e) const {
        using Kind = TemperatureProblem::Kind;
        switch (e.kind) {
            case Kind::Unreadable: return warning("Could not read temperature from {}", e.file);
            case Kind::Implausible:
                return warning("Temperature {:.3f} of {} is implausible", e.value, e.file);
            case Kind::Excessive:
                return warning(
                    "Temperature compensation of {:.3f} ppm exceeds sanity limit of {:.1f}",
                    e.value, kMaxTemperatureCompensation * 1e6);
            case Kind::BadPoints: return error("Could not read tempcomp points from {}", e.file);
        }
        return std::nullopt;
    }
    Text operator()(const FallbackDriftUsed& e) const {
        return debug("Using fallback drift of {:.3f} ppm (interval 2^{} s)", e.frequency_ppm,
                     e.interval_log2_s);
    }
    Text operator()(const TaiOffsetSet& e) const {
        return info("System clock TAI offset set to {} seconds", e.tai_offset_s);
    }
    Text operator()(const LeapEvent& e) const { return leap(e); }
    Text operator()(const LeapTableStatus& e) const { return leap_table(e); }
    Text operator()(const SmoothingChanged& e) const {
        if (!e.activated) return info("Reset time smoothing");
        return info("Activated time smoothing{}", e.leap_only ? " (leap seconds only)" : "");
    }
    Text operator()(const LocalModeChanged& e) const {
        return info("{} local reference mode", e.enabled ? "Enabled" : "Disabled");
    }

    // --- Commands and files
    Text operator()(const ParameterChanged& e) const {
        switch (e.parameter) {
            case ParameterChanged::Parameter::MaxUpdateSkew:
                return info("New maxupdateskew {:f} ppm", e.value);
            case ParameterChanged::Parameter::MakeStep:
                return info("New makestep {:f} {}", e.value, e.limit);
            case ParameterChanged::Parameter::ReselectDistance:
                return info("New reselect distance {:f}", e.value);
        }
        return std::nullopt;
    }
    Text operator()(const ManualAdjustment& e) const {
        switch (e.kind) {
            case ManualAdjustment::Kind::Frequency:
                return info("Accumulated delta freq of {:.3f}ppm", e.frequency_ppm);
            case ManualAdjustment::Kind::Offset:
                return info("Accumulated delta offset of {:.6f} seconds", e.offset_s);
            case ManualAdjustment::Kind::SettimeSlew:
                return info("Making a slew of {:.6f}", e.offset_s);
            case ManualAdjustment::Kind::SettimeFrequencyAndSlew:
                return info("Making a frequency change of {:.3f} ppm and a slew of {:.6f}",
                            e.frequency_ppm, e.offset_s);
        }
        return std::nullopt;
    }
    Text operator()(const DumpFileLoaded& e) const {
        if (e.ok) return info("Loaded dump file for {}", e.source.to_string());
        return warning("Could not load dump file for {}", e.source.to_string());
    }
    Text operator()(const FileWriteFailed& e) const { return error("Could not save: {}", e.error); }
    Text operator()(const ServerSocketFailed& e) const {
        return error("Could not open NTP socket : {}", e.error);
    }

    Text operator()(const PolledPortChanged& e) const { return polled_port(e); }
    Text operator()(const OrphanRefIdUnknown&) const {
        return error("Unknown local refid in orphan mode");
    }
    /// Sent as mail or not at all.
    Text operator()(const ClockChangeMail&) const { return std::nullopt; }
    // Rows of log files. No catch-all: a new event does not compile until somebody has thought of
    // what to say about it.
    Text operator()(const MeasurementRecord&) const { return std::nullopt; }
    Text operator()(const RefclockRecord&) const { return std::nullopt; }
    Text operator()(const TemperatureRecord&) const { return std::nullopt; }
    Text operator()(const ClockStateChanged& e) const { return clock_state(e); }
    Text operator()(const StatisticsRecord&) const { return std::nullopt; }
    Text operator()(const TrackingRecord&) const { return std::nullopt; }
    Text operator()(const SelectionRecord&) const { return std::nullopt; }

private:
    static Text parameter(const SourceParameterChanged& e);
    static Text key_problem(const KeyProblem& e);
    static Text cannot_synchronise(const CannotSynchronise& e);
    static Text unacceptable(const SourceUnacceptable& e);
    static Text leap(const LeapEvent& e);
    static Text initial_offset(const InitialOffset& e);
    static Text clock_state(const ClockStateChanged& e);
    static Text leap_table(const LeapTableStatus& e);
    static Text polled_port(const PolledPortChanged& e);
};

Text Words::parameter(const SourceParameterChanged& e) {
    const std::string source = e.source.to_string();
    const auto whole = std::lround(e.value);
    switch (e.parameter) {
        using Parameter = SourceParameterChanged::Parameter;
        case Parameter::MinPoll: return info("Source {} new minpoll {}", source, whole);
        case Parameter::MaxPoll: return info("Source {} new maxpoll {}", source, whole);
        case Parameter::MaxDelay: return info("Source {} new maxdelay {:f}", source, e.value);
        case Parameter::MaxDelayRatio:
            return info("Source {} new maxdelayratio {:f}", source, e.value);
        case Parameter::MaxDelayDevRatio:
            return info("Source {} new maxdelaydevratio {:f}", source, e.value);
        case Parameter::MinStratum: return info("Source {} new minstratum {}", source, whole);
        case Parameter::PollTarget: return info("Source {} new polltarget {}", source, whole);
        case Parameter::Offset: return info("Source {} new offset {:f}", source, e.value);
        case Parameter::SelectOptions: return info("Source {} selection options modified", source);
    }
    return std::nullopt;
}

Text Words::key_problem(const KeyProblem& e) {
    switch (e.reason) {
        case KeyProblem::Reason::Missing: return warning("Key {} is missing", e.key_id);
        case KeyProblem::Reason::TooShort: return warning("Key {} is too short", e.key_id);
        case KeyProblem::Reason::BadLine:
            return warning("Could not parse key at line {} in file {}", e.line, e.file);
        case KeyProblem::Reason::Duplicate: return warning("Detected duplicate key {}", e.key_id);
        case KeyProblem::Reason::FileUnreadable:
            return warning("Could not open keyfile {}", e.file);
    }
    return std::nullopt;
}

Text Words::cannot_synchronise(const CannotSynchronise& e) {
    const char* trusted = e.only_trusted ? "trusted " : "";
    switch (e.reason) {
        case CannotSynchronise::Reason::NoSources: return warning("Can't synchronise: no sources");
        case CannotSynchronise::Reason::NoSelectable:
            return warning("Can't synchronise: no selectable sources ({} unreachable sources)",
                           e.unreachable);
        case CannotSynchronise::Reason::NoAgreement:
            return warning("Can't synchronise: no majority (no agreement among {} {}sources)",
                           e.total, trusted);
        case CannotSynchronise::Reason::NoMajority:
            return warning("Can't synchronise: no majority (only {} of {} {}sources agree)",
                           e.agreeing, e.total, trusted);
        case CannotSynchronise::Reason::NoneAgrees:
            return warning("Can't synchronise: no selectable sources");
        case CannotSynchronise::Reason::MissingRequired:
            return warning("Can't synchronise: no required source in selectable sources");
        case CannotSynchronise::Reason::TooFewSources:
            return warning("Can't synchronise: not enough selectable sources");
    }
    return std::nullopt;
}

Text Words::unacceptable(const SourceUnacceptable& e) {
    const std::string source = with_name(e.source);
    switch (e.reason) {
        case SourceUnacceptable::Reason::RootDistance:
            return warning("Root distance of {} exceeds maxdistance of {:.3f} seconds", source,
                           e.limit);
        case SourceUnacceptable::Reason::Jitter:
            return warning("Jitter of {} exceeds maxjitter of {:.3f} seconds", source, e.limit);
        case SourceUnacceptable::Reason::StratumBelowMinimum:
            return warning("Stratum of {} below minstratum of {}", source, std::lround(e.limit));
        case SourceUnacceptable::Reason::StratumAboveMaximum:
            return warning("Stratum of {} above maxstratum of {}", source, std::lround(e.limit));
    }
    return std::nullopt;
}

Text Words::leap(const LeapEvent& e) {
    switch (e.action) {
        case LeapAction::SetToInsert: return info("System clock status set to insert leap second");
        case LeapAction::SetToDelete: return info("System clock status set to delete leap second");
        case LeapAction::ResetAfter: return info("System clock status reset after leap second");
        case LeapAction::Cancelled:
            return info("System clock status set to not insert/delete leap second");
        case LeapAction::SlewStarted: return warning("Adjusting system clock for leap second");
        case LeapAction::Ignored: return warning("Ignoring leap second");
    }
    return std::nullopt;
}

Text Words::initial_offset(const InitialOffset& e) {
    if (e.mode == DisciplineMode::InitStepSlew) {
        return info("System's initial offset : {:.6f} seconds {} of true ({})",
                    std::fabs(e.offset_s), e.offset_s <= 0.0 ? "fast" : "slow",
                    e.stepped ? "step" : "slew");
    }
    return info("System clock wrong by {:.6f} seconds ({})", e.offset_s,
                e.stepped ? "step" : "ignored");
}

Text Words::clock_state(const ClockStateChanged& e) {
    LogSeverity severity = LogSeverity::Info;
    if (e.kind == ClockStateKind::Holdover || e.kind == ClockStateKind::Freerun) {
        severity = LogSeverity::Warning;
    }
    if (e.only_reason) severity = LogSeverity::Debug;
    std::string text = fmt::format("State {}", to_string(e.kind));
    if (e.kind == ClockStateKind::Holdover) text += e.in_spec ? " (in spec)" : " (out of spec)";
    text += fmt::format(" : {}", explain(e.reason));
    if (std::isfinite(e.bound_s)) {
        text += fmt::format(" (error bound {:.9f} s, limit {:.9f} s)", e.bound_s, e.limit_s);
    }
    return Message{severity, std::move(text)};
}

Text Words::leap_table(const LeapTableStatus& e) {
    switch (e.kind) {
        case LeapTableStatus::Kind::ListUsed: return info("Using leap second list {}", e.name);
        case LeapTableStatus::Kind::ListUnreadable:
            return warning("Leap second list {} failed check, ignoring", e.name);
        case LeapTableStatus::Kind::ListExpired:
            return warning("Leap second list {} needs update", e.name);
        case LeapTableStatus::Kind::ZoneUsed:
            return info("Using {} timezone to obtain leap second data", e.name);
        case LeapTableStatus::Kind::ZoneInvalid:
            return warning("Timezone {} failed leap second check, ignoring", e.name);
    }
    return std::nullopt;
}

Text Words::polled_port(const PolledPortChanged& e) {
    const char* who = e.kernel_under ? "kernel sockets serve" : "nobody serves there";
    switch (e.health) {
        case PortHealth::Healthy:
            return e.has_failed ? info("Port {} works again and serves", e.device)
                                : info("Port {} serves", e.device);
        case PortHealth::Starting:
            return e.has_failed ? info("Port {} starts again, {}", e.device, who)
                                : warning("Port {} is slow to start, {}", e.device, who);
        case PortHealth::LinkDown: return warning("Port {} has no link, {}", e.device, who);
        case PortHealth::Stalled: return error("Port {} stalled, {}", e.device, who);
        case PortHealth::NoBuffers:
            return error("Port {} is out of packet buffers, {} (directive dataplane mbufs)",
                         e.device, who);
        case PortHealth::Lost: return error("Port {} has lost its device, {}", e.device, who);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Message> message_for(const Event& event) { return std::visit(Words(), event); }

}  // namespace gnomon
