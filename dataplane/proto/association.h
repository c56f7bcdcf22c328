#pragma once

/// `Association`: the client side of NTP towards one server or peer (RFC 5905, RFC 9769): polling,
/// bursts, packet tests, interleaved mode, measurements. Sans-IO: it owns no socket and no clock.
///
/// Inputs: `start`, `handle_timeout`, `handle_packet`, `handle_transmit_stamp`,
/// `handle_send_result`, `handle_accumulated`, `adjust`, and the commands. After any of them drain
/// `poll_output()` until it is empty, act on every output in order, and arm a timer for
/// `next_timeout()`. Spurious calls of `handle_timeout` are harmless.
///
/// A good reply becomes a `MeasurementOutput`. Its owner gives it to the estimator (after the
/// median filter, if there is one) and then calls `handle_accumulated`, which is what adapts the
/// polling interval; without that call the interval stays.
///
/// Times on the NTP clock are `UtcTime`; the owner converts stamps with the `ClockLine` in force
/// and tells every change of the clock through `adjust`. Timers are on `MonoTime`. One thread.
///
/// A symmetric association answers and asks with the same packets. Requests from a host that is not
/// our peer, and client requests from our own servers, are for the responder: `PacketResult`.

#include <array>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <variant>

#include "dataplane/proto/client_auth.h"
#include "dataplane/proto/packet_tests.h"
#include "dataplane/proto/peer_delay_quantile.h"
#include "dataplane/proto/poll_control.h"
#include "dataplane/proto/transmit_schedule.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/extensions.h"
#include "dataplane/wire/mesh_row.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/measurement.h"
#include "servo/units/random_source.h"
#include "servo/units/server_state.h"
#include "servo/units/source_view.h"

namespace gnomon {

/// Configuration of a source as far as the protocol is concerned; defaults are chrony's. Values out
/// of range are clamped.
struct AssociationConfig {
    SocketAddress remote;
    bool symmetric = false;  ///< `peer`: mode 1, else mode 3
    int min_poll = kDefaultMinPoll;
    int max_poll = kDefaultMaxPoll;
    int poll_target = 0;                  ///< samples to keep; 0: the interval follows errors
    int presend_min_poll = 100;           ///< more than 24: off; client mode only
    std::optional<std::uint8_t> version;  ///< 1–4; empty: chosen by authentication
    double max_delay_s = 3.0;
    double max_delay_ratio = 0.0;
    double max_delay_dev_ratio = 10.0;
    double max_delay_quantile = 0.0;  ///< 0: off, else clamped to [0.05, 0.95]
    double offset_s = 0.0;            ///< added to measured offsets
    Stratum min_stratum = 0;
    bool iburst = false;
    bool burst = false;
    bool offline = false;  ///< start offline
    bool auto_offline = false;
    bool interleaved = false;
    bool copy = false;  ///< client mode only
    bool network_correction = false;
    bool mono_root = false;
    bool mesh = false;  ///< symmetric mode only: tell and hear what peers measure of each other

