#pragma once

/// `DelayQuantile`: a long-term estimate of a quantile of the peer delay in constant memory; option
/// `maxdelayquant` accepts only exchanges with a delay up to it (SOP-12, replaces test C).
///
/// In servo/units because the association (dataplane) uses it, and it is plain arithmetic.
///
/// Method: stochastic approximation in the manner of "frugal streaming" (Ma, Muthukrishnan, Sandler
/// 2013). A value above the estimate pulls it up with probability p, one below pulls it down with
/// probability 1 − p, so that it rests where a share p of all values is below. The step grows while
/// moves go one way and shrinks when they alternate. Several independent walkers run side by side
/// and their median is the answer. Randomness is a generator seeded by the caller: deterministic.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

namespace gnomon {

class DelayQuantile {
public:
    /// `quantile` is clamped to 0.05…0.95 and rounded to a thousandth.
    explicit DelayQuantile(double quantile, std::uint64_t seed = 1) noexcept
        : p_(std::round(std::clamp(quantile, 0.05, 0.95) * 1000.0) / 1000.0), state_(seed) {}

    /// The delay of any exchange with a synchronised source, also of a refused one, s. Not finite:
    /// ignored.
    void add(double delay_s) noexcept {
        if (!std::isfinite(delay_s)) return;
        if (!started_) {
            started_ = true;
            for (Walker& w : walkers_) w = Walker{delay_s, kMinStep_s, 1};
            return;
        }
        for (Walker& w : walkers_) move(w, delay_s);
    }

    /// Empty until the first delay.
    std::optional<double> value_s() const noexcept {
        if (!started_) return std::nullopt;
        std::array<double, kWalkers> estimates{};
        for (int i = 0; i < kWalkers; ++i) estimates[i] = walkers_[i].estimate_s;
        std::nth_element(estimates.begin(), estimates.begin() + kWalkers / 2, estimates.end());
        return estimates[kWalkers / 2];
    }

    /// Whether an exchange with this delay is good enough. Nothing seen yet: the estimate is 0.
    bool accepts(double delay_s) const noexcept {
        return delay_s <= value_s().value_or(0.0) + kMinStep_s / 2.0;
    }

    void reset() noexcept { started_ = false; }

private:
    static constexpr int kWalkers = 7;
    static constexpr double kMinStep_s = 1e-9;
    /// A step that many times below zero: how long a walker must agree before it runs.
    static constexpr double kMostNegativeStep_s = -1000 * kMinStep_s;

    struct Walker {
        double estimate_s = 0.0;
        double step_s = kMinStep_s;
        int direction = 1;
    };

    /// Uniform in [0, 1): splitmix64.
    double next_uniform() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
    }

    void move(Walker& w, double delay_s) noexcept {
        const int direction = delay_s >= w.estimate_s ? 1 : -1;
        if (next_uniform() >= (direction > 0 ? p_ : 1.0 - p_)) return;
        w.step_s += w.direction == direction ? kMinStep_s : -kMinStep_s;
        w.estimate_s += direction * std::max(w.step_s, kMinStep_s);
        const double overshoot_s = direction * (w.estimate_s - delay_s);
        if (overshoot_s > 0.0) {
            w.step_s -= overshoot_s;
            w.estimate_s = delay_s + direction * kMinStep_s / 4.0;
        }
        if (w.direction != direction) w.step_s = std::min(w.step_s, kMinStep_s);
        w.direction = direction;
        w.step_s = std::max(w.step_s, kMostNegativeStep_s);
    }

    double p_;
    std::uint64_t state_;
    bool started_ = false;
    std::array<Walker, kWalkers> walkers_{};
};

}  // namespace gnomon
