#pragma once

/// Source selection and combining.
///
/// Selection is the intersection algorithm (Marzullo; RFC 5905, 11.2.1): every source claims that
/// true time lies within offset ± root distance; the deepest intersection must be shared by a
/// majority, sources outside are falsetickers. Among the rest the one with the least distance (plus
/// a penalty per stratum) becomes the system peer; a source keeps its place until another one has
/// been better for some time (hysteresis). Estimates of good sources are combined.
/// Letters of the states are chrony's (SEL-11). Parity: SEL-01…12.
///
/// When to call `select()`: with `updated` after every measurement accepted from that source;
/// without after a source was added, removed, reset, changed its options, or stayed unreachable at
/// a poll.
///
/// When the clock is updated: a `ClockUpdate` results only if the source that is selected *after*
/// the call has got a measurement (was `updated`, or credited) since the last ClockUpdate. So every
/// measurement of the selected source is used once, measurements of others only change what is
/// combined, and a newly selected source waits for its own measurement unless it has an unused one.
///
/// Pure: no clock, no I/O. Not thread-safe. Memory grows with the largest number of sources seen
/// and is kept; nothing is allocated in the steady state.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "servo/filter/source_filter.h"
#include "servo/select/combine.h"
#include "servo/select/intersection.h"
#include "servo/select/upstream.h"
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

/// `authselectmode` (SEL-01).
enum class AuthSelectMode : std::uint8_t { Ignore, Mix, Prefer, Require };

/// How a source takes part in `effective_options()`.
struct OptionsInput {
    SourceType type = SourceType::Ntp;
    bool authenticated = false;
    SelectOptions configured;
};
/// What the mode makes of the configured options; `out` has as many elements as `in`.
void effective_options(AuthSelectMode mode, std::span<const OptionsInput> in,
                       std::span<SelectOptions> out) noexcept;

/// One source as selection sees it, at one instant.
struct Candidate {
    SourceId id = 0;
    SourceType type = SourceType::Ntp;
    SelectOptions options;      ///< effective (after authentication mode)
    std::uint8_t reach = 0;     ///< register of the last eight polls, newest in bit 0
    int reach_size = 0;         ///< number of polls behind `reach`, ≤ 8
    int unreachable_polls = 0;  ///< consecutive polls with an empty register
    int max_unreachable_polls = 100000;
    Stratum stratum = 0;
    Leap leap = Leap::Unsynchronised;
    RefId ref_id;     ///< of the source itself (from its address), not of its reference
    RefId reference;  ///< which that source follows itself; 0: not known
    /// Under which reference ID that source knows us; 0: unknown. Needed only in orphan mode.
    RefId local_ref_id;
    std::optional<SelectionData> data;
};

/// State of a source after selection; letters of SEL-11 in brackets.
enum class SourceStatus : std::uint8_t {
    NoSelect,        ///< [N] option noselect
    Unsynchronised,  ///< [s] says so itself
    MissingSamples,  ///< [M] too few measurements
    BadStratum,      ///< [r] outside minstratum…maxstratum
    BadDistance,     ///< [d] root distance above maxdistance
    Jittery,         ///< [~] deviation above maxjitter
    WaitsStats,      ///< [w] others have too few measurements yet, selection is postponed
    Stale,           ///< [S] unreachable, and older samples than reachable ones have
    Orphan,          ///< [O] of the orphan stratum or above
    Untrusted,       ///< [T] not within what trusted sources allow
    Falseticker,     ///< [x] disagrees with the majority
    WaitsSources,    ///< [W] selectable, but too few or not the required ones
    NonPreferred,    ///< [P] selectable, but others are preferred
    WaitsUpdate,     ///< [U] selectable; selection waits for a new measurement
    Distant,         ///< [D] selectable, but too distant or different to combine
    Unselected,      ///< [+] combined with the selected one
    Selected,        ///< [*] the system peer
};
/// chrony's letter in `selectdata` and selection.log.
char letter_of(SourceStatus status) noexcept;
/// W P U D + *.
constexpr bool is_selectable(SourceStatus status) noexcept {
    return status >= SourceStatus::WaitsSources;
}