    /// Of the machine: how finely the clock is read (s), how fast it may drift unnoticed (s/s), how
    /// long a reply waits for the hardware's stamp of its request (zero: not at all).
    double clock_precision_s = 1e-9;
    double max_clock_error = 1e-6;
    Duration hw_stamp_timeout;
    /// NTP timestamps are taken to be within 68 years of this instant (2044-01-01).
    UtcTime era_pivot = UtcTime::from_ns(2'335'219'200LL * 1'000'000'000LL);
};

/// What the association sees of the machine during one call.
struct LocalView {
    MonoTime now;
    UtcTime utc;                ///< the NTP clock, just read
    const ServerState* server;  ///< what we serve; never null
    /// Others can synchronise to us (a server port is open and this is a normal run): test D
    /// applies.
    bool serving = false;
    bool selected = false;          ///< this source steers the clock
    const MeshRow* mesh = nullptr;  ///< what to tell of the mesh; null: nothing
};

/// A stamp of ours, on the NTP clock.
struct LocalStamp {
    UtcTime time;  ///< zero: none
    TimestampSource source = TimestampSource::Daemon;
    double error_s = 0.0;        ///< bound on what converting to the NTP clock may be off
    double variance_s2 = 0.0;    ///< noise of the stamp
    double rx_duration_s = 0.0;  ///< time the frame took on the wire (NTP over PTP)
    double net_correction_s =
        0.0;  ///< PTP correction of the received message, rx_duration included
};

struct ReceivedPacket {
    std::span<const std::uint8_t> datagram;
    LocalStamp stamp;
    IpAddress local;
    int interface_index = 0;
};

/// What became of a received packet.
struct PacketResult {
    Drop drop = Drop::None;      ///< also counted
    bool good = false;           ///< it became a measurement, or waits for a stamp to become one
    bool for_responder = false;  ///< not ours: a request to our server side
};

// --- Outputs ---

/// Send `datagram` (valid until the next input) and report through `handle_send_result`.
struct SendOutput {
    std::span<const std::uint8_t> datagram;
    SocketAddress remote;
    /// Client mode: from a fresh port; close the previous one. Else: from the server port.
    bool fresh_port = true;
    /// For the transmit stamp: the bits of the request's transmit timestamp (bytes 40 to 47), so
    /// that a port that carries no cookies can read it from the payload it reports.
    std::uint64_t cookie = 0;
};
/// Nothing more is expected: the client port can be closed.
struct ClosePortOutput {};
struct MeasurementOutput {
    Measurement measurement;  ///< `offset` option and network corrections included
    /// peer dispersion + peer delay/2, s: goes into `handle_accumulated` when no filter is at work.
    double distance_s = 0.0;
    /// The source stepped its own clock by this much since the last measurement (mono-root field),
    /// s, > 0: forward. Shift the offsets of older samples by it first.
    double source_step_s = 0.0;
};
/// A poll without a good reply: counts for the median filter.
struct MissedOutput {};
/// The reach register has changed: selection, replacement of dead sources.
struct ReachOutput {
    std::uint8_t reach = 0;
};
/// A synchronised reply: the source's stratum (at least `min_stratum`) and leap.
struct StatusOutput {
    Stratum stratum = kStratumUnsynchronised;
    Leap leap = Leap::Unsynchronised;
    std::optional<RefId> copied_ref_id;  ///< `copy`: pass this on as our reference ID
};
/// `copy`: the server lost its source, forget everything about it.
struct ResetSourceOutput {};
struct KodOutput {
    RefId code;  ///< "RATE"
};
struct OnlineOutput {
    bool online = false;
};
struct ReplyOutput {
    ReplyRecord record;
};
/// A valid packet of a peer that told its row of the mesh.
struct MeshOutput {
    MeshRow row;
};

using AssociationOutput =
    std::variant<SendOutput, ClosePortOutput, MeasurementOutput, MissedOutput, ReachOutput,
                 StatusOutput, ResetSourceOutput, KodOutput, OnlineOutput, ReplyOutput, MeshOutput>;

/// The fields of `ntpdata`; jitter asymmetry is the estimator's. Times and values of the last valid
/// reply; zeros before the first.
struct NtpReport {
    IpAddress local;
    ReplyRecord reply;
    UtcTime reference_time;
    std::uint32_t tx_count = 0;
    std::uint32_t rx_count = 0;
    std::uint32_t valid_count = 0;
    std::uint32_t good_count = 0;
    std::uint32_t kernel_tx_stamps = 0;
    std::uint32_t kernel_rx_stamps = 0;
    std::uint32_t hw_tx_stamps = 0;
    std::uint32_t hw_rx_stamps = 0;
};

class Association {
public:
    enum class Activity : std::uint8_t { Offline, Online, BurstWasOffline, BurstWasOnline };

    /// Everything referred to outlives the association. `schedule` may be null.
    struct Surroundings {
        RandomSource& random;
        const SourceView& source;
        TransmitSchedule* schedule = nullptr;
    };

    Association(const AssociationConfig& config, std::unique_ptr<ClientAuth> auth,
                const Surroundings& surroundings);
    ~Association();
    Association(const Association&) = delete;
    Association& operator=(const Association&) = delete;

    // --- Inputs ---

