#pragma once

/// `NtpSource`: one server or peer: its association, the socket of its requests, its filters and what
/// selection knows of it. Acts on what the association puts out and tells its listener the rest.

#include <memory>
#include <optional>
#include <string>

#include "dataplane/proto/association.h"
#include "dataplane/wire/mac.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/name_queue.h"
#include "mgmt/engine/selectable_source.h"
#include "mgmt/engine/services.h"
#include "servo/filter/sample_filter.h"

namespace gnomon {

class NtpSource;

/// What others have to do about a source.
class NtpSourceListener {
public:
    virtual ~NtpSourceListener() = default;
    /// A measurement went into the filter: select.
    virtual void on_sample(NtpSource& source, const Now& now) = 0;
    /// The reach register moved.
    virtual void on_reach(NtpSource& source, const Now& now) = 0;
    /// Stratum or leap may have changed.
    virtual void on_status(NtpSource& source, const Now& now) = 0;
    /// All its measurements are gone.
    virtual void on_reset(NtpSource& source, const Now& now) = 0;
    virtual bool is_selected(const NtpSource& source) const = 0;
    virtual bool is_serving() const = 0;
    /// What to tell the mesh, at this time.
    virtual MeshRow mesh_row(UtcTime at) const = 0;
    /// A member of the mesh told its row.
    virtual void on_mesh_row(NtpSource& source, const MeshRow& row, const Now& now) = 0;
};

/// What all sources share; outlives them.
struct SourceSurroundings {
    const Config& config;
    const Services& services;
    ClockAgent& clock;
    const KeyTable& keys;
    TransmitSchedule& client_schedule;
    TransmitSchedule& peer_schedule;
    NtpSourceListener& listener;
};

class NtpSource {
public:
    /// Where a source comes from; members of a pool share `configuration`.
    struct Origin {
        SourceConfig config;
        PoolId pool = kNoPool;
        std::uint32_t configuration = 0;
    };

    /// `remote` may have an `Id` address: then it waits for `change_remote`.
    NtpSource(SourceId id, Origin origin, const SocketAddress& remote,
              const SourceSurroundings& surroundings);
    ~NtpSource();
    NtpSource(const NtpSource&) = delete;
    NtpSource& operator=(const NtpSource&) = delete;

    // --- Inputs; each acts on everything that follows from it before it returns. ---
    void start(const Now& now);
    void handle_timeout(const Now& now);
    PacketResult handle_packet(const RxDatagram& datagram, const Now& now);
    void handle_transmit_stamp(const TxStampReport& report, const Now& now);
    /// Forgets everything that belongs to the old address.
    void change_remote(const SocketAddress& remote, const Now& now);
    void set_online(bool online, const Now& now);
    void start_burst(int good, int total, const Now& now);
    /// `reset sources`.
    void reset(const Now& now);
    void set_offset(double offset_s);
    /// What loops of the mesh say is to be added to measured offsets, besides the `offset` option.
    void set_mesh_correction(double correction_s);
    double mesh_correction_s() const noexcept { return mesh_correction_s_; }
    /// Acts on outputs that came up outside the above (adjustments). Harmless at any time.
    void drain(const Now& now);
    /// Adjusts everything kept here; outputs wait for `drain`.
    void adjust(const ClockAdjustment& adjustment, const Now& now);
    void close_socket();

    MonoTime next_timeout() const { return association_->next_timeout(); }

    // --- State ---
    SourceId id() const noexcept { return selectable_.id; }
    SelectableSource& selectable() noexcept { return selectable_; }
    const SelectableSource& selectable() const noexcept { return selectable_; }
    Association& association() noexcept { return *association_; }
    const Association& association() const noexcept { return *association_; }
    const Origin& origin() const noexcept { return origin_; }
    const std::string& name() const noexcept { return origin_.config.name; }
    const SocketAddress& remote() const noexcept { return association_->remote(); }
    bool has_address() const noexcept { return remote().ip.is_ip(); }
    bool is_peer() const noexcept { return origin_.config.kind == SourceKind::Peer; }
    SocketHandle socket() const noexcept { return is_peer() ? kServerSocket : socket_; }

    // For the owner's bookkeeping.
    bool tentative = true;       ///< no good reply from this address yet
    MonoTime last_resolving;     ///< when its name was looked up
    IpAddress resolved_address;  ///< as the name gave it

private:
    LocalView local_view(const Now& now);
    LocalStamp local_stamp(const Stamp& stamp) const;
    void act(const SendOutput& output, const Now& now);
    void act(const ClosePortOutput& output, const Now& now);
    void act(const MeasurementOutput& output, const Now& now);
    void act(const MissedOutput& output, const Now& now);
    void act(const ReachOutput& output, const Now& now);
    void act(const StatusOutput& output, const Now& now);
    void act(const ResetSourceOutput& output, const Now& now);
    void act(const KodOutput& output, const Now& now);
    void act(const OnlineOutput& output, const Now& now);
    void act(const ReplyOutput& output, const Now& now);
    void act(const MeshOutput& output, const Now& now);
    void change_offset(double offset_s);

    /// Through the median filter if there is one; nullptr: a poll without a measurement.
    void filter(const Measurement* measurement, double distance_s, const Now& now);
    void accumulate(const Measurement& measurement, double distance_s, const Now& now);
    void forget_measurements();
    void sync_reach();
    void tell_statistics() const;

    Origin origin_;
    SourceSurroundings around_;
    SelectableSource selectable_;
    std::optional<MedianFilter> median_;
    int median_count_ = 0;  ///< polls since the last merged measurement
    std::unique_ptr<Association> association_;
    SocketHandle socket_ = kNoSocket;
    ServerState peer_state_;
    MeshRow mesh_row_;
    double mesh_correction_s_ = 0.0;
    bool draining_ = false;
};

}  // namespace gnomon
