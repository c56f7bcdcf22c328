#pragma once

/// The configuration as typed values: what every directive of the file means, with its default.
///
/// Plain data, filled by parser.h and read by the composition roots. Values are inside the ranges
/// named here: the parser rejects what chrony rejects, and clamps (with a warning) what chrony
/// clamps silently. Units are in the names; `_log2_s` is the exponent of a power of two in seconds.
/// Paths are as written; an empty path means "off" unless said otherwise. IDs such as CLK-03 are
/// those of docs/chrony-compat.md.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/wire/address.h"
#include "mgmt/config/refclock_config.h"
#include "mgmt/config/source_config.h"

namespace gnomon {

/// One `allow`, `deny`, `cmdallow` or `cmddeny` line. Order matters (SRV-03).
struct AccessRule {
    bool allow = true;
    /// Also overrides rules for more specific subnets given before.
    bool all = false;
    /// Family Unspecified: every IPv4 and IPv6 address.
    Subnet subnet;
    /// When not empty: a host name to resolve at start; its first address is meant, `subnet` is
    /// unset.
    std::string host;
};

/// Which sources are good enough, and how they are weighed against each other (SEL, SRC-08/09).
struct SelectionConfig {
    enum class AuthMode : std::uint8_t { Require, Prefer, Mix, Ignore };
    AuthMode auth_mode = AuthMode::Mix;
    double combine_limit = 3.0;  ///< 0: the best source only.
    double max_distance_s = 3.0;
    double max_jitter_s = 1.0;
    int max_stratum = 15;
    int min_stratum = 0;
    int min_sources = 1;
    double reselect_distance_s = 1e-4;
    double stratum_weight_s = 1e-3;
    int max_samples = 0;  ///< 0: as many as the estimator keeps (64).
    int min_samples = 6;
    /// What turns the measurements of a source into an estimate: a name of `make_estimator`
    /// (servo/filter/estimator.h); empty: the default.
    std::string estimator;
    /// Estimators that run beside it and are only compared (`shadow`); names as above.
    std::vector<std::string> shadows;
};

/// Client sockets and names (SRC-06, SRC-10 … SRC-13).
struct ClientConfig {
    std::vector<SourceConfig> sources;  ///< In order of appearance.
    /// One element per `sourcedir` line, each a list of directories (SYN-09). The parser only
    /// records them; parse_sources_dirs() reads them, at start and at every `reload sources`.
    std::vector<std::vector<std::string>> source_dirs;
    /// Unset: a new socket with a random port per request. 0: one permanent socket per family.
    std::optional<std::uint16_t> acquisition_port;
    IpAddress bind_address_v4;  ///< Unspecified: any.
    IpAddress bind_address_v6;
    std::string bind_device;
    int dscp = 0;             ///< 0..63; of all NTP packets, the server's too.
    int refresh_s = 1209600;  ///< 0: names are not resolved again.
};

struct MakeStepConfig {
    double threshold_s = 0.0;
    int limit = 0;  ///< 0: never; < 0: at every update.
};

struct MaxChangeConfig {
    double max_offset_s = 0.0;
    int start_update = -1;  ///< < 0: off. Updates before checking begins.
    int ignore_count = 0;   ///< < 0: never exit.
};

struct SmoothTimeConfig {
    double max_frequency_ppm = 0.0;  ///< 0: off.
    double max_wander_ppm_per_s = 0.0;
    bool leap_only = false;
};

/// `tempcomp` (CLK-14, CLK-15): a sensor, and what its temperature does to the oscillator.
struct TempCompConfig {
    std::string file;  ///< Empty: off.
    double interval_s = 1.0;
    bool learn = false;
    std::string points_file;  ///< Empty: the parabola, ppm.
    double t0 = 0.0;
    double k0 = 0.0;
    double k1 = 0.0;
    double k2 = 0.0;

    friend bool operator==(const TempCompConfig&, const TempCompConfig&) = default;
};

/// The system clock (CLK).
struct ClockConfig {
    enum class LeapMode : std::uint8_t { System, Step, Slew, Ignore };
    double precision_s = 0.0;  ///< 0: measured at start; otherwise 1e-9..1.
    double correction_time_ratio = 3.0;
    std::string drift_file;
    int drift_file_interval_s = 3600;
    int fallback_drift_min_log2_s = 0;  ///< 0: off.
    int fallback_drift_max_log2_s = 0;
    LeapMode leap_mode = LeapMode::System;
    std::string leap_tz;    ///< Time zone with leap seconds, such as right/UTC.
    std::string leap_list;  ///< Path of a leap-seconds.list.
    MakeStepConfig make_step;
    MaxChangeConfig max_change;
    double max_bound_s = 0.1;  ///< Above it the clock is out of spec (`maxbound`).
    double max_clock_error_ppm = 1.0;
    double max_drift_ppm = 100000.0;
    double max_update_skew_ppm = 1000.0;
    double max_slew_rate_ppm = 1e6 / 12.0;
    TempCompConfig temp_comp;
};

/// `local` (SRV-11 … SRV-17): being a reference without sources.
struct LocalConfig {
    bool enabled = false;
    int stratum = 10;  ///< 1..15
    double distance_s = 1.0;
    double activate_s = 0.0;
    bool orphan = false;
    double wait_synced_s = 0.0;
    double wait_unsynced_s = 0.0;  ///< 300 when `orphan` is given without this option.

    friend bool operator==(const LocalConfig&, const LocalConfig&) = default;
};

/// `ratelimit` and its relatives (SRV-19, CMD-06, NTS-15).
struct RateLimitConfig {
    bool enabled = false;
    int interval_log2_s = 3;  ///< -19..12
    int burst = 8;            ///< 1..255
    int leak = 2;             ///< 1..4: one in 2^leak is answered all the same.
    int kod = 0;  ///< 0..4: 0 = no kiss codes; otherwise one drop in 2^kod. `ratelimit` only.

