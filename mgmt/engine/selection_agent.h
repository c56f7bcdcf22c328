#pragma once

/// `SelectionAgent`: runs the selection over all sources and lets the clock follow its outcome.

#include <optional>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/selectable_source.h"
#include "mgmt/engine/services.h"
#include "servo/select/selector.h"

namespace gnomon {

/// Told that a source should be replaced by another address of its name.
class ReplacementListener {
public:
    virtual ~ReplacementListener() = default;
    virtual void on_bad_source(SourceId source, const Now& now) = 0;
};

class SelectionAgent {
public:
    SelectionAgent(const Config& config, const Services& services, ClockAgent& clock);

    void set_listener(ReplacementListener* listener) noexcept { listener_ = listener; }

    /// Sources appear in reports in the order in which they were added. They outlive their
    /// registration.
    void add(SelectableSource& source);
    void remove(SourceId source, const Now& now);

    /// `updated`: has a new measurement. Otherwise a source changed or was lost.
    void select(std::optional<SourceId> updated, const Now& now);
    /// The reach register of a source moved.
    void handle_reach(SelectableSource& source, const Now& now);
    /// Stratum or leap of a source may have changed.
    void handle_status(SelectableSource& source, const Now& now);
    /// The measurements of a source are gone.
    void handle_reset(SelectableSource& source, const Now& now);
    /// Options or the number of authenticated sources changed.
    void update_options();

    void reselect(const Now& now);
    void set_reselect_distance(double distance_s);
    void set_orphan_stratum(Stratum stratum) noexcept { selector_.set_orphan_stratum(stratum); }
    /// A history from a dump file may set the clock at once.
    void credit_update(SourceId source) { selector_.credit_update(source); }

    std::optional<SourceId> selected() const noexcept { return selector_.selected(); }
    bool is_selected(SourceId source) const noexcept { return selector_.selected() == source; }
    const std::vector<SelectableSource*>& sources() const noexcept { return sources_; }
    SelectableSource* find(SourceId source) const;
    /// As of the last selection; null for a source that was not there yet.
    const CandidateResult* result_of(SourceId source) const {
        return selector_.last().find(source);
    }

private:
    std::vector<Candidate> candidates(UtcTime at) const;
    void tell_wander(SourceId updated);
    void tell(const SelectionEvent& event, const Now& now);
    void tell_marks(UtcTime at);
    void end_special_mode(const Now& now);
    bool is_normal_mode() const;

    const Config& config_;
    Services services_;
    ClockAgent& clock_;
    ReplacementListener* listener_ = nullptr;
    Selector selector_;
    std::vector<SelectableSource*> sources_;
};

}  // namespace gnomon
