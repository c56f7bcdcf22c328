#pragma once

/// Served time never runs backwards.
///
/// A correction of the NTP clock takes effect at once, in either direction; what we measure by must do
/// so. A client that asks twice around a backward correction would then see time run back. So what is
/// *served* keeps the old reading and runs at half speed until the NTP clock has caught up: for a
/// correction of x that takes 2x. Nothing is lost by it, because for that long the served time is no
/// more wrong than it was before the correction; the rest still to be worked off is added to the
/// advertised dispersion.

#include "servo/units/server_state.h"

namespace gnomon {

/// Corrections beyond this are served at once: whoever was a second wrong has lost the argument about
/// monotony, and holding would keep clients wrong for seconds.
inline constexpr Duration kMaxServedLead = Duration::from_s(1);

/// The line to serve from system time `at` on. `before`: the line served until now; `clock`: the NTP
/// clock's line in force from `at` on (without a lead).
ClockLine keep_monotone(const ClockLine& before, const ClockLine& clock, SystemTime at) noexcept;

}  // namespace gnomon
