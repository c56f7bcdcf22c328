#pragma once

/// `ClockCommandAgent`: the commands that concern the clock and what is served of it.

#include "mgmt/command/handlers.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/manual_input.h"
#include "mgmt/engine/selection_agent.h"

namespace gnomon {

class ClockCommandAgent final : public command::ClockCommands {
public:
    /// `now`: the time of the command. Everything outlives the agent.
    ClockCommandAgent(const Now& now, const Services& services, ClockAgent& clock,
                      SelectionAgent& selection, ManualInput& manual);

    command::Status make_step() override;
    command::Status modify_makestep(const command::MakestepLimits& limits) override;
    command::Status modify_maxupdateskew(double skew_ppm) override;
    command::Status adjust_offset(double offset_s) override;
    command::Status adjust_frequency(double error_ppm) override;
    command::Status set_local(const command::LocalRequest& request) override;
    command::Status smoothing_reset(UtcTime now) override;
    command::Status smoothing_activate(UtcTime now) override;
    command::Status manual_enable() override;
    command::Status manual_disable() override;
    command::Status manual_reset() override;
    command::Status manual_delete(std::int32_t index) override;
    command::ReportResult<command::SettimeReport> set_time(UtcTime time, UtcTime now) override;
    command::Status trim_rtc() override;
    command::Status write_rtc() override;

private:
    /// Steers by what was typed in.
    void follow_manual(double offset_s, const std::optional<double>& frequency);

    const Now& now_;
    Services services_;
    ClockAgent& clock_;
    SelectionAgent& selection_;
    ManualInput& manual_;
};

}  // namespace gnomon