    friend bool operator==(const RateLimitConfig&, const RateLimitConfig&) = default;
};

/// Serving time (SRV).
struct ServerConfig {
    std::vector<AccessRule> access;
    std::uint16_t port = 123;   ///< 0: never serve.
    IpAddress bind_address_v4;  ///< Unspecified: any.
    IpAddress bind_address_v6;
    std::string bind_device;
    std::uint64_t client_log_limit_bytes = 524288;
    bool client_log = true;
    LocalConfig local;
    RateLimitConfig rate_limit;
    SmoothTimeConfig smooth_time;
    std::uint16_t ptp_port = 0;  ///< 0: no NTP over PTP.
    int ptp_domain = 123;        ///< 0..255
    /// Our own `serverthreads`: workers that answer besides the control loop. 0..64.
    int threads = 0;
};

/// Monitoring commands that may be served over UDP (CMD-07); everything else needs the Unix socket.
enum class OpenCommand : std::uint8_t {
    Activity,
    AuthData,
    Clients,
    Dataplane,
    Manual,
    NtpData,
    RtcData,
    SelectData,
    ServerStats,
    Servos,
    Smoothing,
    SourceName,
    Sources,
    SourceStats,
    State,
    Tracking,
};

/// The word of `opencommands` for a command: "sourcestats".
const char* to_string(OpenCommand command) noexcept;

/// Command and monitoring access (CMD).
struct CommandConfig {
    std::vector<AccessRule> access;
    std::uint16_t port = 323;  ///< 0: no UDP.
    IpAddress bind_address_v4 = IpAddress::loopback(IpAddress::Family::V4);
    IpAddress bind_address_v6 = IpAddress::loopback(IpAddress::Family::V6);
    std::string bind_device;
    std::string socket_path;  ///< Unix datagram socket; default by Personality.
    RateLimitConfig rate_limit{.interval_log2_s = -4};
    /// Without duplicates, in the order given.
    std::vector<OpenCommand> open_commands{OpenCommand::Activity,    OpenCommand::Manual,
                                           OpenCommand::RtcData,     OpenCommand::Smoothing,
                                           OpenCommand::SourceName,  OpenCommand::Sources,
                                           OpenCommand::SourceStats, OpenCommand::Tracking};
};

/// One `hwtimestamp` line (MSC-01 … MSC-10).
struct HwTimestampConfig {
    enum class RxFilter : std::uint8_t { Any, None, Ntp, Ptp, All };
    std::string interface;    ///< "*": every capable interface.
    int min_poll_log2_s = 0;  ///< -6..20
    int max_poll_log2_s = 1;  ///< min_poll..20; default min_poll + 1
    int min_samples = 2;      ///< 2..64
    int max_samples = 16;     ///< 2..64
    double precision_s = 100e-9;
    double tx_compensation_s = 0.0;  ///< Added to transmit stamps.
    double rx_compensation_s = 0.0;  ///< Subtracted from receive stamps.
    bool cross_timestamps = true;
    bool follow = true;  ///< The system clock may be stabilised by this clock's oscillator.
    RxFilter rx_filter = RxFilter::Any;  ///< Any: the most specific one that covers NTP.

    friend bool operator==(const HwTimestampConfig&, const HwTimestampConfig&) = default;
};

struct TimestampingConfig {
    std::vector<HwTimestampConfig> interfaces;  ///< In order of appearance.
    double timeout_s = 0.001;                   ///< Wait for a late transmit stamp.
    int max_tx_buffers = 0;                     ///< 0..1048576
};

/// The real-time clock (RTC).
struct RtcConfig {
    bool sync = false;  ///< `rtcsync`: the kernel copies the system clock to it.
    std::string device = "/dev/rtc";
    std::string hwclock_file;
    bool on_utc = false;
};

struct LogConfig {
    bool raw_measurements = false;  ///< Implies `measurements`.
    bool measurements = false;
    bool selection = false;
    bool statistics = false;
    bool tracking = false;
    bool rtc = false;
    bool refclocks = false;
    bool tempcomp = false;
    std::string directory;
    int banner_entries = 32;  ///< 0: no banner.
    double change_threshold_s = 1.0;
};

struct ProcessConfig {
    std::string key_file;
    std::string dump_dir;
    bool manual = false;
    std::string pid_file;  ///< Default by Personality.
    /// Unix socket of the telemetry stream.
    std::string telemetry_socket;
    std::string user;        ///< Default by Personality.
    int sched_priority = 0;  ///< SCHED_FIFO 1..100; 0 = the ordinary scheduler.
    bool lock_memory = false;
};

/// A line as it took effect, for `-p`: words separated by single spaces.
struct EffectiveLine {
    std::string file;
    int line = 0;
    std::string text;
};

struct Config {
    ClientConfig client;
    SelectionConfig selection;
    ClockConfig clock;
    ServerConfig server;
    CommandConfig command;
    TimestampingConfig timestamping;
    std::vector<RefclockConfig> refclocks;  ///< In order of appearance.
    RtcConfig rtc;
    LogConfig log;
    ProcessConfig process;
    DataplaneConfig dataplane;  ///< Our own `dataplane`: ports that are polled past the kernel.
    /// Every directive but include and confdir, in the order in which they were met.
    std::vector<EffectiveLine> effective_lines;
};

/// The name that the program answers to decides on the built-in paths and nothing else.
enum class Personality : std::uint8_t { Gnomon, Chrony };

/// All defaults: those above, plus the pid file, Unix socket and user of `personality` (Debian's
/// paths for chrony).
Config default_config(Personality personality);

}  // namespace gnomon
