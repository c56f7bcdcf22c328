#include "servo/discipline/served_line.h"

namespace gnomon {

ClockLine keep_monotone(const ClockLine& before, const ClockLine& clock, SystemTime at) noexcept {
    const Duration lead = before.to_utc(at) - clock.to_utc(at);
    if (lead <= Duration::zero() || lead > kMaxServedLead) return clock;
    // The lead counts from the line's epoch: move the epoch to here, the line stays the same.
    ClockLine served = clock;
    served.offset = clock.to_utc(at).since_epoch() - at.since_epoch();
    served.epoch = at;
    served.lead = lead;
    return served;
}

}  // namespace gnomon
