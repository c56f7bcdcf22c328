#include "servo/select/selector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

/// A source replaces the selected one when its score, the product of the ratios of their distances
/// over successive updates, exceeds this.
constexpr double kScoreLimit = 10.0;
/// A source that was too distant to combine stays out for so many updates of the clock.
constexpr int kDistantPenalty = 32;
/// For how long a falseticker stays without a vote when nobody is left to judge it.
constexpr double kConvictionTime_s = 12 * 3600.0;
/// So many bad updates in a row make a source worth replacing (and a message).
constexpr int kBadLimit = 4;
constexpr int kReachBits = 8;
/// With less of an even share a combined source does not count.
constexpr double kNegligibleWeight = 1e-3;

constexpr std::uint32_t bit(SourceStatus status) { return 1u << static_cast<unsigned>(status); }

constexpr bool is_bad(SourceStatus status) {
    return status == SourceStatus::Falseticker || status == SourceStatus::BadDistance ||
           status == SourceStatus::BadStratum || status == SourceStatus::Jittery;
}

/// What goes with the selected source's root delay so that both bound the error of `followed`, be it
/// that source's estimate or a combination, which lies elsewhere in what the source has proven.
double advertised_dispersion_s(const SelectionData& data, const Estimate& followed) {
    if (!data.proven) {
        return data.reference_dispersion_s + std::fabs(followed.offset_s - data.reference.offset_s);
    }
    return std::max(data.proven->bound_s(followed.offset_s) - 0.5 * data.root_delay_s, 0.0);
}

}  // namespace

const CandidateResult* SelectionResult::find(SourceId id) const noexcept {
    for (const CandidateResult& c : candidates) {
        if (c.id == id) return &c;
    }
    return nullptr;
}

Selector::Memory* Selector::find_memory(SourceId id) noexcept {
    for (Memory& m : memories_) {
        if (m.id == id) return &m;
    }
    return nullptr;
}

Selector::Memory& Selector::memory_of(SourceId id) {
    if (Memory* m = find_memory(id)) return *m;
    memories_.emplace_back();
    memories_.back().id = id;
    return memories_.back();
}

void Selector::reset_source(SourceId id) noexcept {
    if (Memory* m = find_memory(id)) {
        *m = Memory{};
        m->id = id;
    }
}

void Selector::credit_update(SourceId id) { ++memory_of(id).updates; }

Leap Selector::voted_leap(std::span<const Candidate> candidates) const noexcept {
    int votes = 0;
    int insert = 0;
    int remove = 0;
    for (const Candidate& c : candidates) {
        for (const Memory& m : memories_) {
            if (m.id != c.id || !m.leap_vote) continue;
            ++votes;
            if (c.leap == Leap::InsertSecond) ++insert;
            if (c.leap == Leap::DeleteSecond) ++remove;
        }
    }
    if (insert > votes / 2) return Leap::InsertSecond;
    if (remove > votes / 2) return Leap::DeleteSecond;
    return Leap::Normal;
}

const SelectionResult& Selector::select(std::span<const Candidate> candidates, UtcTime now,
                                        std::optional<SourceId> updated) {
    now_ = now;
    begin(candidates, updated);
    if (candidates.empty()) {
        lose_selection(SelectionEvent{SelectionEvent::Kind::NoSources});
    } else {
        Tally tally = screen(now);
        drop_stale_and_orphans(tally);
        if (!postpone(tally) && admit(tally)) {
            prefer();
            update_scores(updated);
            if (change_selection()) produce_update(candidates);
        }
    }
    for (Work& w : work_) {
        GNOMON_ASSERT(!w.ok);
        w.result->score = w.memory->score;
        w.result->leap_vote = w.memory->leap_vote;
    }
    result_.selected = selected_;
    return result_;
}

