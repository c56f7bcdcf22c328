#pragma once

/// `TimerQueue`: the engine's timers on the monotonic clock. Pure: time comes in with every call.
///
/// Timers of one *class* keep a minimum separation among each other, so that requests to different
/// sources do not leave in a bunch and delay each other (chrony: 0.2 s, less for short polls).

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "mgmt/engine/services.h"
#include "servo/units/duration.h"
#include "servo/units/random_source.h"
#include "servo/units/time_point.h"

namespace gnomon {

enum class TimerClass : std::uint8_t { NtpClient, NtpPeer, NtpBroadcast, Count };

class TimerQueue {
public:
    using TimerId = std::uint64_t;
    static constexpr TimerId kNone = 0;
    using Callback = std::function<void(const Now&)>;

    explicit TimerQueue(RandomSource& random) : random_(random) {}

    TimerId add(MonoTime when, Callback callback);

    /// In a class: after `delay` stretched at random by up to `randomness` (0.02: 2 %), and as much
    /// later as it takes to stay `separation` away from the class's other timers and its last run.
    struct Spacing {
        TimerClass timer_class = TimerClass::NtpClient;
        Duration separation;
        double randomness = 0.0;
    };
    TimerId add_spaced(const Now& now, Duration delay, const Spacing& spacing, Callback callback);

    /// Unknown, run or kNone: nothing happens. Sets `id` to kNone.
    void cancel(TimerId& id);

    bool is_pending(TimerId id) const { return by_id_.count(id) != 0; }
    /// When `run` has to be called next; `max()` when there is nothing to wait for.
    MonoTime next() const;
    /// Runs what is due. A callback may add and cancel timers; those it adds run in a later call,
    /// even when they are due at once, so that a mistake in a delay cannot lock the loop up.
    void run(const Now& now);

private:
    struct Entry {
        TimerId id;
        Callback callback;
        TimerClass timer_class;  ///< Count: none
    };
    using Queue = std::multimap<MonoTime, Entry>;

    TimerId insert(MonoTime when, Callback callback, TimerClass timer_class);

    RandomSource& random_;
    Queue queue_;
    std::unordered_map<TimerId, Queue::iterator> by_id_;
    std::array<MonoTime, static_cast<std::size_t>(TimerClass::Count)> last_run_{};
    TimerId last_id_ = kNone;
};

}  // namespace gnomon
