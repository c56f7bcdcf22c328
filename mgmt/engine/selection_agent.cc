#include "mgmt/engine/selection_agent.h"

#include <algorithm>

namespace gnomon {
namespace {

SelectorConfig selector_config(const Config& config) {
    const SelectionConfig& selection = config.selection;
    SelectorConfig result;
    result.max_distance_s = selection.max_distance_s;
    result.max_jitter_s = selection.max_jitter_s;
    result.min_stratum = static_cast<Stratum>(selection.min_stratum);
    result.max_stratum = static_cast<Stratum>(selection.max_stratum);
    result.min_sources = selection.min_sources;
    result.reselect_distance_s = selection.reselect_distance_s;
    result.stratum_weight_s = selection.stratum_weight_s;
    result.combine_limit = selection.combine_limit;
    result.max_clock_error = config.clock.max_clock_error_ppm * 1e-6;
    if (config.server.local.enabled && config.server.local.orphan) {
        result.orphan_stratum = static_cast<Stratum>(config.server.local.stratum);
    }
    return result;
}

AuthSelectMode mode_of(SelectionConfig::AuthMode mode) {
    switch (mode) {
        case SelectionConfig::AuthMode::Require: return AuthSelectMode::Require;
        case SelectionConfig::AuthMode::Prefer: return AuthSelectMode::Prefer;
        case SelectionConfig::AuthMode::Mix: return AuthSelectMode::Mix;
        case SelectionConfig::AuthMode::Ignore: return AuthSelectMode::Ignore;
    }
    return AuthSelectMode::Mix;
}

/// A regression needs so many; an initial burst brings at most one less than the register holds.
constexpr int kSamplesToSelect = 3;
constexpr int kBurstPolls = Reach::kFull - 1;

}  // namespace

SelectionAgent::SelectionAgent(const Config& config, const Services& services, ClockAgent& clock)
    : config_(config), services_(services), clock_(clock), selector_(selector_config(config)) {}

void SelectionAgent::add(SelectableSource& source) {
    sources_.push_back(&source);
    update_options();
}

void SelectionAgent::remove(SourceId source, const Now& now) {
    const auto found =
        std::find_if(sources_.begin(), sources_.end(),
                     [source](const SelectableSource* s) { return s->id == source; });
    if (found == sources_.end()) return;
    const bool was_selected = is_selected(source);
    sources_.erase(found);
    update_options();
    if (was_selected) select(std::nullopt, now);
}

SelectableSource* SelectionAgent::find(SourceId source) const {
    for (SelectableSource* candidate : sources_) {
        if (candidate->id == source) return candidate;
    }
    return nullptr;
}

void SelectionAgent::update_options() {
    std::vector<OptionsInput> in;
    in.reserve(sources_.size());
    for (const SelectableSource* source : sources_) {
        in.push_back(OptionsInput{source->type, source->authenticated, source->configured});
    }
    std::vector<SelectOptions> out(in.size());
    effective_options(mode_of(config_.selection.auth_mode), in, out);
    for (std::size_t i = 0; i < out.size(); ++i) sources_[i]->effective = out[i];
}

std::vector<Candidate> SelectionAgent::candidates(UtcTime at) const {
    std::vector<Candidate> result;
    result.reserve(sources_.size());
    for (const SelectableSource* source : sources_) {
        Candidate candidate;
        candidate.id = source->id;
        candidate.type = source->type;
        candidate.options = source->effective;
        candidate.reach = source->reach.bits;
        candidate.reach_size = source->reach.size;
        candidate.unreachable_polls = source->reach.unreachable_polls;
        candidate.max_unreachable_polls = source->max_unreachable_polls;
        candidate.stratum = source->stratum;
        candidate.leap = source->leap;
        candidate.ref_id = source->ref_id;
        candidate.reference = source->reference;
        candidate.local_ref_id = source->local_ref_id;
        candidate.data = source->filter.selection_data(at);
        result.push_back(candidate);
    }
    return result;
}

void SelectionAgent::select(std::optional<SourceId> updated, const Now& now) {
    const UtcTime at = clock_.to_utc(now.system);
    if (updated) tell_wander(*updated);
    // Copied: following the clock may select again (a foreign step), which replaces the result.
    const SelectionResult result = selector_.select(candidates(at), at, updated);
    tell_marks(at);
    for (const SelectionEvent& event : result.events) tell(event, now);
    if (result.unsynchronise) clock_.set_unsynchronised(now);
    if (result.update) clock_.update(*result.update, now);
}

/// The oscillator is ours, whichever source looks at it; of those that are selectable, what they
/// have seen of it is heard.
void SelectionAgent::tell_wander(SourceId updated) {
    SelectableSource* const listener = find(updated);
    if (listener == nullptr) return;
    WanderBelief others;
    for (const SelectableSource* source : sources_) {
        const CandidateResult* result = result_of(source->id);
        if (source == listener || result == nullptr || !is_selectable(result->status)) continue;
        if (const auto belief = source->filter.wander_belief()) others.add(*belief);
    }
    listener->filter.hear(others.tempered());
}

bool SelectionAgent::is_normal_mode() const {
    return clock_.discipline().mode() == DisciplineMode::Normal;
}

void SelectionAgent::handle_reach(SelectableSource& source, const Now& now) {
    if (!is_normal_mode()) end_special_mode(now);
    if (source.reach.bits != 0) return;
    if (source.reach.is_dead() && source.type == SourceType::Ntp && listener_ != nullptr) {
        listener_->on_bad_source(source.id, now);
    }
    select(std::nullopt, now);
}

void SelectionAgent::end_special_mode(const Now& now) {
    if (clock_.discipline().mode() == DisciplineMode::Ignore) return;
    for (const SelectableSource* source : sources_) {
        if (!source->active || source->reach.size >= kBurstPolls) continue;
        const int to_come = kBurstPolls - source->reach.size;
        if (to_come + source->filter.sample_count() >= kSamplesToSelect) return;
    }
    clock_.set_unsynchronised(now);
}

void SelectionAgent::handle_status(SelectableSource& source, const Now& now) {
    const CandidateResult* result = result_of(source.id);
    if (result == nullptr || !result->leap_vote || !clock_.discipline().synchronised()) return;
    clock_.update_leap(selector_.voted_leap(candidates(clock_.to_utc(now.system))), now);
}

void SelectionAgent::handle_reset(SelectableSource& source, const Now& now) {
    const bool was_selected = is_selected(source.id);
    selector_.reset_source(source.id);
    if (was_selected) select(std::nullopt, now);
}

void SelectionAgent::reselect(const Now& now) {
    selector_.reselect();
    select(std::nullopt, now);
}

void SelectionAgent::set_reselect_distance(double distance_s) {
    if (distance_s == selector_.config().reselect_distance_s) return;
    selector_.set_reselect_distance(distance_s);
    services_.events.on_event(
        ParameterChanged{ParameterChanged::Parameter::ReselectDistance, distance_s, 0});
}

void SelectionAgent::tell_marks(UtcTime at) {
    if (!config_.log.selection) return;
    for (const SelectionMark& mark : selector_.last().marks) {
        const SelectableSource* source = find(mark.id);
        if (source == nullptr) continue;
        SelectionRecord row;
        row.at = at;
        row.source = source->label;
        row.state = letter_of(mark.status);
        row.authenticated = source->authenticated;
        row.noselect = source->effective.noselect;
        row.prefer = source->effective.prefer;
        row.trust = source->effective.trust;
        row.require = source->effective.require;
        row.reach = source->reach.bits;
        row.score = mark.score;
        row.last_sample_ago_s = mark.last_sample_ago_s;
        row.low_s = mark.low_s;
        row.high_s = mark.high_s;
        services_.events.on_event(row);
    }
}

void SelectionAgent::tell(const SelectionEvent& event, const Now& now) {
    using Kind = SelectionEvent::Kind;
    if (event.kind == Kind::ReplaceSource) {
        if (listener_ != nullptr) listener_->on_bad_source(event.source, now);
        return;
    }
    if (!is_normal_mode()) return;

    const SelectableSource* source = find(event.source);
    const SourceLabel label = source != nullptr ? source->label : SourceLabel{};
    const auto cannot = [&event](CannotSynchronise::Reason reason) {
        CannotSynchronise told;
        told.reason = reason;
        told.unreachable = event.count;
        told.agreeing = event.count;
        told.total = event.total;
        told.only_trusted = event.trusted;
        return told;
    };
    const auto unacceptable = [&](SourceUnacceptable::Reason reason) {
        return SourceUnacceptable{label, reason, event.limit};
    };
    EventSink& sink = services_.events;
    switch (event.kind) {
        case Kind::Selected: sink.on_event(SourceSelected{label}); break;
        case Kind::NoSources: sink.on_event(cannot(CannotSynchronise::Reason::NoSources)); break;
        case Kind::NoSelectable:
            sink.on_event(cannot(CannotSynchronise::Reason::NoSelectable));
            break;
        case Kind::NoneAgrees: sink.on_event(cannot(CannotSynchronise::Reason::NoneAgrees)); break;
        case Kind::RequiredMissing:
            sink.on_event(cannot(CannotSynchronise::Reason::MissingRequired));
            break;
        case Kind::TooFewSources:
            sink.on_event(cannot(CannotSynchronise::Reason::TooFewSources));
            break;
        case Kind::NoMajority:
            sink.on_event(cannot(event.count < 2 ? CannotSynchronise::Reason::NoAgreement
                                                 : CannotSynchronise::Reason::NoMajority));
            break;
        case Kind::Falseticker: sink.on_event(FalsetickerDetected{label}); break;
        case Kind::JitterExceeded:
            sink.on_event(unacceptable(SourceUnacceptable::Reason::Jitter));
            break;
        case Kind::DistanceExceeded:
            sink.on_event(unacceptable(SourceUnacceptable::Reason::RootDistance));
            break;
        case Kind::StratumBelowMin:
            sink.on_event(unacceptable(SourceUnacceptable::Reason::StratumBelowMinimum));
            break;
        case Kind::StratumAboveMax:
            sink.on_event(unacceptable(SourceUnacceptable::Reason::StratumAboveMaximum));
            break;
        case Kind::LocalRefIdUnknown: sink.on_event(OrphanRefIdUnknown{label}); break;
        case Kind::ReplaceSource: break;
    }
}

}  // namespace gnomon
