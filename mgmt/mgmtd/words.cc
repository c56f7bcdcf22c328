#include "mgmt/mgmtd/words.h"

namespace gnomon::mgmtd {
namespace {

struct SelectionWord {
    char letter;
    std::string_view word;
    std::string_view text;
};

constexpr SelectionWord kSelection[] = {
    {'*', "selected", "It is the best source, and the clock follows it."},
    {'+', "combined", "It agrees with the best source and is combined with it."},
    {'-', "distant", "It is good, but too distant or too different to be combined with the best."},
    {'D', "distant", "It is good, but too distant or too different to be combined with the best."},
    {'P', "not_preferred", "It is good, but others are preferred."},
    {'U', "waits_update", "It is good; selection waits for a new measurement of it."},
    {'W', "waits_sources",
     "It is good, but there are too few good sources, or not the required one."},
    {'x', "falseticker", "It disagrees with the majority of the sources."},
    {'T', "untrusted", "It disagrees with the trusted sources."},
    {'O', "orphan", "Its stratum is that of orphan mode or above."},
    {'S', "stale", "It is unreachable, and others have newer measurements."},
    {'w', "waits_others", "Others have too few measurements yet, so nobody is selected."},
    {'~', "jittery", "Its measurements vary more than maxjitter allows."},
    {'d', "too_distant", "Its root distance exceeds maxdistance."},
    {'r', "bad_stratum", "Its stratum is outside minstratum and maxstratum."},
    {'M', "missing_samples", "It has too few measurements."},
    {'s', "unsynchronised", "It says itself that it is not synchronised."},
    {'N', "noselect", "It is configured with noselect."},
};

const SelectionWord* find(char letter) noexcept {
    for (const SelectionWord& entry : kSelection) {
        if (entry.letter == letter) return &entry;
    }
    return nullptr;
}

bool is_refclock(const telemetry::Source& source) {
    return source.source.mode == command::SourceMode::ReferenceClock;
}

const telemetry::Source* followed(const telemetry::Snapshot& snapshot) {
    for (const telemetry::Source& source : snapshot.sources) {
        if (source.source.state == command::SourceState::Selected) return &source;
    }
    return nullptr;
}

}  // namespace

std::string address_of(const telemetry::Source& source) {
    return is_refclock(source) ? source.stats.ref_id.to_text() : source.source.address.to_string();
}

std::string name_of(const telemetry::Source& source) {
    return is_refclock(source) || source.name.empty() ? address_of(source) : source.name;
}

std::string tracking_address(const telemetry::Snapshot& snapshot) {
    const command::TrackingReport& tracking = snapshot.tracking;
    return tracking.address.is_ip() ? tracking.address.to_string() : tracking.ref_id.to_text();
}

std::string tracking_name(const telemetry::Snapshot& snapshot) {
    const telemetry::Source* source = followed(snapshot);
    if (source != nullptr && source->source.address == snapshot.tracking.address) {
        return name_of(*source);
    }
    return tracking_address(snapshot);
}

std::string_view exporter_state(command::SourceState state) noexcept {
    switch (state) {
        case command::SourceState::Selected: return "sync";
        case command::SourceState::NonSelectable: return "unreach";
        case command::SourceState::Falseticker: return "falseticker";
        case command::SourceState::Jittery: return "jittery";
        case command::SourceState::Combined: return "candidate";
        case command::SourceState::Selectable: return "outlier";
    }
    return "unknown";
}

std::string_view exporter_mode(command::SourceMode mode) noexcept {
    switch (mode) {
        case command::SourceMode::Client: return "client";
        case command::SourceMode::Peer: return "peer";
        case command::SourceMode::ReferenceClock: return "reference clock";
    }
    return "unknown";
}

std::string_view selection_word(char letter) noexcept {
    const SelectionWord* entry = find(letter);
    return entry != nullptr ? entry->word : "unknown";
}

std::string_view selection_text(char letter) noexcept {
    const SelectionWord* entry = find(letter);
    return entry != nullptr ? entry->text : "";
}

std::string_view severity_word(int severity) noexcept {
    return severity <= 0 ? "info" : severity == 1 ? "warning" : "error";
}

std::string_view leap_word(Leap leap) noexcept {
    switch (leap) {
        case Leap::Normal: return "normal";
        case Leap::InsertSecond: return "insert";
        case Leap::DeleteSecond: return "delete";
        case Leap::Unsynchronised: return "unsynchronised";
    }
    return "unknown";
}

}  // namespace gnomon::mgmtd
