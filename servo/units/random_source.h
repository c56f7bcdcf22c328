#pragma once

/// Randomness as an argument: sans-IO code gets it from its owner, so that a seed reproduces a run.

#include <cstdint>

namespace gnomon {

class RandomSource {
public:
    virtual ~RandomSource() = default;
    /// 64 uniform bits. What goes onto the wire needs an unpredictable implementation.
    virtual std::uint64_t next() noexcept = 0;
};

}  // namespace gnomon
