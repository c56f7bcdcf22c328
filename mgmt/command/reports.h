#pragma once

/// What the daemon reports of itself: plain values, one struct per report.
///
/// Signs are ours throughout: an *offset* > 0 means that the local clock is behind (RFC 5905).
/// The command protocol has several of them the other way round; the codec (wire.h) negates those,
/// and the fields concerned say so with "wire: negated". Frequencies are those of `Frequency` as an
/// error: > 0 means that the local clock gains. Differences are seconds in double; `…_ago_s` is whole
/// seconds, `kNever` when it has not happened.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/port/dataplane.h"
#include "dataplane/wire/address.h"
#include "mgmt/command/protocol.h"
#include "servo/units/clock_status.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::command {

inline constexpr std::uint32_t kNever = 0xffff'ffff;

struct TrackingReport {
    RefId ref_id;
    /// The selected source. `Unspecified` when it is a reference clock (named by `ref_id`) or none.
    IpAddress address;
    std::uint16_t stratum = 0;  ///< 0 when not synchronised
    Leap leap = Leap::Unsynchronised;
    UtcTime reference_time;        ///< last update of the clock
    double system_offset_s = 0.0;  ///< remaining correction; > 0: system clock behind NTP clock
    double last_offset_s = 0.0;    ///< at the last update; wire: negated
    double rms_offset_s = 0.0;     ///< ≥ 0
    double frequency_ppm = 0.0;    ///< of the uncorrected clock; > 0: fast
    double residual_frequency_ppm = 0.0;
    double skew_ppm = 0.0;  ///< error bound of `frequency_ppm`
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    double update_interval_s = 0.0;
};

/// The state of the clock; see mgmt/engine/clock_state.h.
struct StateReport {
    ClockStateKind kind = ClockStateKind::Unsynced;
    ClockReason reason = ClockReason::Started;
    bool in_spec = false;  ///< the bound is known and within the limit
    UtcTime since;         ///< when kind or spec last changed
    std::uint32_t since_ago_s = 0;
    bool bound_known = false;       ///< if not, bound and growth are 0
    double bound_s = 0.0;           ///< of the system clock's error, now
    double bound_growth_ppm = 0.0;  ///< µs/s, while no update comes
    double limit_s = 0.0;           ///< `maxbound`
    double breach_in_s = -1.0;      ///< until the limit without updates; < 0: not foreseeable
};

enum class SourceMode : std::uint16_t { Client = 0, Peer = 1, ReferenceClock = 2 };
enum class SourceState : std::uint16_t {
    Selected = 0,
    NonSelectable = 1,
    Falseticker = 2,
    Jittery = 3,
    Combined = 4,
    Selectable = 5,  ///< good, but not combined
};

struct SourceReport {
    /// Of a reference clock: IPv4 holding the reference ID (what every exporter expects).
    IpAddress address;
    std::int16_t poll = 0;  ///< log2 s
    std::uint16_t stratum = 0;
    SourceState state = SourceState::NonSelectable;
    SourceMode mode = SourceMode::Client;
    std::uint16_t reach = 0;  ///< the last eight polls, newest in bit 0
    std::uint32_t last_sample_ago_s = kNever;
    double measured_offset_s = 0.0;  ///< as it was measured; wire: negated
    double adjusted_offset_s = 0.0;  ///< with all corrections since; wire: negated
    double error_s = 0.0;            ///< margin of error, ≥ 0
};

struct SourceStatsReport {
    RefId ref_id;
    IpAddress address;  ///< `Unspecified` for a reference clock
    std::uint32_t samples = 0;
    std::uint32_t runs = 0;  ///< runs of residuals of the same sign
    std::uint32_t span_s = 0;
    double standard_deviation_s = 0.0;
    double residual_frequency_ppm = 0.0;  ///< > 0: local clock gains on the source
    double skew_ppm = 0.0;
    double offset_s = 0.0;  ///< estimate for now; wire: negated
    double offset_error_s = 0.0;
};

/// One estimator's view of a source; see servo/filter/estimator_trial.h.
struct ServoReport {
    std::string name;       ///< at most 15 characters
    bool known = false;     ///< has an estimate; if not, the next four are 0
    double offset_s = 0.0;  ///< of our clock now; > 0: behind
    double offset_sd_s = 0.0;
    double frequency_ppm = 0.0;  ///< > 0: our clock gains on the source
    double frequency_sd_ppm = 0.0;
    std::uint32_t predictions = 0;
    double prediction_error_s = 0.0;  ///< weighted RMS
};

