#include "servo/filter/oscillator_trial.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

/// Memory in independent intervals of a lag, and how many make a judgement.
constexpr double kMemory = 32.0;
constexpr double kLeastIntervals = 4.0;
/// The share that is proved by so many deviations has to exceed the first to begin and the second to go
/// on.
constexpr double kDeviations = 2.5;
constexpr double kBegin = 0.3;
constexpr double kEnd = 0.1;
/// A pause of more than this times the interval before it.
constexpr double kLongPause = 16.0;
/// Unequal halves of a second difference magnify noise.
constexpr double kMostUnequal = 2.0;

}  // namespace

OscillatorTrial::OscillatorTrial() : ring_(kSize) {}

void OscillatorTrial::reset() noexcept {
    count_ = 0;
    next_ = 0;
    moments_.fill(Moments{});
    weight_ = 0.0;
}

const OscillatorTrial::Sample& OscillatorTrial::back(std::size_t n) const noexcept {
    return ring_[(next_ + 2 * kSize - 1 - n) % kSize];
}

void OscillatorTrial::add(UtcTime at, double first_s, double other_s) noexcept {
    if (!std::isfinite(first_s) || !std::isfinite(other_s)) return;
    if (count_ > 0 && at <= back(0).at) return;
    if (count_ > 1) {
        const double usual_s = (back(0).at - back(1).at).to_seconds();
        if ((at - back(0).at).to_seconds() > kLongPause * usual_s) {
            // What was learned of the oscillators remains true.
            count_ = 0;
        }
    }
    ring_[next_] = Sample{at, first_s, other_s};
    next_ = (next_ + 1) % kSize;
    count_ = std::min(count_ + 1, kSize);
    for (std::size_t k = 0; k < kLags; ++k) learn(std::size_t{1} << (kFirstLag + k), moments_[k]);
    weigh();
}

void OscillatorTrial::learn(std::size_t lag, Moments& moments) noexcept {
    if (count_ <= 2 * lag) return;
    const Sample& newest = back(0);
    const Sample& middle = back(lag);
    const Sample& oldest = back(2 * lag);
    const double late_s = (newest.at - middle.at).to_seconds();
    const double early_s = (middle.at - oldest.at).to_seconds();
    if (!(early_s > 0.0) || late_s > kMostUnequal * early_s || early_s > kMostUnequal * late_s) {
        return;
    }
    // A second difference for unequal intervals: exactly zero for a straight line.
    const double ratio = late_s / early_s;
    const double a = newest.first_s - middle.first_s - ratio * (middle.first_s - oldest.first_s);
    const double b = newest.other_s - middle.other_s - ratio * (middle.other_s - oldest.other_s);
    const double g = a - b;
    moments.count += 1.0;
    const double gain = 1.0 / std::min(moments.count, kMemory * static_cast<double>(lag));
    moments.aa += gain * (a * a - moments.aa);
    moments.ag += gain * (a * g - moments.ag);
    moments.gg += gain * (g * g - moments.gg);
}

void OscillatorTrial::weigh() noexcept {
    double proved = -1.0;
    double best = 0.0;
    for (std::size_t k = 0; k < kLags; ++k) {
        const Moments& m = moments_[k];
        const double lag = static_cast<double>(std::size_t{1} << (kFirstLag + k));
        // Neighbouring second differences share their samples.
        const double intervals = std::min(m.count / lag, kMemory);
        if (intervals < kLeastIntervals || !(m.gg > 0.0)) continue;
        const double share = m.ag / m.gg;
        const double residual = std::max(m.aa - share * m.ag, 0.0);
        const double deviation = std::sqrt(residual / (m.gg * intervals));
        if (share - kDeviations * deviation > proved) {
            proved = share - kDeviations * deviation;
            best = share - deviation;
        }
    }
    const bool begun = weight_ > 0.0;
    weight_ = proved > (begun ? kEnd : kBegin) ? std::clamp(best, 0.0, 1.0) : 0.0;
}

void OscillatorTrial::adjust(const ClockAdjustment& adjustment) noexcept {
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        count_ = 0;
        return;
    }
    for (std::size_t n = 0; n < count_; ++n) {
        Sample& sample = ring_[(next_ + 2 * kSize - 1 - n) % kSize];
        const double age_s = (adjustment.at - sample.at).to_seconds();
        sample.first_s -= adjustment.offset_change_s - age_s * adjustment.frequency_change;
        sample.at += adjustment.shift(sample.at);
    }
}

}  // namespace gnomon
