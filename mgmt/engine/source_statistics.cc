#include "mgmt/engine/source_statistics.h"

namespace gnomon {

std::optional<StatisticsRecord> statistics_record(const SelectableSource& source) {
    const SourceFilter& filter = source.filter;
    if (!filter.history().has_line()) return std::nullopt;
    const HistoryLine& line = filter.history().line();
    const SourceStatistics statistics = filter.statistics(line.at);
    StatisticsRecord row;
    row.at = line.at;
    row.source = source.label;
    row.stddev_s = line.stddev_s;
    row.offset_s = line.offset_s;
    row.offset_sd_s = line.offset_sd_s;
    row.frequency = line.frequency;
    row.skew = line.skew;
    row.stress = line.stress;
    row.samples = statistics.samples;
    row.best_start = line.dropped;
    row.runs = line.runs;
    row.asymmetry = statistics.asymmetry;
    return row;
}

}  // namespace gnomon
