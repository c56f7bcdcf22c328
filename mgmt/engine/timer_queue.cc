#include "mgmt/engine/timer_queue.h"

#include <utility>

namespace gnomon {

TimerQueue::TimerId TimerQueue::insert(MonoTime when, Callback callback, TimerClass timer_class) {
    const TimerId id = ++last_id_;
    by_id_[id] = queue_.emplace(when, Entry{id, std::move(callback), timer_class});
    return id;
}

TimerQueue::TimerId TimerQueue::add(MonoTime when, Callback callback) {
    return insert(when, std::move(callback), TimerClass::Count);
}

TimerQueue::TimerId TimerQueue::add_spaced(const Now& now, Duration delay, const Spacing& spacing,
                                           Callback callback) {
    double stretch = 1.0;
    if (spacing.randomness > 0.0)
        stretch += static_cast<double>(random_.next() >> 11) * 0x1p-53 * spacing.randomness;
    const Duration separation = Duration::from_seconds(spacing.separation.to_seconds() * stretch);
    MonoTime when = now.mono + Duration::from_seconds(delay.to_seconds() * stretch);

    const MonoTime last = last_run_[static_cast<std::size_t>(spacing.timer_class)];
    if (!last.is_zero() && when < last + separation) when = last + separation;

    // In order of time, so that a timer pushed away from one neighbour is then held against the
    // next.
    for (const auto& [other, entry] : queue_) {
        if (entry.timer_class != spacing.timer_class) continue;
        if (abs(when - other) < separation) when = other + separation;
    }
    return insert(when, std::move(callback), spacing.timer_class);
}

void TimerQueue::cancel(TimerId& id) {
    const auto found = by_id_.find(id);
    if (found != by_id_.end()) {
        queue_.erase(found->second);
        by_id_.erase(found);
    }
    id = kNone;
}

MonoTime TimerQueue::next() const {
    return queue_.empty() ? MonoTime::max() : queue_.begin()->first;
}

void TimerQueue::run(const Now& now) {
    const TimerId newest = last_id_;
    auto it = queue_.begin();
    while (it != queue_.end() && it->first <= now.mono) {
        if (it->second.id > newest) {
            ++it;
            continue;
        }
        Entry entry = std::move(it->second);
        queue_.erase(it);
        by_id_.erase(entry.id);
        if (entry.timer_class != TimerClass::Count) {
            last_run_[static_cast<std::size_t>(entry.timer_class)] = now.mono;
        }
        entry.callback(now);
        // The callback may have changed the queue anywhere.
        it = queue_.begin();
    }
}

}  // namespace gnomon