void Selector::begin(std::span<const Candidate> candidates, std::optional<SourceId> updated) {
    result_.candidates.clear();
    result_.marks.clear();
    result_.events.clear();
    result_.update.reset();
    result_.unsynchronise = false;
    admitted_.clear();

    for (Memory& m : memories_) m.present = false;
    for (const Candidate& c : candidates) {
        memory_of(c.id).present = true;
        result_.candidates.push_back({});
        result_.candidates.back().id = c.id;
    }
    memories_.erase(std::remove_if(memories_.begin(), memories_.end(),
                                   [](const Memory& m) { return !m.present; }),
                    memories_.end());
    if (last_updated_ && find_memory(*last_updated_) == nullptr) last_updated_.reset();
    if (selected_ && find_memory(*selected_) == nullptr) lose_selection(std::nullopt);

    work_.clear();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        Work w;
        w.candidate = &candidates[i];
        w.memory = find_memory(candidates[i].id);
        w.result = &result_.candidates[i];
        w.memory->leap_vote = false;
        work_.push_back(w);
    }
    if (updated) {
        if (Memory* m = find_memory(*updated)) {
            ++m->updates;
            last_updated_ = updated;
        }
    }
}

/// Marks what is unusable by itself; the rest is ok for now.
Selector::Tally Selector::screen(UtcTime now) {
    Tally tally;
    for (Work& w : work_) {
        const Candidate& c = *w.candidate;
        if (c.options.require) tally.require = true;
        if (c.reach == 0 && !c.options.noselect) ++tally.unreachable;
        if (const std::optional<SourceStatus> status = judge(w, now)) {
            mark(w, *status);
            if (*status == SourceStatus::MissingSamples) {
                ++tally.missing;
                if (c.reach != 0) ++tally.missing_reachable;
                tally.missing_reach = std::max<int>(tally.missing_reach, c.reach);
                tally.missing_reach_size = std::max(tally.missing_reach_size, c.reach_size);
            }
            continue;
        }
        w.ok = true;
        if (c.reach != 0) {
            tally.reachable_span_s = std::max(tally.reachable_span_s, w.first_sample_ago_s);
        }
        tally.ok_reach = std::max<int>(tally.ok_reach, c.reach);
        tally.ok_reach_size = std::max(tally.ok_reach_size, c.reach_size);
    }
    return tally;
}

std::optional<SourceStatus> Selector::judge(Work& w, UtcTime now) {
    const Candidate& c = *w.candidate;
    CandidateResult& r = *w.result;
    if (c.options.noselect) return SourceStatus::NoSelect;
    if (!c.data) return SourceStatus::MissingSamples;

    const SelectionData& data = *c.data;
    r.distance_s = data.root_distance_s();
    r.last_sample_ago_s = (now - data.last_sample).to_seconds();
    w.first_sample_ago_s = (now - data.first_sample).to_seconds();
    // Without a new sample for longer than all samples span, the source has told nothing about what
    // the clock did since: the error grows as fast as clocks may.
    const double silent_s = 2.0 * r.last_sample_ago_s - w.first_sample_ago_s;
    if (data.select_ok && silent_s > 0.0) r.distance_s += config_.max_clock_error * silent_s;
    r.low_s = data.interval_offset_s - r.distance_s;
    r.high_s = data.interval_offset_s + r.distance_s;

    if (!data.select_ok) return SourceStatus::MissingSamples;
    if (c.leap == Leap::Unsynchronised) return SourceStatus::Unsynchronised;
    if (c.stratum < config_.min_stratum || c.stratum > config_.max_stratum) {
        return SourceStatus::BadStratum;
    }
    // Negated, so that NaN is bad.
    if (!(r.distance_s <= config_.max_distance_s && r.low_s <= r.high_s)) {
        return SourceStatus::BadDistance;
    }
    if (data.stddev_known && !(data.stddev_s <= config_.max_jitter_s)) return SourceStatus::Jittery;
    return std::nullopt;
}