/// The estimators of one source: the one that steers first, then its shadows. Only the first
/// `kMaxServos` travel.
struct ServosReport {
    RefId ref_id;
    IpAddress address;  ///< `Unspecified` for a reference clock
    std::vector<ServoReport> servos;
};

/// Selection options of a source, configured or effective. Bits as in SELECT_DATA.
struct SelectOptions {
    bool noselect = false;
    bool prefer = false;
    bool trust = false;
    bool require = false;
    friend bool operator==(const SelectOptions&, const SelectOptions&) = default;
};

struct SelectReport {
    RefId ref_id;
    IpAddress address;  ///< `Unspecified` for a reference clock
    char state = '?';   ///< N s M d D ~ w W S O T P U x + * - … as `selectdata -v` explains
    bool authenticated = false;
    Leap leap = Leap::Unsynchronised;
    SelectOptions configured;
    SelectOptions effective;
    std::uint32_t last_sample_ago_s = kNever;
    double score = 1.0;
    /// The interval of the source's offset, low ≤ high; wire: negated and swapped.
    double offset_low_s = 0.0;
    double offset_high_s = 0.0;
};

/// The last valid measurement of an NTP source and its packet counters.
struct NtpReport {
    IpAddress remote_address;
    IpAddress local_address;
    std::uint16_t remote_port = 0;
    Leap leap = Leap::Unsynchronised;
    std::uint8_t version = 0;
    std::uint8_t mode = 0;
    std::uint8_t stratum = 0;
    Log2Seconds poll = 0;
    Log2Seconds precision = 0;
    double root_delay_s = 0.0;
    double root_dispersion_s = 0.0;
    RefId ref_id;
    UtcTime reference_time;
    double offset_s = 0.0;  ///< wire: the same sign
    double peer_delay_s = 0.0;
    double peer_dispersion_s = 0.0;
    double response_time_s = 0.0;   ///< between t2 and t3
    double jitter_asymmetry = 0.0;  ///< −0.5 … 0.5
    std::uint16_t tests = 0;        ///< ten bits, test 1 of group A in bit 9; set: passed
    bool interleaved = false;
    bool authenticated = false;
    /// D, K, H as `to_char(TimestampSource)`; NUL before the first measurement.
    char tx_timestamp_source = '\0';
    char rx_timestamp_source = '\0';
    std::uint32_t total_tx = 0;
    std::uint32_t total_rx = 0;
    std::uint32_t total_valid_rx = 0;  ///< passed the packet tests (groups A and B)
    std::uint32_t total_good_rx = 0;   ///< passed all tests
    std::uint32_t total_kernel_tx_timestamps = 0;
    std::uint32_t total_kernel_rx_timestamps = 0;
    std::uint32_t total_hardware_tx_timestamps = 0;
    std::uint32_t total_hardware_rx_timestamps = 0;
};

enum class AuthMode : std::uint16_t { None = 0, Symmetric = 1, Nts = 2 };

struct AuthReport {
    AuthMode mode = AuthMode::None;
    /// 1 MD5, 2 SHA1, 3 SHA256, 4 SHA384, 5 SHA512, 6…9 SHA3-224…512, 10 TIGER, 11 WHIRLPOOL,
    /// 13 AES128, 14 AES256; for NTS the AEAD's number (15, 30).
    std::uint16_t key_type = 0;
    std::uint32_t key_id = 0;
    std::uint16_t key_length_bits = 0;
    std::uint16_t ke_attempts = 0;
    std::uint32_t last_ke_ago_s = kNever;
    std::uint16_t cookies = 0;
    std::uint16_t cookie_length = 0;  ///< bytes
    std::uint16_t nak = 0;            ///< an NTS NAK was received since the last key exchange
};

struct ActivityReport {
    std::uint32_t online = 0;
    std::uint32_t offline = 0;
    std::uint32_t burst_online = 0;   ///< returns to online
    std::uint32_t burst_offline = 0;  ///< returns to offline
    std::uint32_t unresolved = 0;
};

