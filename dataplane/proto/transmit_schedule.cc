#include "dataplane/proto/transmit_schedule.h"

#include <algorithm>

namespace gnomon {

TransmitSchedule::Slot TransmitSchedule::add() { return next_slot_++; }

void TransmitSchedule::remove(Slot slot) noexcept { cancel(slot); }

MonoTime TransmitSchedule::place(Slot slot, MonoTime now, Duration delay, Duration separation) {
    cancel(slot);
    MonoTime at = now + delay;
    if (last_dispatch_ && at - *last_dispatch_ < separation) at = *last_dispatch_ + separation;
    // In the order of time: once moved behind an entry, `at` only has to clear the later ones.
    for (const Entry& entry : entries_) {
        if (abs(entry.at - at) < separation) at = entry.at + separation;
    }
    const auto position =
        std::upper_bound(entries_.begin(), entries_.end(), at,
                         [](MonoTime time, const Entry& entry) { return time < entry.at; });
    entries_.insert(position, Entry{slot, at});
    return at;
}

void TransmitSchedule::cancel(Slot slot) noexcept {
    const auto is_slot = [slot](const Entry& entry) { return entry.slot == slot; };
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(), is_slot), entries_.end());
}

void TransmitSchedule::dispatched(Slot slot, MonoTime now) noexcept {
    cancel(slot);
    last_dispatch_ = now;
}

}  // namespace gnomon
