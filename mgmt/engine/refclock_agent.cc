#include "mgmt/engine/refclock_agent.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

/// Apart from the NTP sources, which are numbered from 1.
constexpr SourceId kFirstId = 0x8000'0000;

}  // namespace

RefclockAgent::RefclockAgent(const Config& config, const Services& services, ClockAgent& clock,
                             SelectionAgent& selection)
    : services_(services), selection_(selection) {
    const RefclockSource::Surroundings around{config, services_, clock, selection, *this};
    for (std::size_t i = 0; i < config.refclocks.size(); ++i) {
        const bool polled = services_.refclocks != nullptr && services_.refclocks->is_polled(i);
        clocks_.push_back(std::make_unique<RefclockSource>(kFirstId + static_cast<SourceId>(i), i,
                                                           config.refclocks[i], polled, around));
    }
}

void RefclockAgent::start(const Now& now) {
    connect_locks();
    for (const auto& clock : clocks_) {
        selection_.add(clock->selectable());
        clock->start(now);
    }
}

void RefclockAgent::connect_locks() {
    using Reason = RefclockProblem::Reason;
    for (const auto& clock : clocks_) {
        const RefclockOptions& options = clock->options();
        if (options.lock == RefId{}) continue;
        const RefclockSource* other = find(options.lock);
        if (other == nullptr || (other == clock.get() && !options.local)) {
            tell(*clock, Reason::InvalidLock, options.lock);
            continue;
        }
        const double age_s = static_cast<double>(options.max_lock_age_pulses) / options.rate_hz;
        if (clock->polled() && other->polled() &&
            age_s < std::ldexp(1.0, other->options().driver_poll_log2_s)) {
            tell(*clock, Reason::LockAgeTooSmall, options.lock);
        }
        clock->set_lock(other);
    }
}

void RefclockAgent::tell(const RefclockSource& clock, RefclockProblem::Reason reason,
                         RefId other) const {
    services_.events.on_event(RefclockProblem{clock.selectable().label, reason, other});
}

Now RefclockAgent::fresh(const Now& now) const {
    return Now{now.mono, std::max(now.system, services_.clock.now())};
}

void RefclockAgent::handle_timeout(const Now& now) {
    for (std::size_t i = 0; i < clocks_.size(); ++i) {
        if (clocks_[i]->next_timeout() > now.mono) continue;
        taken_.clear();
        if (clocks_[i]->polled()) services_.refclocks->poll(i, taken_);
        // Readings of this turn are newer than the time at which it began.
        clocks_[i]->handle_poll(taken_, fresh(now));
    }
}

MonoTime RefclockAgent::next_timeout() const {
    MonoTime next = MonoTime::max();
    for (const auto& clock : clocks_) next = std::min(next, clock->next_timeout());
    return next;
}

void RefclockAgent::handle_samples(std::size_t index, std::span<const RawRefclockSample> samples,
                                   const Now& now) {
    if (index >= clocks_.size()) return;
    for (const RawRefclockSample& sample : samples) {
        clocks_[index]->handle_sample(sample, fresh(now));
    }
}

void RefclockAgent::adjust(const ClockAdjustment& adjustment) {
    for (const auto& clock : clocks_) clock->adjust(adjustment);
}

void RefclockAgent::reset(const Now& now) {
    for (const auto& clock : clocks_) clock->reset(now);
}

RefclockSource* RefclockAgent::find(RefId ref_id) const {
    for (const auto& clock : clocks_) {
        if (clock->options().ref_id == ref_id) return clock.get();
    }
    return nullptr;
}

bool RefclockAgent::is_following_pulses(RefId ref_id) const {
    const RefclockSource* clock = find(ref_id);
    return clock != nullptr && clock->follows_pulses();
}

}  // namespace gnomon
