#include "dataplane/proto/peer_delay_quantile.h"

#include <algorithm>

namespace gnomon {
namespace {

// A step may shrink this far below zero, in units of the finest step: that many agreeing values it
// then takes until the estimate moves by more than the finest step.
constexpr double kLargeStepDelay = 100.0;

}  // namespace

PeerDelayQuantile::PeerDelayQuantile(double quantile, double min_step_s) noexcept
    : quantile_(quantile), min_step_s_(min_step_s) {}

void PeerDelayQuantile::reset() noexcept {
    empty_ = true;
    estimates_.fill(Estimate{});
}

void PeerDelayQuantile::add(double delay_s, RandomSource& random) {
    if (empty_) {
        estimates_.fill(Estimate{delay_s, 0.0, 1});
        empty_ = false;
        return;
    }
    for (Estimate& estimate : estimates_) update(estimate, delay_s, random.uniform());
}

void PeerDelayQuantile::update(Estimate& estimate, double delay_s, double chance) const noexcept {
    // Up with probability q when the value is above, down with 1 − q when it is below: the estimate
    // rests where both happen equally often.
    const bool above = delay_s >= estimate.value_s;
    if (chance >= (above ? quantile_ : 1.0 - quantile_)) return;
    const int direction = above ? 1 : -1;
    const bool same = estimate.direction == direction;
    estimate.step_s += same ? min_step_s_ : -min_step_s_;
    estimate.value_s += direction * std::max(estimate.step_s, min_step_s_);
    const double overshoot_s = direction * (estimate.value_s - delay_s);
    if (overshoot_s > 0.0) {
        estimate.step_s -= overshoot_s;
        // Just beyond the value, so that an equal one counts as being on the other side.
        estimate.value_s = delay_s + direction * min_step_s_ / 4.0;
    }
    if (!same) estimate.step_s = std::min(estimate.step_s, min_step_s_);
    estimate.step_s = std::max(estimate.step_s, -kLargeStepDelay * min_step_s_);
    estimate.direction = direction;
}

double PeerDelayQuantile::value() const noexcept {
    std::array<double, 7> values;
    std::transform(estimates_.begin(), estimates_.end(), values.begin(),
                   [](const Estimate& estimate) { return estimate.value_s; });
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

}  // namespace gnomon
