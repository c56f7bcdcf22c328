#pragma once

/// `ServerAgent`: the serving side of the engine: who may ask, the client log, the responder, and
/// whether the server's sockets are open at all (SRV-04).

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/proto/access_table.h"
#include "dataplane/proto/client_analytics.h"
#include "dataplane/proto/client_log.h"
#include "dataplane/proto/responder.h"
#include "dataplane/proto/server_stats.h"
#include "dataplane/proto/timestamp_store.h"
#include "dataplane/wire/mac.h"
#include "mgmt/command/handlers.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "servo/units/measurement.h"
#include "servo/units/server_state.h"

namespace gnomon {

/// What the configuration says of remembering and limiting clients.
ClientLogConfig client_log_config(const Config& config);

class ServerAgent final : public command::AccessCommands {
public:
    /// `family`: Unspecified for both.
    ServerAgent(const Config& config, const Services& services, IpAddress::Family family);

    /// Applies the configured rules (but those with host names) and opens the sockets that are
    /// needed.
    void start();
    void shutdown();

    /// A rule that names a host and waits for its address.
    struct HostRule {
        AccessRule rule;
        Port port = Port::Ntp;
        bool applied = false;
    };
    const std::vector<HostRule>& host_rules() const noexcept { return host_rules_; }
    /// The host has been found: from now on the rule counts.
    void apply_host_rule(std::size_t index, const IpAddress& address);

    /// `keys` outlives the agent.
    void handle_request(const RxDatagram& request, const ServerState& state, const KeyTable& keys);
    void handle_transmit_stamp(const TxStampReport& report) {
        responder_.on_transmit_stamp(report);
    }
    void adjust(const ClockAdjustment& adjustment) { store_.adjust(adjustment); }

    /// A peer needs the server's socket of its family.
    void add_user(IpAddress::Family family);
    void remove_user(IpAddress::Family family);

    /// Others can get time from us.
    bool is_open() const noexcept { return v4_open_ || v6_open_; }

    /// Whether a command from this address is heard, counting it.
    bool accept_command(const IpAddress& client, const Now& now);

    command::Status allow(Port port, const command::AccessRule& rule, bool all) override;
    command::Status deny(Port port, const command::AccessRule& rule, bool all) override;
    bool is_allowed(Port port, const IpAddress& address) override;

    command::ServerStatsReport stats() const;
    /// What all responders together saw of their clients.
    AnalyticsSnapshot analytics(SystemTime now) const;
    /// Estimated number of clients by their measured request interval, log2 s as in
    /// `RequestProfile::poll`, from a sample of the client log.
    std::array<double, RequestProfile::kPolls> measured_intervals(SystemTime now);
    command::ReportResult<command::ClientAccessReport> clients(const command::ClientRange& range,
                                                               SystemTime now);

    /// Who may ask, and how often that may have changed.
    const AccessTable& access() const noexcept { return ntp_access_; }
    std::uint64_t access_version() const noexcept { return access_version_; }
    // For workers that answer besides this thread; safe to share as their headers say.
    ClientLog& client_log() noexcept { return log_; }
    TimestampStore& timestamp_store() noexcept { return store_; }

private:
    command::Status set_rule(Port port, const command::AccessRule& rule, bool allow, bool all);
    AccessTable& table(Port port) noexcept {
        return port == Port::Ntp ? ntp_access_ : command_access_;
    }
    void update_sockets();
    void update_socket(IpAddress::Family family, bool& open, int users);

    const ServerConfig& config_;
    const CommandConfig& command_config_;
    Services services_;
    IpAddress::Family family_;
    AccessTable ntp_access_;
    AccessTable command_access_;
    std::uint64_t access_version_ = 0;
    std::vector<HostRule> host_rules_;
    ClientLog log_;
    TimestampStore store_;
    ClientAnalytics analytics_;
    Responder responder_;
    ServerTables tables_;  ///< for the responder; as of `compiled_version_`
    std::uint64_t compiled_version_ = 0;
    ReplyArray reply_{1};
    int v4_users_ = 0;
    int v6_users_ = 0;
    bool v4_open_ = false;
    bool v6_open_ = false;
    bool running_ = false;
};

}  // namespace gnomon
