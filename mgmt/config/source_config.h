#pragma once

/// A `server`, `pool` or `peer` line as values. Used for the configuration file, for *.sources
/// files and for `add server …` of the CLI, so that all three take exactly the same options
/// (SOP-37).

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/wire/address.h"

namespace gnomon {

enum class SourceKind : std::uint8_t { Server, Pool, Peer };

/// "server", "pool", "peer".
const char* to_string(SourceKind kind) noexcept;

/// Options with chrony's defaults (SOP-01 … SOP-36). Intervals are exponents of two, in seconds.
struct SourceOptions {
    /// V4 or V6: only addresses of this family. Unspecified: either.
    IpAddress::Family family = IpAddress::Family::Unspecified;
    std::uint16_t port = 123;
    int min_poll_log2_s = 6;        ///< -7..24
    int max_poll_log2_s = 10;       ///< min_poll..24
    int presend_poll_log2_s = 100;  ///< > 24: off.
    bool iburst = false;
    bool burst = false;
    bool offline = false;
    bool auto_offline = false;
    int min_stratum = 0;             ///< 0..16; added up to this, not a filter.
    int poll_target = 0;             ///< >= 1; 0: not configured, poll by predicted error
    int version = 0;                 ///< 1..4; 0: 4, or 3 for long keys (SOP-31).
    int max_sources = 4;             ///< 1..16; pools only.
    std::optional<int> min_samples;  ///< Unset: the global value.
    std::optional<int> max_samples;
    int max_unreach_polls = 100000;
    int filter_polls = 0;  ///< 0..256; 0 = no filter
    bool interleaved = false;
    bool copy = false;
    bool prefer = false;
    bool no_select = false;
    bool trust = false;
    bool require = false;
    bool ext_net_correction = false;           ///< Extension field 010A.
    bool ext_mono_root = false;                ///< Experimental extension field F323.
    bool mesh = false;                         ///< Our own: peers compare notes on their paths.
    std::uint32_t key_id = 0;                  ///< 0: no symmetric key.
    double max_delay_s = 3.0;                  ///< 0..1000
    double max_delay_ratio = 0.0;              ///< 0..1e6; 0 = off
    double max_delay_dev_ratio = 10.0;         ///< 0..1e6
    std::optional<double> max_delay_quantile;  ///< 0.05..0.95; replaces max_delay_dev_ratio
    double min_delay_s = 0.0;                  ///< 0: the observed minimum.
    std::optional<double> asymmetry;           ///< -0.5..0.5; unset: estimated.
    double offset_s =
        0.0;  ///< Added to measured offsets (positive: the local clock is behind more).

    friend bool operator==(const SourceOptions&, const SourceOptions&) = default;
};

/// Comparable as a whole: `reload sources` keeps the equal ones and replaces the rest.
struct SourceConfig {
    SourceKind kind = SourceKind::Server;
    std::string name;  ///< Host name or numeric address, 1..255 bytes.
    SourceOptions options;

    friend bool operator==(const SourceConfig&, const SourceConfig&) = default;
};

/// The line that parses to this value; options at their default are left out.
std::string to_line(const SourceConfig& source);

}  // namespace gnomon