    /// Begins to poll, unless configured offline. Until then packets are ignored.
    void start(const LocalView& local);
    void handle_timeout(const LocalView& local);
    /// Packets from our remote address, on whichever socket the last request went out.
    PacketResult handle_packet(const LocalView& local, const ReceivedPacket& packet);
    /// A better stamp of a request, by cookie.
    void handle_transmit_stamp(const LocalView& local, std::uint64_t cookie,
                               const LocalStamp& stamp);
    /// What became of a SendOutput; `at`: the clock as read just before sending.
    void handle_send_result(const LocalView& local, bool sent, UtcTime at);
    /// The estimator took a (filtered) measurement. `prediction_error_s`: measured minus predicted
    /// offset; `samples`: how many the estimate rests on now.
    void handle_accumulated(const LocalView& local, double prediction_error_s, double distance_s,
                            int samples);
    /// The NTP clock was changed.
    void adjust(const LocalView& local, const ClockAdjustment& adjustment);

    // --- Commands ---

    void set_online(const LocalView& local);
    void set_offline(const LocalView& local);
    /// `burst good/total`; nothing happens in symmetric mode or during a burst.
    void start_burst(const LocalView& local, int good_samples, int total_samples);
    /// Forget the exchange under way and what was learned of the remote clock.
    void reset_protocol() noexcept;
    /// Poll at the shortest interval again.
    void reset_poll(const LocalView& local);
    void change_remote(const LocalView& local, const SocketAddress& remote);

    /// False: out of range, nothing changed.
    bool set_min_poll(int min_poll) noexcept { return poll_.set_min_poll(min_poll); }
    bool set_max_poll(int max_poll) noexcept { return poll_.set_max_poll(max_poll); }
    void set_poll_target(int samples) noexcept {
        poll_.set_target(samples);
        config_.poll_target = samples;
    }
    void set_max_delay(double seconds) noexcept;
    void set_max_delay_ratio(double ratio) noexcept;
    void set_max_delay_dev_ratio(double ratio) noexcept;
    void set_min_stratum(Stratum stratum) noexcept { config_.min_stratum = stratum; }
    void set_offset(double seconds) noexcept { config_.offset_s = seconds; }

    // --- Outputs ---

    std::optional<AssociationOutput> poll_output();
    /// `MonoTime::max()` when there is nothing to wait for.
    MonoTime next_timeout() const noexcept;

    // --- Reports ---

    const AssociationConfig& config() const noexcept { return config_; }
    const SocketAddress& remote() const noexcept { return config_.remote; }
    Activity activity() const noexcept { return activity_; }
    bool is_online() const noexcept {
        return activity_ == Activity::Online || activity_ == Activity::BurstWasOnline;
    }
    /// The interval in use, log2 s: in symmetric mode the peer's when that is shorter.
    int poll() const noexcept;
    const PollControl& poll_control() const noexcept { return poll_; }
    std::uint8_t version() const noexcept { return version_; }
    /// Reach register: bit 0 is the newest poll. How many bits of it mean something, and for how
    /// many polls in a row all have been 0.
    std::uint8_t reach() const noexcept { return reach_; }
    int reach_size() const noexcept { return reach_size_; }
    int unreachable_run() const noexcept { return unreachable_run_; }
    Stratum stratum() const noexcept { return remote_stratum_; }
    /// RFC 5905 reference ID that a client of ours would see for this source.
    RefId ref_id() const { return RefId{config_.remote.ip.ref_id()}; }
    const NtpReport& report() const noexcept { return report_; }
    AuthReport auth_report(MonoTime now) const { return auth_->report(now); }
    bool is_authenticated() const noexcept { return auth_->mode() != AuthMode::None; }
    const DropCounters& drops() const noexcept { return drops_; }

private:
    /// A reply that waits for the hardware's stamp of its request.
    struct SavedReply {
        std::array<std::uint8_t, kNtpMaxSize> bytes;
        std::size_t size = 0;
        ReceivedPacket packet;
        MonoTime deadline;
    };
    /// What a reply yields before it is judged; see association_receive.cc.
    struct Exchange;
    struct Reply;

    template <typename T>
    void emit(T output) {
        outputs_.emplace_back(std::move(output));
    }

    // association.cc: life cycle and timers.
    void go_online(const LocalView& local);
    void go_offline(const LocalView& local);
    void start_initial_timer(const LocalView& local);
    void restart_timer(const LocalView& local, double delay_s);
    void stop_timer() noexcept;
    void close_port();
    void update_reach(bool reachable);
    double transmit_delay_s(const LocalView& local, bool on_transmit) const;
    bool is_near(const LocalView& local) const;
    bool is_burst() const noexcept {
        return activity_ == Activity::BurstWasOffline || activity_ == Activity::BurstWasOnline;
    }

