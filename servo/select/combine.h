#pragma once

/// Combining the estimates of several good sources into one.
///
/// Offsets are weighted by 1/root distance: what separates good sources is mostly the asymmetry of
/// their paths, which no statistics show and the distance bounds (a weight by statistical variance
/// would trust a quiet but asymmetric source most). Frequencies have no such bias; they are weighted
/// by 1/variance. The standard deviation of the offset includes how far the sources are apart.

#include <span>

#include "servo/filter/estimator.h"

namespace gnomon {

struct CombineInput {
    Estimate estimate;             ///< at any time; carried to the common instant
    double skew = 0.0;             ///< s/s, > 0
    double root_distance_s = 0.0;  ///< > 0
};

struct Combined {
    Estimate estimate;  ///< at `at`
    double skew = 0.0;
};

/// `inputs[0]` is the selected source; a single input is returned unchanged (but for the time).
/// Distances, deviations and skews of zero are treated as tiny.
Combined combine(std::span<const CombineInput> inputs, UtcTime at) noexcept;

}  // namespace gnomon