/// An unreachable source stays good while its newest sample is younger than the oldest of the
/// reachable ones. Sources of the orphan stratum or above are ignored, but when nothing else is left
/// the one with the least reference ID is followed, unless ours is less still: so a group of servers
/// that poll each other agrees on one of them.
void Selector::drop_stale_and_orphans(Tally& tally) {
    Work* orphan = nullptr;
    for (Work& w : work_) {
        if (!w.ok) continue;
        const Candidate& c = *w.candidate;
        if (c.reach == 0 && (w.result->last_sample_ago_s > tally.reachable_span_s ||
                             c.unreachable_polls > c.max_unreachable_polls)) {
            mark(w, SourceStatus::Stale);
            continue;
        }
        if (c.stratum >= config_.orphan_stratum && c.type == SourceType::Ntp) {
            mark(w, SourceStatus::Orphan);
            if (c.stratum == config_.orphan_stratum && c.reach != 0 &&
                (orphan == nullptr || c.ref_id.value < orphan->candidate->ref_id.value)) {
                orphan = &w;
            }
            continue;
        }
        ++tally.ok;
    }
    if (tally.ok > 0 || orphan == nullptr) return;
    const Candidate& c = *orphan->candidate;
    if (c.local_ref_id.value == 0) {
        SelectionEvent event{SelectionEvent::Kind::LocalRefIdUnknown};
        event.source = c.id;
        result_.events.push_back(event);
    } else if (c.ref_id.value < c.local_ref_id.value) {
        orphan->ok = true;
        tally.ok = 1;
    }
}

/// True if nothing is to be decided now.
bool Selector::postpone(const Tally& tally) {
    // On start, with sources that are polled in step, all should have their samples before the first
    // selection: one with too few, whose register is one poll behind the best, will have them soon.
    // And whoever comes first must not have the clock only because the others lost packets: while
    // those that answer, but cannot be judged yet, could outvote it, the first selection waits for
    // them, at most until a register is full.
    const bool in_step = tally.ok_reach >> 1 == tally.missing_reach;
    const bool outnumbered = !ever_selected_ && tally.missing_reachable >= tally.ok;
    if (tally.missing > 0 && tally.ok > 0 && !selected_ && tally.ok_reach_size < kReachBits &&
        (in_step || outnumbered)) {
        mark_ok(SourceStatus::WaitsStats);
        lose_selection(std::nullopt);
        return true;
    }
    // One failure may be told before the first success, but not before a source had its chance.
    if (!first_report_done_ &&
        std::max(tally.ok_reach_size, tally.missing_reach_size) == kReachBits) {
        report_loss_ = true;
        first_report_done_ = true;
    }
    if (tally.ok > 0) return false;
    SelectionEvent event{SelectionEvent::Kind::NoSelectable};
    event.count = tally.unreachable;
    lose_selection(event);
    return true;
}

/// A source that a majority has found false does not get the clock just because the majority has
/// fallen silent: it has no vote until it agrees with a majority of the others again, or with our own
/// clock, which still runs by what they said, or until that has been too long ago.
bool Selector::is_convicted(const Work& w) const noexcept {
    if (w.memory->convicted_at.is_zero()) return false;
    const double ago_s = (now_ - w.memory->convicted_at).to_seconds();
    const double own_error_s = ago_s * config_.max_clock_error;
    const bool agrees_with_clock =
        w.result->low_s <= own_error_s && w.result->high_s >= -own_error_s;
    return !agrees_with_clock && ago_s >= 0.0 && ago_s < kConvictionTime_s;
}

