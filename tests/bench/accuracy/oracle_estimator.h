#pragma once

/// The bank's filter with the true parameters of the simulated world: what adaptation can reach at
/// most. Only for Gaussian and exponential jitter without special effects.

#include "servo/filter/emg/emg_filter.h"
#include "servo/filter/estimator.h"
#include "tests/bench/accuracy/world.h"

namespace gnomon::bench {

class OracleEstimator final : public Estimator {
public:
    explicit OracleEstimator(const Cell& cell) : cell_(cell) {}

    static bool knows(const Cell& cell) {
        return cell.group == "grid" &&
               (cell.jitter == Jitter::Gaussian || cell.jitter == Jitter::Exponential);
    }

    void update(const SampleHistory& history) noexcept override {
        const Sample& sample = history.newest();
        EmgNoise noise;
        const bool gaussian = cell_.jitter == Jitter::Gaussian;
        noise.gauss_s2 = gaussian ? cell_.jitter_s * cell_.jitter_s : 1e-18;
        noise.queue_s = gaussian ? 0.0 : cell_.jitter_s;
        const double half_s = 0.5 * sample.peer_delay_s;
        if (count_ == 0) {
            filter_.start({sample.offset_s, 0.0, half_s}, {10.0 * half_s, 0.1, half_s});
        } else {
            filter_.predict((sample.at - at_).to_seconds(), cell_.wander, 1e-10, 0.0);
        }
        at_ = sample.at;
        nis_ = 0.0;
        const Way first = count_ % 2 == 0 ? Way::Forward : Way::Backward;
        const Way second = count_ % 2 == 0 ? Way::Backward : Way::Forward;
        for (const Way way : {first, second}) {
            const double sign = way == Way::Forward ? 1.0 : -1.0;
            const double observed_s = half_s + sign * sample.offset_s;
            const double v = filter_.innovation(way, observed_s);
            nis_ += v * v / (filter_.innovation_variance(way) + noise.gauss_s2);
            filter_.update(way, observed_s, noise);
        }
        ++count_;
    }

    void adjust(const ClockAdjustment& adjustment) noexcept override {
        const Duration shift = adjustment.shift(at_);
        filter_.adjust(shift.to_seconds(), adjustment.frequency_change);
        at_ += shift;
    }
    void shift_offsets(double offset_s) noexcept override { filter_.shift_offset(offset_s); }
    void reset() noexcept override { count_ = 0; }

    std::optional<Estimate> estimate(UtcTime at) const noexcept override {
        if (count_ == 0) return std::nullopt;
        const auto& p = filter_.covariance();
        const Estimate e{
            at_,    filter_.mean()(0), std::sqrt(p(0, 0)), filter_.mean()(1), std::sqrt(p(1, 1)),
            p(0, 1)};
        return e.at_time(at, cell_.wander);
    }
    const char* name() const noexcept override { return "oracle"; }

    /// Normalised innovations squared of the last exchange, the sum of both ways; in Gaussian noise of
    /// χ² with two degrees of freedom.
    double nis() const noexcept { return nis_; }

private:
    Cell cell_;
    EmgFilter filter_;
    UtcTime at_;
    double nis_ = 0.0;
    int count_ = 0;
};

}  // namespace gnomon::bench
