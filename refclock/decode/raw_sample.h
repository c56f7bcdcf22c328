#pragma once

/// What a reference clock says, before anybody knows what the clock made of it: readings of the
/// system clock as it was, not yet on the NTP clock.

#include <cstdint>

#include "servo/units/duration.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct RawRefclockSample {
    enum class Kind : std::uint8_t {
        Time,   ///< `offset` is the whole difference of reference and system clock
        Pulse,  ///< a second began: of `offset` only the part below a second means anything
    };
    Kind kind = Kind::Time;
    SystemTime at;    ///< system time of the reading or of the pulse
    Duration offset;  ///< reference − system clock at that instant; > 0: the clock is behind
    Leap leap = Leap::Normal;
    /// What reading added to the uncertainty (half the time a PHC took to answer), s.
    double error_s = 0.0;
    /// Variance of `offset` by the scatter of the readings that it was made of, s²; 0: unknown.
    double variance_s2 = 0.0;
    /// False: the clock is alive, but this reading is too poor to be used.
    bool usable = true;
};

/// Of a pulse that the system clock stamped `at`: it read that much too little or too much.
constexpr RawRefclockSample pulse_at(SystemTime at) noexcept {
    RawRefclockSample sample;
    sample.kind = RawRefclockSample::Kind::Pulse;
    sample.at = at;
    sample.offset =
        -(at.since_epoch() - Duration::from_s(1) * (at.ns() / Duration::from_s(1).ns()));
    return sample;
}

/// Whether times are such that NTP can be told of them: 1970 to about 2200, offsets below an era.
constexpr bool is_sane(const RawRefclockSample& sample) noexcept {
    constexpr Duration kLatest = Duration::from_s(7'258'118'400);
    constexpr Duration kEra = Duration::from_s(4'294'967'296);
    const Duration reference = sample.at.since_epoch() + sample.offset;
    return sample.at.since_epoch() > Duration::zero() && sample.at.since_epoch() < kLatest &&
           reference > Duration::zero() && reference < kLatest && abs(sample.offset) < kEra;
}

}  // namespace gnomon
