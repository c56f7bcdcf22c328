#pragma once

/// `StateAgent`: looks at sources and clock after every turn and tells when the state of the clock
/// (clock_state.h) has changed.

#include "mgmt/command/reports.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/clock_state.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/services.h"

namespace gnomon {

class StateAgent {
public:
    StateAgent(const Config& config, const Services& services, ClockAgent& clock,
               const SelectionAgent& selection);

    void start(const Now& now);
    /// At the end of every turn. Cheap while a source is selected.
    void update(const Now& now);
    /// When time alone may change the state.
    MonoTime next_timeout() const noexcept { return next_; }

    command::StateReport report(const Now& now) const;

private:
    ClockView look(const Now& now) const;
    ClockReason selection_reason() const;
    bool is_answering() const;
    MonoTime next_look(const ClockView& view, const Now& now) const;

    EventSink& events_;
    ClockAgent& clock_;
    const SelectionAgent& selection_;
    ClockState state_;
    MonoTime next_ = MonoTime::max();
};

}  // namespace gnomon
