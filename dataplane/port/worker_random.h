#pragma once

/// xoshiro256** (Blackman and Vigna, 2018): enough for bits below the resolution of a stamp and for
/// choosing which refused request is answered after all.

#include <array>
#include <cstdint>

#include "servo/units/random_source.h"

namespace gnomon {

class WorkerRandom final : public RandomSource {
public:
    explicit WorkerRandom(RandomSource& seed) {
        for (std::uint64_t& word : state_) word = seed.next();
        state_[0] |= 1;  // all zero is the one forbidden state
    }
    std::uint64_t next() override {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace gnomon