    // association_transmit.cc
    void transmit(const LocalView& local);
    bool update_activity_before_transmit(const LocalView& local);
    void update_presend(bool interleaved) noexcept;
    std::size_t build_request(const LocalView& local, bool interleaved, bool initial);
    NtpTimestamp unique_stamp(UtcTime time, int precision,
                              std::initializer_list<NtpTimestamp> taken);
    std::size_t add_extensions(const LocalView& local, std::size_t length,
                               const LocalStamp& receive);
    void count_request(const LocalView& local, bool sent);

    // association_receive.cc
    PacketResult process_reply(const LocalView& local, const ReceivedPacket& packet,
                               const ParsedPacket& parsed, bool saved);
    bool save_reply(const LocalView& local, const ReceivedPacket& packet);
    void process_saved_reply(const LocalView& local);
    void judge(Reply& reply);
    Exchange select_stamps(const Reply& reply) const;
    void measure(const LocalView& local, Reply& reply);
    void apply_network_correction(Reply& reply, const Exchange& exchange, double precision_s) const;
    bool passes_test_a(const Reply& reply, const Exchange& exchange, double precision_s) const;
    bool is_no_loop(const LocalView& local, const Reply& reply) const;
    void update_stamps(const Reply& reply);
    void accept_valid(const LocalView& local, Reply& reply);
    void take_status(const Reply& reply);
    void take_measurement(const LocalView& local, Reply& reply);
    void fill_report(const Reply& reply);

    AssociationConfig config_;
    std::unique_ptr<ClientAuth> auth_;
    RandomSource& random_;
    const SourceView& source_;
    TransmitSchedule* schedule_;
    TransmitSchedule::Slot slot_ = 0;
    std::uint8_t version_ = 4;
    DelayLimits limits_;
    PollControl poll_;
    std::optional<PeerDelayQuantile> delay_quantile_;

    bool started_ = false;
    Activity activity_ = Activity::Offline;
    std::optional<MonoTime> transmit_at_;
    std::optional<MonoTime> close_port_at_;
    std::optional<MonoTime> last_sent_;
    int burst_good_to_go_ = 0;
    int burst_total_to_go_ = 0;
    int presend_to_go_ = 0;

    std::uint8_t reach_ = 0;
    int reach_size_ = 0;
    int unreachable_run_ = 0;
    double last_good_delay_s_ = 0.0;  // zero: none since the last reset

    /// Requests since the last valid reply, and how many there were before it.
    unsigned tx_count_ = 0;
    unsigned prev_tx_count_ = 0;
    bool valid_rx_ = false;      // a valid reply to the last request has come
    bool valid_stamps_ = false;  // the remote stamps are good for synchronisation
    int prev_local_poll_ = 0;

    int remote_poll_ = 0;
    Stratum remote_stratum_ = 0;
    double remote_root_delay_s_ = 0.0;
    double remote_root_dispersion_s_ = 0.0;
    std::uint32_t remote_mono_epoch_ = 0;
    NtpTimestamp remote_mono_receive_;
    double source_step_s_ = 0.0;

    /// Stamps of the last valid exchange: the remote's in its own bits, ours as time and as sent.
    NtpTimestamp remote_receive_;
    NtpTimestamp remote_transmit_;
    NtpTimestamp sent_receive_;
    NtpTimestamp sent_transmit_;
    LocalStamp local_rx_;
    LocalStamp local_tx_;
    LocalStamp prev_local_tx_;
    /// For (re)starting the symmetric protocol from a packet that was not a valid reply.
    bool init_updated_ = false;
    NtpTimestamp init_remote_transmit_;
    LocalStamp init_local_rx_;

    std::array<std::uint8_t, kNtpMaxSize> request_{};
    bool send_pending_ = false;
    std::optional<PollControl> poll_before_send_;  // to be restored when sending fails
    bool port_open_ = false;
    double back_off_s_ = 0.0;  // what a kiss of death added to the timer that is running
    std::unique_ptr<SavedReply> saved_;
    std::deque<AssociationOutput> outputs_;
    NtpReport report_;
    DropCounters drops_;
};

}  // namespace gnomon