struct ServerStatsReport {
    std::uint64_t ntp_hits = 0;
    std::uint64_t nke_hits = 0;
    std::uint64_t cmd_hits = 0;
    std::uint64_t ntp_drops = 0;
    std::uint64_t nke_drops = 0;
    std::uint64_t cmd_drops = 0;
    std::uint64_t log_drops = 0;
    std::uint64_t ntp_auth_hits = 0;
    std::uint64_t ntp_interleaved_hits = 0;
    std::uint64_t ntp_timestamps = 0;
    std::uint64_t ntp_span_s = 0;
    std::uint64_t ntp_daemon_rx_timestamps = 0;
    std::uint64_t ntp_daemon_tx_timestamps = 0;
    std::uint64_t ntp_kernel_rx_timestamps = 0;
    std::uint64_t ntp_kernel_tx_timestamps = 0;
    std::uint64_t ntp_hardware_rx_timestamps = 0;
    std::uint64_t ntp_hardware_tx_timestamps = 0;
};

/// Intervals are log2 s; 127 means unknown.
struct ClientAccess {
    static constexpr std::int8_t kUnknownInterval = 127;

    IpAddress address;
    std::uint32_t ntp_hits = 0;
    std::uint32_t nke_hits = 0;
    std::uint32_t cmd_hits = 0;
    std::uint32_t ntp_drops = 0;
    std::uint32_t nke_drops = 0;
    std::uint32_t cmd_drops = 0;
    std::int8_t ntp_interval = kUnknownInterval;
    std::int8_t nke_interval = kUnknownInterval;
    std::int8_t cmd_interval = kUnknownInterval;
    std::int8_t ntp_limited_interval = kUnknownInterval;  ///< after responses were limited
    std::uint32_t last_ntp_hit_ago_s = kNever;
    std::uint32_t last_nke_hit_ago_s = kNever;
    std::uint32_t last_cmd_hit_ago_s = kNever;
};

/// One page of the client log. Only the first `kMaxClientsPerReply` entries travel.
struct ClientAccessReport {
    std::uint32_t indices = 0;     ///< size of the table
    std::uint32_t next_index = 0;  ///< where the next page begins
    std::vector<ClientAccess> clients;
};

/// The capture that runs, or the last one.
struct CaptureReport {
    enum class State : std::uint32_t {
        Never,
        Running,
        Stopped,
        SizeLimit,
        TimeLimit,
        PacketLimit,
        DiskFull,
        WriteError,
    };
    State state = State::Never;
    std::uint32_t refused = 0;  ///< errno: why this command did nothing; 0: it did
    std::uint32_t error = 0;    ///< errno, when the state is an error
    std::uint32_t taps = 0;     ///< places that packets come from
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< of the file
    std::uint64_t lost = 0;   ///< packets that the writer was too slow for
    double elapsed_s = 0.0;
    std::uint32_t limit_mb = 0;  ///< limits; 0: none
    std::uint32_t limit_s = 0;
    std::uint32_t limit_packets = 0;
    std::string path;
    std::string port;  ///< empty: all ports
};

/// A client that asks much. Rates in requests per second.
struct TopClient {
    IpAddress address;
    double rate = 0.0;  ///< at most; at least rate − error, but for the noise
    double error = 0.0;
    double noise_sd = 0.0;  ///< of sampling
    double kissed = 0.0;
    double limited = 0.0;  ///< dropped by the rate limit
    double dropped = 0.0;  ///< for other reasons
    double abuse = 0.0;    ///< 0…100
    std::uint8_t version = 0;
    std::uint8_t mode = 0;
    std::int8_t poll = 0;
    bool has_mac = false;
    bool has_nts = false;
    bool interleaved = false;
    std::uint16_t port = 0;
};

/// A page of the clients that ask most. Only the first kMaxHeavyClientsPerReply travel.
struct TopReport {
    std::uint32_t known = 0;     ///< clients that can be asked for
    double window_s = 0.0;       ///< time that rates are means over
    double total_rate = 0.0;     ///< of all clients
    double others_rate = 0.0;    ///< the most that a client which is not known can have
    std::uint32_t sampling = 1;  ///< one request in so many was looked at
    std::vector<TopClient> clients;
};

/// What requests look like. Rates in requests per second; see RequestProfile
/// (dataplane/proto/client_analytics.h) for the buckets.
struct AnalyticsReport {
    static constexpr std::size_t kPolls = 26;
    static constexpr int kFirstPoll = -8;
    static constexpr std::size_t kSizes = 8;