struct SelectorConfig {
    double max_distance_s = 3.0;
    double max_jitter_s = 1.0;
    Stratum min_stratum = 0;
    Stratum max_stratum = 15;
    int min_sources = 1;
    double reselect_distance_s = 1e-4;
    double stratum_weight_s = 1e-3;
    double combine_limit = 3.0;     ///< 0: no combining
    double max_clock_error = 1e-6;  ///< s/s, `maxclockerror`
    /// `local … orphan`: stratum of the local reference; 16: orphan mode is off.
    Stratum orphan_stratum = kStratumUnsynchronised;
};

/// One source after `select()`, in the order of the candidates.
struct CandidateResult {
    SourceId id = 0;
    SourceStatus status = SourceStatus::MissingSamples;
    double low_s = 0.0;   ///< offset − root distance; our sign, so chrony's low is −high_s
    double high_s = 0.0;  ///< offset + root distance
    double score = 1.0;
    double distance_s = 0.0;  ///< root distance
    double last_sample_ago_s = 0.0;
    bool leap_vote = false;
};

/// One line of selection.log: the state of a source was determined. In the order it happened; a
/// source can have two.
struct SelectionMark {
    SourceId id = 0;
    SourceStatus status = SourceStatus::MissingSamples;
    double score = 1.0;
    double last_sample_ago_s = 0.0;
    double low_s = 0.0;
    double high_s = 0.0;
};

/// What the discipline is asked to follow.
struct ClockUpdate {
    Estimate estimate;  ///< combined, at the newest sample of the selected source
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;  ///< at `estimate.at`
    double skew = 0.0;               ///< s/s
    double wander = 0.0;             ///< learned of our oscillator, s/s per √s; 0: unknown
    Leap leap = Leap::Normal;        ///< voted by the majority
    Stratum stratum = 0;             ///< of the selected source
    RefId ref_id;                    ///< by which our clients know the selected source
    SourceId source = 0;
    SourceType type = SourceType::Ntp;
    int combined = 0;  ///< number of sources with weight in the combination
};

/// What is worth a message; each once per change. SEL-12 has the wording.
struct SelectionEvent {
    enum class Kind : std::uint8_t {
        Selected,         ///< "Selected source ##"
        NoSources,        ///< "Can't synchronise: no sources"
        NoSelectable,     ///< "…: no selectable sources (N unreachable sources)": `count`
        NoneAgrees,       ///< "…: no selectable sources", after the intersection
        RequiredMissing,  ///< "…: no required source in selectable sources"
        TooFewSources,    ///< "…: not enough selectable sources"
        NoMajority,   ///< "…: no majority (only `count` of `total` [trusted ]sources agree)", or
                      ///< "(no agreement among `total` [trusted ]sources)" if `count` < 2
        Falseticker,  ///< "Detected falseticker ##"
        JitterExceeded,     ///< "Jitter of ## exceeds maxjitter of `limit` seconds"
        DistanceExceeded,   ///< "Root distance of ## exceeds maxdistance of `limit` seconds"
        StratumBelowMin,    ///< "Stratum of ## below minstratum of `limit`"
        StratumAboveMax,    ///< "Stratum of ## above maxstratum of `limit`"
        LocalRefIdUnknown,  ///< "Unknown local refid in orphan mode"
        /// Not a message: an NTP source has been unusable at four of its own updates in a row and
        /// should be replaced by another address (pool, or name resolved again).
        ReplaceSource,
    };
    Kind kind = Kind::Selected;
    SourceId source = 0;  ///< where ## is one
    int count = 0;
    int total = 0;
    bool trusted = false;
    double limit = 0.0;
};

struct SelectionResult {
    std::optional<SourceId> selected;
    std::vector<CandidateResult> candidates;
    std::vector<SelectionMark> marks;
    std::vector<SelectionEvent> events;
    std::optional<ClockUpdate> update;
    /// The majority was lost while a source was selected: the reference is to be declared
    /// unsynchronised at once (any other loss lets it age).
    bool unsynchronise = false;

    const CandidateResult* find(SourceId id) const noexcept;
};

class Selector {
public:
    /// So many sources, the nearest by root distance, are combined at most with the selected one; the
    /// rest is `Distant`. It bounds what an update costs (consensus.h); more hardly add precision.
    static constexpr int kMaxCombined = 32;

    explicit Selector(const SelectorConfig& config) : config_(config) {}

    /// `candidates` are all sources, in the order they were configured; one that is missing since
    /// the last call is forgotten. The result stays valid until the next call.
    const SelectionResult& select(std::span<const Candidate> candidates, UtcTime now,
                                  std::optional<SourceId> updated);

