#pragma once

/// What `gnomond` tells of itself to those who watch it, as values: one snapshot a second, events and
/// measurements as they happen. codec.h turns them into frames and back.
///
/// Signs are ours (mgmt/command/reports.h): offsets > 0 mean that the local clock is behind; frequencies
/// > 0 that it gains.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/command/reports.h"
#include "servo/units/time_point.h"

namespace gnomon::telemetry {

/// Who is talking; the first frame of every connection.
struct Hello {
    std::string program;
    std::string version;
    std::uint32_t pid = 0;
    /// Random, of one run of the daemon: events are told apart by it and their number.
    std::uint64_t instance = 0;
    UtcTime started;
};

/// All that is known of one source. What is missing has not been measured, or does not apply.
struct Source {
    std::string name;  ///< as configured; of a reference clock its reference ID
    command::SourceReport source;
    command::SourceStatsReport stats;
    command::SelectReport select;
    std::optional<command::NtpReport> ntp;
    std::optional<command::AuthReport> auth;
    command::ServosReport servos;
};

/// Counts by power of two: bucket i counts values in [2^(i−1), 2^i) µs, bucket 0 those below 1 µs, the
/// last one everything above.
struct LatencyHistogram {
    static constexpr std::size_t kBuckets = 22;
    std::array<std::uint64_t, kBuckets> counts{};
    std::uint64_t total_ns = 0;
    std::uint64_t count = 0;

    void add(std::int64_t ns) noexcept;
    /// Upper bound of a bucket, s; infinity for the last one.
    static double bound_s(std::size_t bucket) noexcept;
};

/// The control loop: how long its turns took, and how late it woke up for its own deadlines.
struct LoopReport {
    LatencyHistogram busy;
    LatencyHistogram late;
    std::uint64_t longest_busy_ns = 0;  ///< since the last snapshot
    std::uint64_t longest_late_ns = 0;
};

/// A histogram with the upper bounds of chrony_exporter, which are inclusive; the last count is of what
/// is above all of them.
template <std::size_t N>
struct BoundedHistogram {
    std::array<std::uint64_t, N + 1> counts{};
    double sum = 0.0;
};
inline constexpr std::array<double, 9> kClientSecondsBounds{1,    5,    30,    60,   300,
                                                            1800, 3600, 21600, 86400};
inline constexpr std::array<double, 7> kClientDropsBounds{0, 1, 2, 5, 10, 50, 100};

/// The client log in figures. It is read in portions, so it is up to `age` old.
struct ClientsReport {
    static constexpr std::size_t kTalkers = 32;
    std::uint64_t ntp_clients = 0;
    std::uint64_t nts_clients = 0;
    std::uint64_t command_clients = 0;
    BoundedHistogram<kClientSecondsBounds.size()> last_hit_s;
    BoundedHistogram<kClientSecondsBounds.size()> interval_s;
    BoundedHistogram<kClientDropsBounds.size()> drops;
    std::vector<command::ClientAccess> talkers;  ///< with the most NTP packets, largest first
    UtcTime at;
};

/// The stream itself.
struct StreamReport {
    std::uint32_t readers = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t frames_dropped = 0;   ///< a reader had no room
    std::uint64_t readers_dropped = 0;  ///< had none for too long
    std::uint64_t readers_refused = 0;  ///< came when all places were taken
};

struct Snapshot {
    std::uint64_t number = 0;
    UtcTime at;
    MonoTime mono;
    bool steers = true;  ///< else the clock is left alone (-x)
    command::TrackingReport tracking;
    command::StateReport state;
    command::ActivityReport activity;
    command::ServerStatsReport server;
    std::optional<command::RtcReport> rtc;
    std::optional<command::SmoothingReport> smoothing;
    std::vector<Source> sources;
    LoopReport loop;
    std::optional<ClientsReport> clients;
    StreamReport stream;
};

/// Something that is worth a line in the log, or a mark on a graph.
struct Event {
    std::uint64_t number = 0;  ///< 1, 2, … within one run
    UtcTime at;
    std::int8_t severity = 0;  ///< LogSeverity: 0 info, 1 warning, 2 error
    /// state, step, selection, alarm, leap, source, clock, config, log
    std::string kind;
    std::string source;  ///< address or reference ID, where one is concerned
    std::string text;    ///< as in the log
    double value = 0.0;  ///< s, of a step: > 0 forward
};

/// A reply of a source, good or not.
struct Measurement {
    UtcTime at;
    std::string source;
    double offset_s = 0.0;
    double delay_s = 0.0;
    double dispersion_s = 0.0;
    bool valid = false;
};

}  // namespace gnomon::telemetry
