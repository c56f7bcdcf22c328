#pragma once

/// `TransmitSchedule`: keeps the requests of many associations apart in time, so that they do not
/// queue behind each other and spoil each other's delays. One per kind (clients, peers), shared by
/// the associations of that kind; one thread. Without one an association sends when it likes.

#include <cstdint>
#include <optional>
#include <vector>

#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

class TransmitSchedule {
public:
    using Slot = std::uint32_t;

    Slot add();
    void remove(Slot slot) noexcept;

    /// Moves the slot's transmission to the first instant from now + `delay` on that is at least
    /// `separation` away from every other slot's and from the last transmission made.
    MonoTime place(Slot slot, MonoTime now, Duration delay, Duration separation);
    void cancel(Slot slot) noexcept;
    /// The slot transmits now.
    void dispatched(Slot slot, MonoTime now) noexcept;

private:
    struct Entry {
        Slot slot;
        MonoTime at;
    };
    std::vector<Entry> entries_;  // in the order of time
    std::optional<MonoTime> last_dispatch_;
    Slot next_slot_ = 0;
};

}  // namespace gnomon
