#pragma once

/// `RandomSource`: where pure code gets its random numbers from. The daemon passes one over the
/// kernel's generator, tests pass a seeded one.

#include <cstdint>

namespace gnomon {

class RandomSource {
public:
    virtual ~RandomSource() = default;

    /// 64 random bits. What goes onto the network relies on them being unpredictable.
    virtual std::uint64_t next() = 0;

    /// Uniform in [0, 1).
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
};

}  // namespace gnomon
