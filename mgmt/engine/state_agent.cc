#include "mgmt/engine/state_agent.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

constexpr double kShortestLookS = 1.0;
constexpr double kLongestLookS = 3600.0;
/// In holdover the bound grows faster than a line.
constexpr double kHoldoverLookS = 16.0;
/// Beyond a year a forecast means nothing.
constexpr double kLongestForecastS = 366.0 * 86400.0;

Instant instant_of(const Now& now) { return Instant{now.system, now.mono}; }

/// When the bound reaches `limit_s` if nobody measures the clock any more; < 0: not within a year.
double time_to_limit_s(const Discipline& discipline, Instant now, double limit_s) {
    if (discipline.bound_s(now) >= limit_s) return 0.0;
    double before_s = 0.0;
    double after_s = kLongestForecastS;
    if (discipline.bound_s(now, after_s) < limit_s) return -1.0;
    while (after_s - before_s > 0.001 * after_s + 0.01) {
        const double middle_s = 0.5 * (before_s + after_s);
        (discipline.bound_s(now, middle_s) < limit_s ? before_s : after_s) = middle_s;
    }
    return after_s;
}

}  // namespace

StateAgent::StateAgent(const Config& config, const Services& services, ClockAgent& clock,
                       const SelectionAgent& selection)
    : events_(services.events),
      clock_(clock),
      selection_(selection),
      state_(config.clock.max_bound_s, config.selection.max_distance_s, MonoTime()) {}

void StateAgent::start(const Now& now) {
    state_ = ClockState(state_.limit_s(), state_.useless_s(), now.mono);
}

bool StateAgent::is_answering() const {
    const auto& sources = selection_.sources();
    return std::any_of(sources.begin(), sources.end(), [](const SelectableSource* source) {
        return source->reach.bits != 0 && !source->effective.noselect;
    });
}

ClockReason StateAgent::selection_reason() const {
    if (selection_.sources().empty()) return ClockReason::NoSources;
    if (!is_answering()) return ClockReason::NoReply;
    bool found[static_cast<std::size_t>(ClockReason::Reset) + 1] = {};
    for (const SelectableSource* source : selection_.sources()) {
        if (source->reach.bits == 0 || source->effective.noselect) continue;
        const CandidateResult* result = selection_.result_of(source->id);
        ClockReason reason = ClockReason::NoSelectable;
        switch (result != nullptr ? result->status : SourceStatus::MissingSamples) {
            case SourceStatus::Falseticker:
            case SourceStatus::Untrusted: reason = ClockReason::NoMajority; break;
            case SourceStatus::WaitsSources: reason = ClockReason::TooFewSources; break;
            case SourceStatus::MissingSamples:
            case SourceStatus::WaitsStats:
            case SourceStatus::WaitsUpdate: reason = ClockReason::Measuring; break;
            case SourceStatus::BadDistance: reason = ClockReason::TooDistant; break;
            case SourceStatus::Jittery: reason = ClockReason::TooJittery; break;
            default: break;
        }
        found[static_cast<std::size_t>(reason)] = true;
    }
    for (const ClockReason reason :
         {ClockReason::NoMajority, ClockReason::TooFewSources, ClockReason::Measuring,
          ClockReason::TooDistant, ClockReason::TooJittery}) {
        if (found[static_cast<std::size_t>(reason)]) return reason;
    }
    return ClockReason::NoSelectable;
}

ClockView StateAgent::look(const Now& now) const {
    const Discipline& discipline = clock_.discipline();
    ClockView view;
    view.synchronised = discipline.synchronised();
    view.selected = selection_.selected().has_value();
    view.measured = discipline.is_measured(now.mono);
    if (!view.selected) {
        view.answering = is_answering();
        view.selection = selection_reason();
    }
    view.bound_s = discipline.bound_s(instant_of(now));
    return view;
}

MonoTime StateAgent::next_look(const ClockView& view, const Now& now) const {
    if (!view.synchronised) return MonoTime::max();
    double wait_s = kLongestLookS;
    if (!view.selected) {
        wait_s = state_.kind() == ClockStateKind::Holdover
                     ? kHoldoverLookS
                     : ClockState::kSelectionLost.to_seconds();
    }
    if (state_.in_spec()) {
        const double growth = clock_.discipline().bound_s(instant_of(now), 1.0) - view.bound_s;
        if (growth > 0.0) wait_s = std::min(wait_s, (state_.limit_s() - view.bound_s) / growth);
    }
    return now.mono + Duration::from_seconds(std::clamp(wait_s, kShortestLookS, kLongestLookS));
}

void StateAgent::update(const Now& now) {
    const ClockView view = look(now);
    const ClockStateKind before = state_.kind();
    const MonoTime since = state_.since();
    const bool changed = state_.update(view, now.mono);
    next_ = next_look(view, now);
    if (!changed) return;
    ClockStateChanged event;
    event.before = before;
    event.kind = state_.kind();
    event.reason = state_.reason();
    event.in_spec = state_.in_spec();
    event.only_reason = state_.since() == since;
    event.bound_s = view.bound_s;
    event.limit_s = state_.limit_s();
    events_.on_event(event);
}

command::StateReport StateAgent::report(const Now& now) const {
    const Discipline& discipline = clock_.discipline();
    const Instant at = instant_of(now);
    command::StateReport report;
    report.kind = state_.kind();
    report.reason = state_.reason();
    report.in_spec = state_.in_spec();
    const Duration ago = now.mono - state_.since();
    report.since = clock_.to_utc(now.system) - ago;
    report.since_ago_s = static_cast<std::uint32_t>(std::clamp(ago.to_seconds(), 0.0, 4e9));
    report.limit_s = state_.limit_s();
    const double bound_s = discipline.bound_s(at);
    report.bound_known = std::isfinite(bound_s);
    if (report.bound_known) {
        report.bound_s = bound_s;
        report.bound_growth_ppm = (discipline.bound_s(at, 1.0) - bound_s) * 1e6;
        report.breach_in_s = time_to_limit_s(discipline, at, state_.limit_s());
    }
    return report;
}

}  // namespace gnomon
