#pragma once

/// Randomness of the simulator: xoshiro256++ (Blackman & Vigna, 2019) and the distributions built
/// on it here, so that a seed means the same run with every compiler and library.

#include <array>
#include <cmath>
#include <cstdint>

#include "servo/units/random_source.h"

namespace gnomon::sim {

class SimRandom final : public RandomSource {
public:
    explicit SimRandom(std::uint64_t seed) noexcept {
        for (auto& word : state_) {
            // splitmix64 spreads a small seed over the whole state.
            seed += 0x9E3779B97F4A7C15ULL;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
            word = z ^ (z >> 31);
        }
    }

    std::uint64_t next() noexcept override {
        const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    /// Open interval (0, 1): safe for logarithms.
    double uniform() noexcept { return (static_cast<double>(next() >> 12) + 0.5) * 0x1p-52; }
    double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
    bool chance(double probability) noexcept { return uniform() < probability; }
    int below(int n) noexcept { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
    /// Log-uniform: each decade as likely as the other.
    double log_uniform(double low, double high) noexcept {
        return low * std::exp(uniform() * std::log(high / low));
    }
    double exponential() noexcept { return -std::log(uniform()); }
    double normal() noexcept {
        return std::sqrt(-2.0 * std::log(uniform())) *
               std::cos(2.0 * 3.14159265358979323846 * uniform());
    }
    /// Erlang: gamma distribution of whole shape, mean 1.
    double gamma(int shape) noexcept {
        double sum = 0.0;
        for (int i = 0; i < shape; ++i) sum += exponential();
        return sum / shape;
    }

private:
    static std::uint64_t rotate(std::uint64_t x, int k) noexcept {
        return (x << k) | (x >> (64 - k));
    }
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace gnomon::sim
