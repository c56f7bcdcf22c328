#include "dataplane/proto/poll_control.h"

#include <algorithm>
#include <cmath>

namespace gnomon {
namespace {

bool is_in_range(int poll) noexcept { return poll >= kMinPoll && poll <= kMaxPoll; }

int clamp_limit(int poll, int fallback) noexcept {
    return poll < kMinPoll ? fallback : std::min(poll, kMaxPoll);
}

}  // namespace

PollControl::PollControl(int min_poll, int max_poll, int target_samples) noexcept
    : min_poll_(clamp_limit(min_poll, kDefaultMinPoll)),
      max_poll_(std::max(clamp_limit(max_poll, kDefaultMaxPoll), min_poll_)),
      target_(std::max(target_samples, 1)),
      poll_(std::max(min_poll_, kMinPollBeyondLan)) {}

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

bool PollControl::reset() noexcept {
    score_ = 0.0;
    if (poll_ == min_poll_) return false;
    poll_ = min_poll_;
    return true;
}

void PollControl::add(double adjustment, bool lan) noexcept {
    // Bounded by the whole range of exponents, so that the conversion below cannot overflow. The
    // comparison is written so that NaN adds nothing.
    constexpr double kLimit = kMaxPoll - kMinPoll + 1;
    if (!(adjustment >= -kLimit)) adjustment = std::isnan(adjustment) ? 0.0 : -kLimit;
    score_ += std::min(adjustment, kLimit);

    // A score of exactly 1 moves up; below 0 moves down; what is left stays in [0, 1).
    const double whole = std::floor(score_);
    poll_ += static_cast<int>(whole);
    score_ -= whole;

    if (poll_ < min_poll_) {
        poll_ = min_poll_;
        score_ = 0.0;
    } else if (poll_ > max_poll_) {
        poll_ = max_poll_;
        score_ = 1.0;
    }
    if (poll_ < kMinPollBeyondLan && !lan) poll_ = kMinPollBeyondLan;
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

}  // namespace gnomon
