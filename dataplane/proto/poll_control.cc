#include "dataplane/proto/poll_control.h"

#include <algorithm>
#include <cmath>

#include "dataplane/proto/predicted_error.h"

namespace gnomon {
namespace {

bool is_in_range(int poll) noexcept { return poll >= kMinPoll && poll <= kMaxPoll; }

int clamp_limit(int poll, int fallback) noexcept {
    return poll < kMinPoll ? fallback : std::min(poll, kMaxPoll);
}

// An estimator needs so many samples before it knows the noise.
constexpr int kAgeAtStart = 7;
// What is left of attention after a surprise: the interval doubles again every few samples.
constexpr int kAgeAfterSurprise = 16;
constexpr int kMaxAge = 1 << 20;
// How fast the interval may change, in exponents per sample.
constexpr double kMaxShortening = 0.5;
constexpr double kMaxLengthening = 1.0;
constexpr double kDistanceGain = 0.125;

/// With so many samples since attention was paid. An estimate from eight samples is worth little
/// yet; from twenty it doubles after five more.
double lengthening(int age) noexcept {
    constexpr double kEnough = 8.0;
    return std::clamp((age / kEnough - 1.0) / kEnough, 0.0, kMaxLengthening);
}

}  // namespace

PollControl::PollControl(int min_poll, int max_poll, int target_samples) noexcept
    : min_poll_(clamp_limit(min_poll, kDefaultMinPoll)),
      max_poll_(std::max(clamp_limit(max_poll, kDefaultMaxPoll), min_poll_)),
      target_(std::max(target_samples, 1)),
      poll_(std::max(min_poll_, kMinPollBeyondLan)),
      level_(poll_),
      attention_age_(kAgeAtStart) {}

double PollControl::score() const noexcept { return std::clamp(level_ - poll_, 0.0, 1.0); }

bool PollControl::set_min_poll(int min_poll) noexcept {
    if (!is_in_range(min_poll)) return false;
    min_poll_ = min_poll;
    max_poll_ = std::max(max_poll_, min_poll_);
    return true;
}

bool PollControl::set_max_poll(int max_poll) noexcept {
    if (!is_in_range(max_poll)) return false;
    max_poll_ = max_poll;
    min_poll_ = std::min(min_poll_, max_poll_);
    return true;
}

void PollControl::set_target(int samples) noexcept {
    target_ = std::max(samples, 1);
    if (!planning_) return;
    planning_ = false;
    owed_s_ = 0.0;
    level_ = poll_;
}

bool PollControl::reset() noexcept {
    level_ = min_poll_;
    attention_age_ = kAgeAtStart;
    owed_s_ = 0.0;
    if (poll_ == min_poll_) return false;
    poll_ = min_poll_;
    return true;
}

void PollControl::add(double adjustment, bool lan) noexcept {
    // NaN adds nothing.
    if (!std::isnan(adjustment)) level_ += adjustment;
    const double lower = min_poll_;
    level_ = std::clamp(level_, lower, planning_ ? max_poll_ : max_poll_ + 1.0);
    if (planning_) {
        pick();
    } else {
        poll_ = std::min(static_cast<int>(std::floor(level_)), max_poll_);
    }
    if (poll_ < kMinPollBeyondLan && !lan) {
        level_ += kMinPollBeyondLan - poll_;
        poll_ = kMinPollBeyondLan;
    }
}

/// The power of two next to the level that keeps the mean interval.
void PollControl::pick() noexcept {
    const int lower = std::min(static_cast<int>(std::floor(level_)), max_poll_);
    const double short_s = std::ldexp(1.0, lower);
    owed_s_ += std::exp2(level_) - short_s;
    const bool longer = lower < max_poll_ && owed_s_ >= 0.5 * short_s;
    poll_ = longer ? lower + 1 : lower;
    if (longer) owed_s_ -= short_s;
    // What was owed at longer intervals is forgotten.
    owed_s_ = std::clamp(owed_s_, -short_s, short_s);
}

double PollControl::evidence(double prediction_error_s, double distance_s,
                             int samples) const noexcept {
    const double error_s = std::fabs(prediction_error_s);
    if (error_s > distance_s && distance_s > 0.0) {
        // Not even within the distance: the worse the prediction, the faster we ask again.
        return -std::log2(error_s / distance_s);
    }
    const double target = target_;
    const double excess = (samples / target - 1.0) / target;
    // Shortening is made quicker than lengthening.
    return samples < target_ ? 2.0 * excess : excess;
}

void PollControl::plan(const SourceView::Noise& noise, double prediction_error_s, double distance_s,
                       bool lan) noexcept {
    if (!planning_) {
        planning_ = true;
        level_ = std::min(level_, static_cast<double>(max_poll_));
        surprises_ = noise.surprises;
    }
    attention_age_ = std::min(attention_age_ + 1, kMaxAge);
    if (distance_s > 0.0 && std::isfinite(distance_s)) {
        if (mean_distance_s_ == 0.0) mean_distance_s_ = distance_s;
        mean_distance_s_ += kDistanceGain * (distance_s - mean_distance_s_);
    }
    const double error_s = std::fabs(prediction_error_s);
    if (noise.surprises != surprises_) {
        surprises_ = noise.surprises;
        attention_age_ = kAgeAfterSurprise;
        add(min_poll_ - level_, lan);
    } else if (error_s > distance_s && distance_s > 0.0) {
        add(-std::log2(error_s / distance_s), lan);
    } else {
        const double planned = planned_interval_log2(noise, mean_distance_s_, min_poll_, max_poll_);
        add(std::clamp(planned - level_, -kMaxShortening, lengthening(attention_age_)), lan);
    }
}

}  // namespace gnomon