/// Finds the majority and fills admitted_; false if there is nothing to select from.
bool Selector::admit(const Tally& tally) {
    intervals_.clear();
    for (const Work& w : work_) {
        if (w.ok && !is_convicted(w)) intervals_.push_back(w.interval());
    }
    if (intervals_.empty()) {
        lose_selection(SelectionEvent{SelectionEvent::Kind::NoneAgrees});
        mark_ok(SourceStatus::Falseticker);
        return false;
    }
    const Intersection best = intersect(intervals_, scratch_);
    if (!best.majority()) {
        if (!no_majority_reported_) {
            SelectionEvent event{SelectionEvent::Kind::NoMajority};
            event.count = best.depth;
            event.total = best.voters;
            event.trusted = best.by_trust;
            result_.events.push_back(event);
            no_majority_reported_ = true;
            report_loss_ = false;
        }
        if (selected_) {
            result_.unsynchronise = true;
            selected_.reset();
        }
        mark_ok(SourceStatus::Falseticker);
        return false;
    }

    bool required_missing = tally.require;
    for (std::size_t i = 0; i < work_.size(); ++i) {
        Work& w = work_[i];
        if (!w.ok) continue;
        if (!best.agrees(w.interval())) {
            w.memory->convicted_at = now_;
            mark(w, SourceStatus::Falseticker);
        } else if (!best.within_trust(w.interval())) {
            mark(w, SourceStatus::Untrusted);
        } else {
            w.memory->convicted_at = UtcTime();
            admitted_.push_back(static_cast<int>(i));
            if (w.candidate->options.require) required_missing = false;
        }
    }
    const int n = static_cast<int>(admitted_.size());
    if (n == 0 || required_missing || n < config_.min_sources) {
        lose_selection(SelectionEvent{n == 0             ? SelectionEvent::Kind::NoneAgrees
                                      : required_missing ? SelectionEvent::Kind::RequiredMissing
                                                         : SelectionEvent::Kind::TooFewSources});
        mark_ok(SourceStatus::WaitsSources);
        return false;
    }
    for (int i : admitted_) {
        Work& w = work_[i];
        w.memory->leap_vote = !best.by_trust || w.candidate->options.trust;
    }
    return true;
}

/// If any admitted source is preferred, only those remain.
void Selector::prefer() {
    const auto preferred = [this](int i) { return work_[i].candidate->options.prefer; };
    if (std::none_of(admitted_.begin(), admitted_.end(), preferred)) return;
    for (int i : admitted_) {
        if (!preferred(i)) mark(work_[i], SourceStatus::NonPreferred);
    }
    admitted_.erase(std::remove_if(admitted_.begin(), admitted_.end(),
                                   [&preferred](int i) { return !preferred(i); }),
                    admitted_.end());
}

Selector::Work* Selector::selected_work() noexcept {
    if (!selected_) return nullptr;
    for (Work& w : work_) {
        if (w.candidate->id == *selected_) return &w;
    }
    return nullptr;
}

double Selector::stratum_distance(const Work& w, int least_stratum) const noexcept {
    return w.result->distance_s + (w.candidate->stratum - least_stratum) * config_.stratum_weight_s;
}

void Selector::update_scores(std::optional<SourceId> updated) {
    int least_stratum = kStratumUnsynchronised;
    for (int i : admitted_) {
        least_stratum = std::min<int>(least_stratum, work_[i].candidate->stratum);
    }
    const Work* selected = selected_work();
    const double selected_distance_s =
        selected != nullptr ? stratum_distance(*selected, least_stratum) : 0.0;
    for (Work& w : work_) {
        if (!w.ok) {
            w.memory->score = 1.0;
            w.memory->distant = kDistantPenalty;
            continue;
        }
        double distance_s = stratum_distance(w, least_stratum);
        if (w.candidate->type == SourceType::Ntp) distance_s += config_.reselect_distance_s;
        distance_s = std::max(distance_s, 1e-12);
        if (selected == nullptr) {
            // The nearest gets the highest score; all are reset when it has been selected.
            w.memory->score = 1.0 / distance_s;
        } else if (updated && (*updated == w.candidate->id || *updated == *selected_)) {
            // Compared only when one of the two has something new to tell.
            w.memory->score = std::max(w.memory->score * selected_distance_s / distance_s, 1.0);
        }
    }
}

