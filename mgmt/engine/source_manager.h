#pragma once

/// `SourceManager`: which NTP sources there are: from the configuration, from *.sources files, by
/// command; by address or by name; single ones and pools. Looks names up, replaces addresses that do
/// not work (SRC-05), routes datagrams to associations.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/proto/transmit_schedule.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/mesh_agent.h"
#include "mgmt/engine/name_queue.h"
#include "mgmt/engine/ntp_source.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/server_agent.h"
#include "mgmt/engine/services.h"

namespace gnomon {

class SourceManager final : private NameQueueClient,
                            private NtpSourceListener,
                            private ReplacementListener {
public:
    SourceManager(const Config& config, const Services& services, const EngineOptions& options,
                  ClockAgent& clock, ServerAgent& server, SelectionAgent& selection,
                  const KeyTable& keys);
    ~SourceManager() override;

    /// Adds what the configuration has, resolves names, begins to poll.
    void start(const Now& now);
    void shutdown();

    // --- Input ---
    /// False: not for a source, for the responder.
    bool handle_datagram(SocketHandle socket, const RxDatagram& datagram, const Now& now);
    void handle_transmit_stamp(SocketHandle socket, const TxStampReport& report, const Now& now);
    void handle_socket_error(SocketHandle socket, const Now& now);
    void handle_timeout(const Now& now);
    MonoTime next_timeout() const;
    void handle_resolved(NameResolver::QueryId query, const ResolvedName& answer, const Now& now);
    /// The NTP clock moved.
    void adjust(const ClockAdjustment& adjustment, const Now& now);
    /// Acts on what adjustments led to.
    void drain(const Now& now);

    // --- Adding and removing ---
    enum class AddResult : std::uint8_t {
        Added,       ///< with an address
        Unresolved,  ///< its name is being looked up
        InUse,
        TooMany,
        InvalidFamily,
        InvalidName,
    };
    /// Names begin to be looked up with the next `resolve`.
    AddResult add(const SourceConfig& config, SourceOrigin origin, const Now& now);
    bool remove(const IpAddress& address, const Now& now);
    /// Reads the `sourcedir` directories again: adds and removes what differs (SYN-09).
    void reload_source_files(const Now& now);
    void resolve() { names_.resolve(); }
    /// `refresh`: looks up every name again.
    void refresh_addresses(const Now& now);

    // --- Access ---
    /// In the order in which they were added.
    const std::vector<std::unique_ptr<NtpSource>>& sources() const noexcept { return sources_; }
    /// By address, `Id` ones included; null when there is none.
    NtpSource* find(const IpAddress& address) const;
    NtpSource* find(SourceId id) const;

private:
    struct Pool {
        int sources = 0;
        int unresolved = 0;
        int confirmed = 0;
        int max_sources = 0;
    };
    /// Of the *.sources files.
    struct FileSource {
        SourceConfig config;
        std::uint32_t configuration = 0;
    };

    // NameQueueClient
    bool is_wanted(const NameLookup& lookup) const override;
    void use_addresses(const NameLookup& lookup, const std::vector<IpAddress>& addresses,
                       const Now& now) override;
    void name_not_found(const NameLookup& lookup) override;

    // NtpSourceListener
    void on_sample(NtpSource& source, const Now& now) override;
    void on_reach(NtpSource& source, const Now& now) override;
    void on_status(NtpSource& source, const Now& now) override;
    void on_reset(NtpSource& source, const Now& now) override;
    bool is_selected(const NtpSource& source) const override;
    bool is_serving() const override;
    MeshRow mesh_row(UtcTime at) const override { return MeshAgent::row(sources_, at); }
    void on_mesh_row(NtpSource& source, const MeshRow& row, const Now& now) override;

    // ReplacementListener
    void on_bad_source(SourceId source, const Now& now) override;

    AddResult add_line(const SourceConfig& config, SourceOrigin origin, std::uint32_t configuration,
                       const Now& now);
    AddResult add_named(const SourceConfig& config, SourceOrigin origin,
                        std::uint32_t configuration, const Now& now);
    AddResult add_one(NtpSource::Origin origin, SourceOrigin from, const SocketAddress& remote,
                      const Now& now);
    void add_or_tell(const SourceConfig& config, SourceOrigin origin, std::uint32_t configuration,
                     const Now& now);
    void remove_configuration(std::uint32_t configuration, SourceOrigin origin, const Now& now);
    /// `log_pool`: a pool is told once, when its last source goes.
    void tell_removed(const NtpSource& source, SourceOrigin origin, bool log_pool);
    void destroy(NtpSource& source, const Now& now);
    void remove_tentative(PoolId pool, const Now& now);
    /// False when another source has the address or there is no way to it.
    bool replace_address(NtpSource& source, const IpAddress& address, const Now& now);
    void replace_in_pool(const NameLookup& lookup, const IpAddress& address, const Now& now);
    void handle_good_reply(NtpSource& source, const Now& now);
    void look_up_again(NtpSource& source, bool refresh, const Now& now);
    void maybe_refresh(const Now& now);
    bool accepts_family(IpAddress::Family family) const;
    NtpSource* find_remote(const SocketAddress& remote) const;

    const Config& config_;
    Services services_;
    EngineOptions options_;
    ClockAgent& clock_;
    ServerAgent& server_;
    SelectionAgent& selection_;
    const KeyTable& keys_;
    TransmitSchedule client_schedule_;
    TransmitSchedule peer_schedule_;
    NameQueue names_;
    MeshAgent mesh_;
    std::vector<std::unique_ptr<NtpSource>> sources_;
    std::map<IpAddress, NtpSource*> by_address_;
    /// Removed while one of their own calls was running; freed by `drain`.
    std::vector<std::unique_ptr<NtpSource>> graveyard_;
    std::map<PoolId, Pool> pools_;
    std::vector<FileSource> file_sources_;
    SourceId last_id_ = 0;
    PoolId last_pool_ = kNoPool;
    std::uint32_t last_address_id_ = 0;
    std::uint32_t last_configuration_ = 0;
    MonoTime next_replacement_;
    MonoTime last_refresh_;
    bool started_ = false;
};

}  // namespace gnomon
