#pragma once

#include <vector>

#include "tests/bench/accuracy/world.h"

namespace gnomon::bench {

/// The grid of jitter, wander and poll interval, group "grid", followed by the rows that test
/// robustness, group "robust", and those with unequal ways that bias every filter, "asymmetric".
std::vector<Cell> all_cells();

}  // namespace gnomon::bench
