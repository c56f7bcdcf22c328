#pragma once

/// `KernelRandom`: random numbers of the kernel (getrandom), fetched in batches.

#include <array>
#include <cstddef>
#include <cstdint>

#include "servo/units/random_source.h"

namespace gnomon {

class KernelRandom final : public RandomSource {
public:
    /// Ends the program when the kernel has no random numbers: unpredictable transmit timestamps are
    /// what protects a client, and there is no way on without them.
    std::uint64_t next() override;

private:
    void refill();

    std::array<std::uint64_t, 32> buffer_{};
    std::size_t used_ = 32;
};

}  // namespace gnomon
