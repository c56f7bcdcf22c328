#pragma once

/// A `refclock` line as values (REF-01 … REF-31).

#include <cstdint>
#include <optional>
#include <string>

#include "servo/units/ntp_types.h"

namespace gnomon {

enum class RefclockKind : std::uint8_t { Pps, Shm, Sock, Phc, Rtc };

/// "PPS", "SHM", …
const char* to_string(RefclockKind kind) noexcept;

/// DRIVER PARAMETER[:option[=value]]…
struct RefclockDevice {
    RefclockKind kind = RefclockKind::Shm;
    std::string path;              ///< device, socket or network interface; not SHM's
    int unit = 0;                  ///< SHM: the key of the segment is 0x4e545030 + unit
    std::uint32_t mode = 0600;     ///< SHM `perm`: of a segment that we create
    bool clear_edge = false;       ///< PPS, PHC `clear`: falling edges
    bool cross_timestamps = true;  ///< PHC, cleared by `nocrossts`
    bool external_pps = false;     ///< PHC `extpps`: stamps of an input pin
    int pin = 0;                   ///< PHC; < 0: the pin's function is left as it is
    int channel = 0;               ///< PHC

    friend bool operator==(const RefclockDevice&, const RefclockDevice&) = default;
};

/// Polls are exponents of two, in seconds. Offsets have the sign of everything here: positive when
/// the local clock is behind.
struct RefclockOptions {
    int poll_log2_s = 4;         ///< −7…24
    int driver_poll_log2_s = 0;  ///< −7…24; never above `poll_log2_s`
    RefId ref_id;                ///< 0: from driver and position
    RefId lock;                  ///< 0: none
    int rate_hz = 1;             ///< ≥ 1
    int max_lock_age_pulses = 2;
    double pulse_width_s = 0.0;  ///< 0: not checked
    bool pps = false;
    double offset_s = 0.0;
    double delay_s = 1e-9;
    int stratum = 0;                ///< 0…15
    double precision_s = 0.0;       ///< 0: that of the system clock
    double max_dispersion_s = 0.0;  ///< 0: no limit
    int filter_samples = 64;        ///< 1…256
    bool prefer = false;
    bool no_select = false;
    bool trust = false;
    bool require = false;
    bool tai = false;
    bool local = false;
    std::optional<int> min_samples;  ///< unset: the global value
    std::optional<int> max_samples;
    int max_unreach_polls = 100000;

    friend bool operator==(const RefclockOptions&, const RefclockOptions&) = default;
};

struct RefclockConfig {
    RefclockDevice device;
    RefclockOptions options;

    friend bool operator==(const RefclockConfig&, const RefclockConfig&) = default;
};

}  // namespace gnomon
