#pragma once

/// `SourceFilter`: everything the servo keeps about one source: a window of measurements
/// (`SampleHistory`) that carries the statistics people and the poll control look at, and the
/// `Estimator` whose estimate steers the clock. Which estimator that is does not change the reports.

#include <memory>
#include <optional>
#include <vector>

#include "servo/filter/estimator.h"
#include "servo/filter/sample_history.h"
#include "servo/units/source_view.h"

namespace gnomon {

/// The statistics of `sourcestats`, `statistics.log` and dump files.
struct SourceStatistics {
    int samples = 0;              ///< NP: samples kept after the runs test
    int runs = 0;                 ///< NR: runs of residuals of one sign
    Duration span;                ///< newest minus oldest sample
    double stddev_s = 0.0;        ///< of the residuals
    double asymmetry = 0.0;       ///< estimated jitter asymmetry, −0.5…0.5
    double min_delay_s = 0.0;
    Estimate estimate;            ///< at `reference_time`
    UtcTime reference_time;       ///< newest sample
    double skew = 0.0;            ///< s/s, bound on frequency error
};

/// What selection needs of a source; see `Selector`.
struct SelectionData {
    Estimate estimate;            ///< at the time asked for
    double stddev_s = 0.0;
    double root_delay_s = 0.0;       ///< of the best recent sample, peer delay included
    double root_dispersion_s = 0.0;  ///< at the time asked for, peer dispersion and skew included
    double skew = 0.0;
    UtcTime first_sample;
    UtcTime last_sample;
    int samples = 0;
    /// Enough samples: 3, or `max_samples` when that is less (chrony: maxsamples 1 selects at once).
    bool select_ok = false;
};

class SourceFilter final : public SourceView {
public:
    SourceFilter(const HistoryConfig& config, std::unique_ptr<Estimator> estimator);

    void update(const Measurement& measurement);
    void adjust(const ClockAdjustment& adjustment);
    void reset();
    /// A constant correction of measured offsets has changed by this much (`offset` command).
    void shift_offsets(double offset_s);

    std::optional<Estimate> estimate(UtcTime at) const { return estimator_->estimate(at); }
    std::optional<SelectionData> selection_data(UtcTime at) const;
    SourceStatistics statistics(UtcTime at) const;

    std::optional<Prediction> predict(UtcTime at) const override;
    int sample_count() const override;

    const SampleHistory& history() const noexcept { return history_; }
    /// Dump files: replaces the history (oldest first) and replays it into the estimator.
    void restore(const std::vector<Measurement>& samples);
    const Estimator& estimator() const noexcept { return *estimator_; }

private:
    SampleHistory history_;
    std::unique_ptr<Estimator> estimator_;
};

}  // namespace gnomon
