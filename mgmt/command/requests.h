#pragma once

/// Arguments of the commands: plain values, one struct per shape of a request.

#include <cstdint>
#include <string>
#include <variant>

#include "dataplane/wire/address.h"
#include "mgmt/command/reports.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::command {

struct NoArguments {};

/// `mask` and `address` both `Unspecified`: all sources. Mask `Unspecified` with an `Id` address:
/// that source.
struct SourceRange {
    IpAddress mask;
    IpAddress address;
};

struct BurstRequest {
    SourceRange range;
    std::int32_t good_samples = 0;
    std::int32_t total_samples = 0;
};

struct SourceInteger {
    IpAddress address;
    std::int32_t value = 0;
};

struct SourceNumber {
    IpAddress address;
    double value = 0.0;
};

struct NumberArgument {
    double value = 0.0;
};

struct IntegerArgument {
    std::int32_t value = 0;
};

struct AddressArgument {
    IpAddress address;
};

/// `makestep THRESHOLD LIMIT`.
struct MakestepLimits {
    std::int32_t limit = 0;  ///< updates; < 0: always, 0: never
    double threshold_s = 0.0;
};

struct TimeArgument {
    UtcTime time;
};

struct LocalRequest {
    bool enabled = false;
    std::int32_t stratum = 10;
    double distance_s = 1.0;
    bool orphan = false;
    double activate_s = 0.0;
    double wait_synced_s = 0.0;
    double wait_unsynced_s = 0.0;
};

/// `Unspecified` with 0 bits: everybody, IPv4 and IPv6.
struct AccessRule {
    IpAddress address;
    std::int32_t bits = 0;
};

struct ClientRange {
    std::uint32_t first_index = 0;
    std::uint32_t count = 0;
    std::uint32_t min_hits = 0;
    bool reset = false;
    /// Places of the table that are looked at, with or without a client; does not travel.
    std::uint32_t max_places = 0xffff'ffff;
};

struct DataplaneQuery {
    DataplanePart part = DataplanePart::Port;
    std::uint32_t port = 0;
    std::uint32_t worker = 0;
    std::uint32_t first = 0;
};

/// A source by address, or by `ref_id` when the address is `Unspecified`.
struct SelectOptionsRequest {
    IpAddress address;
    RefId ref_id;
    SelectOptions mask;  ///< which options change
    SelectOptions options;
};

/// As above; the correction of the `offset` option of server and refclock: added to the measured
/// offset, so its sign is that of the configuration file.
struct SourceOffsetRequest {
    IpAddress address;
    RefId ref_id;
    double offset_s = 0.0;
};

/// `capture start`. Limits of 0 are the default for size and time, and none for packets.
struct CaptureRequest {
    std::string file;  ///< at most 255 characters
    std::string port;  ///< at most 63 characters; empty: all
    std::uint32_t limit_mb = 0;
    std::uint32_t limit_s = 0;
    std::uint32_t limit_packets = 0;
};

enum class SourceKind : std::uint32_t { Server = 1, Peer = 2, Pool = 3 };

/// `add server|peer|pool`; meaning, units and defaults as in the configuration file.
struct AddSourceRequest {
    SourceKind kind = SourceKind::Server;
    std::string name;  ///< host name or address, at most 255 characters
    std::uint32_t port = 123;
    std::int32_t minpoll = 6;
    std::int32_t maxpoll = 10;
    std::int32_t presend_minpoll = 100;
    std::uint32_t min_stratum = 0;
    std::uint32_t poll_target = 8;
    std::uint32_t version = 0;  ///< 0: the daemon's choice
    std::uint32_t max_sources = 4;
    std::int32_t min_samples = -1;  ///< −1: the daemon's default; likewise below
    std::int32_t max_samples = -1;
    std::uint32_t key_id = 0;  ///< 0: none
    std::uint32_t nts_port = 4460;
    double max_delay_s = 3.0;
    double max_delay_ratio = 0.0;
    double max_delay_dev_ratio = 10.0;
    double max_delay_quantile = 0.0;
    double min_delay_s = 0.0;
    double asymmetry = 1.0;
    double offset_s = 0.0;
    std::int32_t filter_length = 0;
    std::uint32_t cert_set = 0;
    std::int32_t max_unreach = 100000;
    SelectOptions select;
    bool online = true;
    bool auto_offline = false;
    bool iburst = false;
    bool burst = false;
    bool interleaved = false;
    bool nts = false;
    bool copy = false;
    bool ef_exp_mono_root = false;
    bool ef_net_correction = false;
    bool ipv4_only = false;
    bool ipv6_only = false;
};

using RequestBody =
    std::variant<NoArguments, SourceRange, BurstRequest, SourceInteger, SourceNumber,
                 NumberArgument, IntegerArgument, AddressArgument, MakestepLimits, TimeArgument,
                 LocalRequest, AccessRule, ClientRange, SelectOptionsRequest, SourceOffsetRequest,
                 AddSourceRequest, CaptureRequest, DataplaneQuery>;

}  // namespace gnomon::command
