#pragma once

#include <vector>

#include "tests/bench/accuracy/world.h"

namespace gnomon::bench {

/// The grid of jitter, wander and poll interval, group "grid", followed by the rows that test
/// robustness, group "robust", and the starts, group "known loss" for those reported as limits.
std::vector<Cell> all_cells();

}  // namespace gnomon::bench