    /// `reselect` command: whoever is best now is to be selected. Call `select()` afterwards.
    void reselect() noexcept { selected_.reset(); }
    /// `reselectdist` command.
    void set_reselect_distance(double distance_s) noexcept {
        config_.reselect_distance_s = distance_s;
    }
    void set_orphan_stratum(Stratum stratum) noexcept { config_.orphan_stratum = stratum; }
    /// The source's measurements were discarded. Call `select()` afterwards if it is selected.
    void reset_source(SourceId id) noexcept;
    /// The source has measurements from a dump file that may set the clock at once.
    void credit_update(SourceId id);

    std::optional<SourceId> selected() const noexcept { return selected_; }
    /// Leap status by majority of those that may vote since the last `select()`, with the present
    /// claims of `candidates`: for changes of a source's leap between selections.
    Leap voted_leap(std::span<const Candidate> candidates) const noexcept;
    const SelectionResult& last() const noexcept { return result_; }
    const SelectorConfig& config() const noexcept { return config_; }

private:
    /// What is remembered of a source between calls.
    struct Memory {
        SourceId id = 0;
        int updates = 0;  ///< own measurements since the last clock update
        int distant = 0;  ///< selections left before it may be combined again
        int bad = 0;      ///< own updates in a row that found it unusable
        double score = 1.0;
        bool leap_vote = false;
        BiasTrack track;
        /// When a majority last found it false; zero once it agrees again. See `is_convicted`.
        UtcTime convicted_at;
        std::uint32_t reported = 0;  ///< bit per status: message was emitted since the last change
        bool present = false;
    };
    /// A source during one call. `ok` ones have no final status yet.
    struct Work {
        const Candidate* candidate = nullptr;
        Memory* memory = nullptr;
        CandidateResult* result = nullptr;
        bool ok = false;
        double first_sample_ago_s = 0.0;
        Interval interval() const noexcept {
            return {result->low_s, result->high_s, candidate->options.trust};
        }
    };
    /// Figures over all sources that the decisions need.
    struct Tally {
        int unreachable = 0;
        int missing = 0;
        bool require = false;
        int missing_reachable = 0;
        int missing_reach = 0;
        int missing_reach_size = 0;
        int ok_reach = 0;
        int ok_reach_size = 0;
        double reachable_span_s = 0.0;  ///< age of the oldest sample of reachable sources
        int ok = 0;
    };

    Memory& memory_of(SourceId id);
    Memory* find_memory(SourceId id) noexcept;
    Work* selected_work() noexcept;
    double stratum_distance(const Work& work, int least_stratum) const noexcept;

    void begin(std::span<const Candidate> candidates, std::optional<SourceId> updated);
    Tally screen(UtcTime now);
    std::optional<SourceStatus> judge(Work& work, UtcTime now);
    void drop_stale_and_orphans(Tally& tally);
    bool postpone(const Tally& tally);
    bool is_convicted(const Work& w) const noexcept;
    bool admit(const Tally& tally);
    void prefer();
    void update_scores(std::optional<SourceId> updated);
    bool change_selection();
    void produce_update(std::span<const Candidate> candidates);
    void leave_out_farthest(const Work& selected);
    void take(Work& work);
    bool is_combined(std::size_t i) const noexcept;
    Combined combine_taken(UtcTime at);

    void set_status(Work& work, SourceStatus status);
    void mark(Work& work, SourceStatus status);
    void mark_ok(SourceStatus status);
    void lose_selection(std::optional<SelectionEvent> event);

    SelectorConfig config_;
    std::optional<SourceId> selected_;
    std::optional<SourceId> last_updated_;
    UtcTime now_;  ///< of the call under way
    bool ever_selected_ = false;
    bool no_majority_reported_ = false;
    bool report_loss_ = false;  ///< a loss has not been reported yet
    bool first_report_done_ = false;
    std::vector<Memory> memories_;
    std::vector<Work> work_;
    std::vector<int> admitted_;  ///< indices into work_
    std::vector<Interval> intervals_;
    std::vector<IntervalEnd> scratch_;
    Combiner combiner_;
    std::vector<CombineInput> combine_inputs_;
    std::vector<int> combined_;  ///< indices into work_ of combine_inputs_
    std::vector<UpstreamClaim> claims_;
    std::vector<int> upstreams_;
    SelectionResult result_;
};

}  // namespace gnomon