/// Keeps or replaces the selected source; false if selection has to wait for a measurement.
bool Selector::change_selection() {
    Work* best = nullptr;
    for (Work& w : work_) {
        if (w.ok && (best == nullptr || w.memory->score > best->memory->score)) best = &w;
    }
    GNOMON_ASSERT(best != nullptr);
    Work* selected = selected_work();
    const bool keep = selected != nullptr && selected->ok &&
                      (best == selected || best->memory->score <= kScoreLimit);
    if (!keep) {
        // The clock can follow a new source only once it has measured something.
        if (best->memory->updates == 0) {
            lose_selection(std::nullopt);
            mark_ok(SourceStatus::WaitsUpdate);
            return false;
        }
        selected = best;
        selected_ = best->candidate->id;
        ever_selected_ = true;
        for (Work& w : work_) {
            w.memory->score = 1.0;
            w.memory->distant = 0;
            w.memory->reported = 0;
        }
        no_majority_reported_ = false;
        report_loss_ = false;
        first_report_done_ = true;
    }
    mark(*selected, SourceStatus::Selected);
    if (selected->memory->updates > 0) return true;

    for (int i : admitted_) {
        Work& w = work_[i];
        if (w.ok) mark(w, w.memory->distant > 0 ? SourceStatus::Distant : SourceStatus::Unselected);
    }
    return false;
}

/// Chooses what to combine with the selected source and asks for an update of the clock.
void Selector::produce_update(std::span<const Candidate> candidates) {
    for (Work& w : work_) w.memory->updates = 0;
    Work& selected = *selected_work();
    const Candidate& peer = *selected.candidate;
    const SelectionData& peer_data = *peer.data;

    combine_inputs_.clear();
    combined_.clear();
    take(selected);
    double near_s = selected.result->distance_s;
    if (peer.type == SourceType::Ntp) near_s += config_.reselect_distance_s;
    leave_out_farthest(selected);
    for (int i : admitted_) {
        Work& w = work_[i];
        if (&w == &selected) continue;
        const SelectionData& data = *w.candidate->data;
        const double agreement =
            config_.combine_limit * (peer_data.skew + data.skew + config_.max_clock_error);
        if (w.result->distance_s > config_.combine_limit * near_s ||
            std::fabs(peer_data.reference.frequency - data.reference.frequency) > agreement) {
            // In its first polls a source has not had time to settle.
            w.memory->distant = w.candidate->reach_size >= kReachBits ? kDistantPenalty : 1;
        } else if (w.memory->distant > 0) {
            --w.memory->distant;
        }
        take(w);
    }

    const Combined combined = combine_taken(peer_data.last_sample);
    ClockUpdate update;
    update.estimate = combined.estimate;
    update.skew = combined.skew;
    update.wander = peer_data.wander;
    update.root_delay_s = peer_data.root_delay_s;
    update.root_dispersion_s = advertised_dispersion_s(peer_data, combined.estimate);
    update.leap = voted_leap(candidates);
    update.stratum = peer.stratum;
    update.ref_id = peer.ref_id;
    update.source = peer.id;
    update.type = peer.type;
    for (std::size_t i = 0; i < combined_.size(); ++i) update.combined += is_combined(i) ? 1 : 0;
    result_.update = update;
}

/// Marks all but the selected and the `kMaxCombined` nearest, and takes them out of admitted_.
void Selector::leave_out_farthest(const Work& selected) {
    if (admitted_.size() <= 1 + kMaxCombined) return;
    const auto rank = [&](int i) {
        return std::pair(&work_[i] == &selected ? -1.0 : work_[i].result->distance_s, i);
    };
    const auto kept = admitted_.begin() + 1 + kMaxCombined;
    std::nth_element(admitted_.begin(), kept, admitted_.end(),
                     [&rank](int a, int b) { return rank(a) < rank(b); });
    std::for_each(kept, admitted_.end(), [this](int i) { mark(work_[i], SourceStatus::Distant); });
    admitted_.erase(kept, admitted_.end());
}

/// What is combined does not always count: a source far from where the others agree has no weight.
bool Selector::is_combined(std::size_t i) const noexcept {
    const double of_even_share = combiner_.weights()[i] * static_cast<double>(combined_.size());
    return i == 0 || (combine_inputs_[i].counts && of_even_share >= kNegligibleWeight);
}

