#pragma once

/// Source selection and combining.
///
/// Selection is the intersection algorithm (Marzullo; RFC 5905, 11.2.1): every source claims that
/// true time lies within offset ± root distance; the deepest intersection must be shared by a
/// majority, sources outside are falsetickers. Among the rest the one with the least distance (plus
/// a penalty per stratum) becomes the system peer; a source keeps its place until another one has
/// been better for some time (hysteresis). Estimates of good sources are combined.
/// Letters of the states are chrony's (SEL-11).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "servo/filter/source_filter.h"
#include "servo/units/ntp_types.h"

namespace gnomon {

/// Stable handle of a source for its life time; never reused within a process.
using SourceId = std::uint32_t;

struct SelectOptions {
    bool prefer = false;
    bool noselect = false;
    bool trust = false;
    bool require = false;
    friend constexpr bool operator==(const SelectOptions&, const SelectOptions&) noexcept = default;
};

enum class SourceType : std::uint8_t { Ntp, Refclock };

/// One source as selection sees it, at one instant.
struct Candidate {
    SourceId id = 0;
    SourceType type = SourceType::Ntp;
    SelectOptions options;        ///< effective (after authentication mode)
    bool active = true;           ///< false: offline, or has no address
    bool reachable = false;       ///< any of the last 8 polls answered
    std::uint8_t reach = 0;
    int reach_size = 0;           ///< number of polls behind `reach`, ≤ 8
    int unreachable_polls = 0;    ///< consecutive polls without answer
    int max_unreachable_polls = 100000;
    Stratum stratum = 0;
    Leap leap = Leap::Unsynchronised;
    RefId ref_id;
    bool is_orphan = false;       ///< an orphan-mode server of our own local stratum
    std::optional<SelectionData> data;
};

enum class SourceStatus : std::uint8_t {
    NotReady,         ///< N: nothing measured yet / Normal missing (see SEL-11)
    NoSelect,         ///< s? see letter_of()
    MissingSamples, BadStats, BadDistance, JitteryFilter, WaitsStats, Stale, Orphan, Untrusted,
    Falseticker, Jittery, WaitsSources, NonPreferred, WaitsUpdate, Distant, Outlier,
    Unselected, Combined, Selected,
};
/// chrony's letter in `selectdata` and selection.log.
char letter_of(SourceStatus status) noexcept;

/// Root distance interval and score, for `selectdata`.
struct CandidateResult {
    SourceId id = 0;
    SourceStatus status = SourceStatus::NotReady;
    double low_s = 0.0;    ///< offset − root distance
    double high_s = 0.0;   ///< offset + root distance
    double score = 1.0;
    double distance_s = 0.0;
};

/// What the discipline is asked to follow.
struct ClockUpdate {
    Estimate estimate;                ///< combined, at the time of the update
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double skew = 0.0;                ///< s/s
    Leap leap = Leap::Normal;
    Stratum stratum = 0;              ///< of the selected source
    RefId ref_id;                     ///< by which our clients know the selected source
    SourceId source = 0;
    SourceType type = SourceType::Ntp;
    int combined = 0;                 ///< number of sources in the combination
};

}  // namespace gnomon
