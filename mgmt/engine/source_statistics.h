#pragma once

/// The row of statistics.log that a source gets with every sample.

#include <optional>

#include "mgmt/engine/events.h"
#include "mgmt/engine/selectable_source.h"

namespace gnomon {

/// Empty while there is no line through the samples.
std::optional<StatisticsRecord> statistics_record(const SelectableSource& source);

}  // namespace gnomon
