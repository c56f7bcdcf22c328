#pragma once

/// The words in which the state of the clock is told: in the log, in reports, on the wire, in metrics.
/// The numbers are part of wire formats and never change.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace gnomon {

/// What they mean: mgmt/engine/clock_state.h.
enum class ClockStateKind : std::uint8_t {
    Unsynced = 0,
    Acquiring = 1,
    Locked = 2,
    Holdover = 3,
    Freerun = 4,
};

enum class ClockReason : std::uint8_t {
    None = 0,             ///< LOCKED, and all is well
    Started = 1,          ///< nothing has happened yet
    NoSources = 2,        ///< none are configured or resolved
    NoReply = 3,          ///< no source answers
    Measuring = 4,        ///< sources answer, and are being measured
    NoMajority = 5,       ///< sources do not agree
    NoSelectable = 6,     ///< sources answer, and none may be followed
    TooDistant = 7,       ///< their root distance exceeds maxdistance
    TooJittery = 8,       ///< their jitter exceeds maxjitter
    TooFewSources = 9,    ///< fewer than minsources, or not the required one
    UpdatesMissing = 10,  ///< a source is selected, and gives no measurements
    BoundAboveLimit = 11,
    BoundUseless = 12,  ///< so large that clients refuse it
    Reset = 13,         ///< what was known was thrown away: a foreign step, a command
};

/// "LOCKED"
constexpr std::string_view to_string(ClockStateKind kind) noexcept {
    constexpr std::string_view kNames[] = {"UNSYNCED", "ACQUIRING", "LOCKED", "HOLDOVER",
                                           "FREERUN"};
    const auto index = static_cast<std::size_t>(kind);
    return index < std::size(kNames) ? kNames[index] : "?";
}

/// "no-reply": for labels and programs.
constexpr std::string_view to_string(ClockReason reason) noexcept {
    constexpr std::string_view kNames[] = {"none",
                                           "started",
                                           "no-sources",
                                           "no-reply",
                                           "measuring",
                                           "no-majority",
                                           "no-selectable",
                                           "too-distant",
                                           "too-jittery",
                                           "too-few-sources",
                                           "updates-missing",
                                           "bound-above-limit",
                                           "bound-useless",
                                           "reset"};
    const auto index = static_cast<std::size_t>(reason);
    return index < std::size(kNames) ? kNames[index] : "?";
}

/// "no source answers": for people.
constexpr std::string_view explain(ClockReason reason) noexcept {
    constexpr std::string_view kTexts[] = {"sources are followed",
                                           "just started",
                                           "there are no sources",
                                           "no source answers",
                                           "sources are being measured",
                                           "sources do not agree",
                                           "no source may be followed",
                                           "sources are too distant",
                                           "sources are too jittery",
                                           "too few sources are good",
                                           "the selected source gives no measurements",
                                           "the error bound is above the limit",
                                           "the error bound is too large to be of use",
                                           "what was known was thrown away"};
    const auto index = static_cast<std::size_t>(reason);
    return index < std::size(kTexts) ? kTexts[index] : "?";
}

}  // namespace gnomon
