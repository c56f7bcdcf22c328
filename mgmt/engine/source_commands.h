#pragma once

/// `SourceCommandAgent`: the commands that change sources and their selection.

#include "mgmt/command/handlers.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/refclock_agent.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/source_manager.h"

namespace gnomon {

class SourceCommandAgent final : public command::SourceCommands {
public:
    /// `now`: the time of the command. Everything outlives the agent.
    SourceCommandAgent(const Now& now, const Services& services, ClockAgent& clock,
                       SelectionAgent& selection, SourceManager& sources, RefclockAgent& refclocks);

    command::Status add_source(const command::AddSourceRequest& request) override;
    command::Status delete_source(const IpAddress& source) override;
    command::Status set_online(const command::SourceRange& range) override;
    command::Status set_offline(const command::SourceRange& range) override;
    command::Status set_online_by_route() override;
    command::Status burst(const command::BurstRequest& request) override;
    command::Status modify_minpoll(const IpAddress& source, std::int32_t poll) override;
    command::Status modify_maxpoll(const IpAddress& source, std::int32_t poll) override;
    command::Status modify_minstratum(const IpAddress& source, std::int32_t stratum) override;
    command::Status modify_polltarget(const IpAddress& source, std::int32_t target) override;
    command::Status modify_maxdelay(const IpAddress& source, double max_delay_s) override;
    command::Status modify_maxdelayratio(const IpAddress& source, double ratio) override;
    command::Status modify_maxdelaydevratio(const IpAddress& source, double ratio) override;
    command::Status modify_select_options(const command::SelectOptionsRequest& request) override;
    command::Status modify_offset(const command::SourceOffsetRequest& request) override;
    command::Status reselect() override;
    command::Status set_reselect_distance(double distance_s) override;
    command::Status reset_sources(UtcTime now) override;
    command::Status refresh_addresses() override;
    command::Status reload_sources() override;

private:
    using Parameter = SourceParameterChanged::Parameter;

    command::Status set_connectivity(const command::SourceRange& range, bool online);
    void tell(const NtpSource& source, Parameter parameter, double value) const;
    SelectableSource* find(const IpAddress& address, RefId ref_id) const;

    const Now& now_;
    Services services_;
    ClockAgent& clock_;
    SelectionAgent& selection_;
    SourceManager& sources_;
    RefclockAgent& refclocks_;
};

/// What a request asks for; nothing when a value has no meaning.
std::optional<SourceConfig> source_config_of(const command::AddSourceRequest& request);

/// Whether the address is in the range of a command; a source without address only in the one of all.
bool is_in_range(const IpAddress& address, const command::SourceRange& range);

}  // namespace gnomon
