#pragma once

/// `OscillatorTrial`: how much of what two oscillators drift apart is the fault of the first, judged by
/// a source of time that knows neither.
///
/// A machine with a clock in its network interface has two oscillators: the one that its system clock
/// runs on and that of the interface. Their difference is known well, a reading a second to some
/// nanoseconds, but not which of them wanders. A source tells, noisily, of both. Let a = source − system
/// clock (free-running: without our corrections), b = source − other clock, and a″, b″ their second
/// differences over m samples, which removes offsets and frequencies:
///
///     a″ = n + w₁,   b″ = n + w₂,   g = a″ − b″ = w₁ − w₂
///
/// n is the noise of the source, the same in both; w₁ and w₂ are what the oscillators wander. g has no n
/// in it. For independent oscillators E[a″ g] = σ₁² and E[g²] = σ₁² + σ₂², so the regression of a″ on g,
///
///     s = E[a″ g] / E[g²] = σ₁² / (σ₁² + σ₂²)
///
/// is the share of the first in their common wander, and also the weight of the *second* in the best
/// time scale that the two can make together (weights inverse to variances; the ensemble of two clocks,
/// Jones & Tryon, J. Res. NBS 88, 1983): a system clock that is corrected by s times what it was seen to
/// wander against the other has the smallest wander, σ₁σ₂/√(σ₁² + σ₂²), smaller than that of either.
/// Noise of comparing the clocks inflates E[g²] and makes s smaller: on the safe side.
///
/// The regression is kept for m = 2ᵏ with exponential forgetting, and the residual says how uncertain s
/// is. The weight is s less some of these deviations, and zero until the evidence is clear: a source
/// that is too noisy to judge leaves the clock alone, and a clock of the interface that somebody steers,
/// or that is worse, is found out.
///
/// Pure; bounded memory; one thread; never throws. Allocates in the constructor only.

#include <array>
#include <cstddef>
#include <vector>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

class OscillatorTrial {
public:
    OscillatorTrial();

    /// `first_s`: a, `other_s`: b, of one measurement at `at`. Times not after the last one are ignored,
    /// and a long pause begins anew.
    void add(UtcTime at, double first_s, double other_s) noexcept;
    /// The NTP clock, which a refers to, was adjusted; b does not change.
    void adjust(const ClockAdjustment& adjustment) noexcept;
    void reset() noexcept;
    /// Another source from here on: what was learned of the oscillators stays.
    void change_source() noexcept { count_ = 0; }

    /// Weight of the other oscillator, 0…1; 0 while the first shall run alone.
    double weight() const noexcept { return weight_; }

private:
    static constexpr std::size_t kFirstLag = 3;  ///< m from 2³
    static constexpr std::size_t kLags = 7;      ///< to 2⁹
    static constexpr std::size_t kSize = (std::size_t{2} << (kFirstLag + kLags - 1)) + 1;

    struct Sample {
        UtcTime at;
        double first_s = 0.0;
        double other_s = 0.0;
    };
    struct Moments {
        double aa = 0.0, ag = 0.0, gg = 0.0;
        double count = 0.0;
    };
    const Sample& back(std::size_t n) const noexcept;
    void learn(std::size_t lag, Moments& moments) noexcept;
    void weigh() noexcept;

    std::vector<Sample> ring_;
    std::size_t count_ = 0;  ///< stored
    std::size_t next_ = 0;
    std::array<Moments, kLags> moments_{};
    double weight_ = 0.0;
};

}  // namespace gnomon
