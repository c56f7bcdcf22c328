#pragma once

/// `WanderBelief`: what the measurements of one source have shown of the wander of our oscillator, as
/// a likelihood over a fixed grid. The oscillator is one and the sources are many, so every source's
/// bank of filters hears what the others have found: a noisy source, which sees little of the
/// oscillator itself, then knows how fast to follow it.
///
/// The product of likelihoods would count the same stretch of wander once per source, and the server's
/// own wander as ours: so what others say counts half, and rules nothing out.

#include <algorithm>
#include <array>

namespace gnomon {

struct WanderBelief {
    static constexpr int kWanders = 9;
    /// How much of what others say is believed.
    static constexpr double kShare = 0.5;
    /// The most by which others can set back a wander, nepers: a factor of 150.
    static constexpr double kMost = 5.0;

    /// Log-likelihood of the wanders of `EmgConfig`'s grid, the best one's is 0.
    std::array<double, kWanders> log_likelihood{};

    void add(const WanderBelief& other) noexcept {
        for (int i = 0; i < kWanders; ++i) log_likelihood[i] += other.log_likelihood[i];
        level();
    }
    /// As it is told to another source.
    WanderBelief tempered() const noexcept {
        WanderBelief told = *this;
        for (double& l : told.log_likelihood) l = std::max(kShare * l, -kMost);
        return told;
    }
    /// Moves the best to 0.
    void level() noexcept {
        const double best = *std::max_element(log_likelihood.begin(), log_likelihood.end());
        for (double& l : log_likelihood) l -= best;
    }
};

}  // namespace gnomon