    double window_s = 0.0;
    std::uint32_t sampling = 1;
    std::uint64_t observed = 0;
    std::uint64_t skipped = 0;
    double total = 0.0;
    std::array<double, 8> version{};
    std::array<double, 8> mode{};
    std::array<double, kPolls> poll{};
    std::array<double, kSizes> size{};
    std::array<double, 4> outcome{};  ///< answered, kissed, limited, dropped
    double ipv6 = 0.0;
    double ntp_port = 0.0;
    double mac = 0.0;
    double nts = 0.0;
    double interleaved = 0.0;
    std::array<double, kPolls>
        measured{};  ///< clients, not rates, by the interval of their requests
};

struct RtcReport {
    UtcTime reference_time;
    std::uint16_t samples = 0;
    std::uint16_t runs = 0;
    std::uint32_t span_s = 0;
    double rtc_fast_s = 0.0;         ///< > 0: the RTC is ahead of the system clock
    double rtc_gain_rate_ppm = 0.0;  ///< > 0: the RTC gains
};

struct SmoothingReport {
    bool active = false;
    bool leap_only = false;
    double offset_s = 0.0;  ///< added to served time; > 0: clients are ahead
    double frequency_ppm = 0.0;
    double wander_ppm_per_s = 0.0;
    double last_update_ago_s = 0.0;
    double remaining_s = 0.0;
};

/// What became of a `settime`.
struct SettimeReport {
    double offset_s = 0.0;  ///< the clock was behind by this; wire: negated
    double frequency_change_ppm = 0.0;
    double frequency_ppm = 0.0;
};

struct ManualSample {
    UtcTime at;
    double slewed_offset_s = 0.0;    ///< wire: negated
    double original_offset_s = 0.0;  ///< wire: negated
    double residual_s = 0.0;         ///< of the regression; wire: negated
};

/// Only the first `kMaxManualSamples` travel.
struct ManualReport {
    std::vector<ManualSample> samples;
};

/// Polled ports are reported in parts that fit into replies.
enum class DataplanePart : std::uint32_t {
    Port = 0,
    Worker = 1,
    Drops = 2,  ///< of one worker, from number `first` on
};

/// A polled port, without its workers.
struct DataplanePort {
    std::string device;    ///< as configured, at most 63 characters
    std::string driver;    ///< at most 31
    std::string offloads;  ///< in words, at most 127
    DataplaneMode mode = DataplaneMode::Shared;
    PortHealth health = PortHealth::Starting;
    bool link_up = false;
    bool serving = false;       ///< the port does, and not the kernel
    bool kernel_under = false;  ///< the kernel can serve in its place
    std::uint32_t link_speed_mbps = 0;
    std::uint64_t hardware_missed = 0;
    std::uint64_t no_buffers = 0;
    std::uint64_t to_kernel_lost = 0;
    std::uint64_t takeovers = 0;
    double queueing_s = 0.0;
};

/// One thread of a port; see DataplaneWorkerReport for the meaning.
struct DataplaneWorker {
    std::uint32_t queue = 0;
    std::int32_t core = -1;
    std::uint64_t polls = 0;
    std::uint64_t empty_polls = 0;
    std::uint64_t rx_frames = 0;
    std::uint64_t tx_frames = 0;
    std::uint64_t tx_failed = 0;
    std::uint64_t replies = 0;
    std::uint64_t neighbour = 0;
    std::uint64_t to_kernel = 0;
    std::uint64_t forwarded = 0;
    std::uint64_t forward_lost = 0;
    std::array<std::uint64_t, 3> rx_stamps{};  ///< daemon, kernel, hardware
    std::uint64_t tx_stamps = 0;
    std::uint64_t tx_stamps_missed = 0;
    double cycles_per_packet = 0.0;
    double busy_share = 0.0;
    double mean_burst = 0.0;
    std::array<std::uint64_t, kLatencyBuckets> latency_log2_ns{};
};

struct DataplaneDrop {
    std::string reason;  ///< at most 23 characters
    std::uint64_t count = 0;
};

/// One part of the state of the polled ports: only the member that `part` names travels.
struct DataplaneReport {
    DataplanePart part = DataplanePart::Port;
    std::uint32_t ports = 0;    ///< how many there are
    std::uint32_t workers = 0;  ///< of this port
    std::uint32_t drops = 0;    ///< reasons of this worker
    DataplanePort port;
    DataplaneWorker worker;
    std::vector<DataplaneDrop> dropped;  ///< at most kMaxDropsPerReply, from `first` on
};

struct SourceCountReport {
    std::uint32_t count = 0;
};

struct SourceNameReport {
    std::string name;  ///< as configured
};

}  // namespace gnomon::command