/// Adds a source to what is combined, the selected one first; a distant one only as a witness.
void Selector::take(Work& w) {
    const SelectionData& data = *w.candidate->data;
    CombineInput input;
    input.estimate = data.reference;
    input.skew = data.skew;
    input.root_distance_s = w.result->distance_s;
    input.server_distance_s = data.server_distance_s;
    input.counts = &w == selected_work() || w.memory->distant == 0;
    input.track = &w.memory->track;
    combine_inputs_.push_back(input);
    combined_.push_back(static_cast<int>(&w - work_.data()));
}

/// What has no weight is shown as different.
Combined Selector::combine_taken(UtcTime at) {
    claims_.clear();
    for (int i : combined_) {
        const Candidate& c = *work_[i].candidate;
        claims_.push_back({c.ref_id, c.reference, c.stratum});
    }
    upstreams_.resize(claims_.size());
    group_by_upstream(claims_, upstreams_);
    for (std::size_t i = 0; i < upstreams_.size(); ++i) combine_inputs_[i].upstream = upstreams_[i];
    const Combined combined = combiner_.combine(combine_inputs_, at);
    for (std::size_t i = 1; i < combined_.size(); ++i) {
        mark(work_[combined_[i]],
             is_combined(i) ? SourceStatus::Unselected : SourceStatus::Distant);
    }
    return combined;
}

void Selector::set_status(Work& w, SourceStatus status) {
    w.ok = false;
    w.result->status = status;
    if (last_updated_ && *last_updated_ == w.candidate->id) {
        w.memory->bad = is_bad(status) ? std::min(w.memory->bad + 1, 1 << 20) : 0;
        if (w.memory->bad >= kBadLimit && w.candidate->type == SourceType::Ntp) {
            SelectionEvent event{SelectionEvent::Kind::ReplaceSource};
            event.source = w.candidate->id;
            result_.events.push_back(event);
        }
    }
    const CandidateResult& r = *w.result;
    result_.marks.push_back(
        {r.id, status, w.memory->score, r.last_sample_ago_s, r.low_s, r.high_s});
}

/// Sets the status and tells of it, once until another source is selected.
void Selector::mark(Work& w, SourceStatus status) {
    set_status(w, status);
    if ((w.memory->reported & bit(status)) != 0) return;
    using Kind = SelectionEvent::Kind;
    SelectionEvent event;
    event.source = w.candidate->id;
    const bool lasting = w.memory->bad >= kBadLimit;
    switch (status) {
        case SourceStatus::BadStratum:
            if (!lasting) return;
            event.kind = w.candidate->stratum < config_.min_stratum ? Kind::StratumBelowMin
                                                                    : Kind::StratumAboveMax;
            event.limit =
                event.kind == Kind::StratumBelowMin ? config_.min_stratum : config_.max_stratum;
            break;
        case SourceStatus::BadDistance:
            if (!lasting) return;
            event.kind = Kind::DistanceExceeded;
            event.limit = config_.max_distance_s;
            break;
        case SourceStatus::Jittery:
            if (!lasting) return;
            event.kind = Kind::JitterExceeded;
            event.limit = config_.max_jitter_s;
            break;
        case SourceStatus::Falseticker: event.kind = Kind::Falseticker; break;
        case SourceStatus::Selected: event.kind = Kind::Selected; break;
        default: return;
    }
    w.memory->reported |= bit(status);
    result_.events.push_back(event);
}

void Selector::mark_ok(SourceStatus status) {
    for (Work& w : work_) {
        if (w.ok) set_status(w, status);
    }
}

/// Without an event the state is transient, and a later loss for a reason is told instead.
void Selector::lose_selection(std::optional<SelectionEvent> event) {
    if (selected_) {
        selected_.reset();
        report_loss_ = true;
    }
    if (event && report_loss_) {
        result_.events.push_back(*event);
        report_loss_ = false;
    }
}

}  // namespace gnomon
