#pragma once

/// `SourceFilter`: everything the servo keeps about one source: a window of measurements
/// (`SampleHistory`) that carries the statistics people and the poll control look at, the
/// `Estimator` whose estimate steers the clock, and others in its shadow that are only compared with
/// it. Which estimator that is does not change the reports.
///
/// Order of calls: `update()` with accepted measurements in the order of their time, `adjust()`
/// with every adjustment of the NTP clock at once. Not thread-safe. Allocates only when
/// constructed.

#include <memory>
#include <optional>
#include <vector>

#include "servo/filter/estimator.h"
#include "servo/filter/estimator_trial.h"
#include "servo/filter/hard_interval.h"
#include "servo/filter/sample_history.h"
#include "servo/units/source_view.h"

namespace gnomon {

/// The statistics of `sourcestats`, `statistics.log` and dump files.
struct SourceStatistics {
    int samples = 0;                        ///< NP: samples kept after the runs test
    int runs = 0;                           ///< NR: runs of residuals of one sign
    Duration span;                          ///< newest minus oldest sample
    double stddev_s = kUnknownDeviation_s;  ///< of the residuals
    double asymmetry = 0.0;                 ///< estimated jitter asymmetry, −0.5…0.5
    int asymmetry_run = 0;                  ///< for dump files
    double min_delay_s = 0.0;               ///< 0: unknown
    Estimate estimate;                      ///< of the history's line, at `reference_time`
    UtcTime reference_time;                 ///< newest sample
    double skew = kUnknownSkew;             ///< s/s, bound on frequency error
    double stress = 0.0;                    ///< statistics.log
    int dropped = 0;                        ///< "Bs" of statistics.log
    double offset_s = 0.0;        ///< the line at the time asked for ("Offset" of sourcestats)
    double offset_error_s = 0.0;  ///< bound on it: sd, skew since the best sample, root distance
};

/// The newest measurement, for `sources`.
struct LastSample {
    double measured_offset_s = 0.0;  ///< as measured
    double offset_s = 0.0;           ///< adjusted for what was done to the clock since
    double error_s = 0.0;            ///< half root delay plus root dispersion
    UtcTime at;
};

/// What selection needs of a source; see `Selector`.
struct SelectionData {
    Estimate estimate;   ///< at the time asked for
    Estimate reference;  ///< at the newest sample
    /// Standard deviation of measured offsets; not known (and not judged) without a regression.
    double stddev_s = 0.0;
    bool stddev_known = false;
    double root_delay_s = 0.0;       ///< of the best recent sample, peer delay included
    double root_dispersion_s = 0.0;  ///< at the time asked for, peer dispersion and skew included
    /// What of the root distance lies between the server and UTC, s.
    double server_distance_s = 0.0;
    /// Root dispersion at the newest sample, standard deviation of the offset included: what
    /// clients are told.
    double reference_dispersion_s = 0.0;
    /// What all samples together prove of the offset at the newest one; whoever follows another
    /// offset than `reference` (a combination) is bounded by the same interval.
    std::optional<HardInterval> proven;
    /// Offset of the best sample, carried to the time asked for: centre of the interval.
    double interval_offset_s = 0.0;
    double skew = 0.0;
    double wander = 0.0;  ///< of our oscillator as learned here, s/s per √s; 0: unknown
    UtcTime first_sample;
    UtcTime last_sample;
    int samples = 0;
    /// Enough samples: 3, or `max_samples` when that is less (chrony: maxsamples 1 selects at
    /// once).
    bool select_ok = false;

    double root_distance_s() const noexcept { return 0.5 * root_delay_s + root_dispersion_s; }
};

class SourceFilter final : public SourceView {
public:
    /// `shadows`: none is null.
    SourceFilter(const HistoryConfig& config, std::unique_ptr<Estimator> estimator,
                 std::vector<std::unique_ptr<Estimator>> shadows = {});
    /// With the default estimator.
    explicit SourceFilter(const HistoryConfig& config);

    /// Result as of SampleHistory::add(); `Insane` leaves everything as it was.
    SampleHistory::AddResult update(const Measurement& measurement);
    void adjust(const ClockAdjustment& adjustment);
    void reset();
    /// A constant correction of measured offsets has changed by this much (`offset` command).
    void shift_offsets(double offset_s);
    /// An unknown error of up to this much was added to the clock.
    void add_dispersion(double dispersion_s) { history_.add_dispersion(dispersion_s); }

    /// Of the estimator that steers; of the history's line when the samples disprove that
    /// (`HardInterval`), however sure the estimator is. Empty until there is a sample.
    std::optional<Estimate> estimate(UtcTime at) const;
    /// Empty until there is a sample.
    std::optional<SelectionData> selection_data(UtcTime at) const;
    SourceStatistics statistics(UtcTime at) const;
    std::optional<LastSample> last_sample() const;

    /// For the tests B and C: empty until six samples.
    std::optional<Prediction> predict(UtcTime at) const override;
    int sample_count() const override { return history_.count(); }
    double predicted_offset_s(UtcTime at) const override;
    double skew_bound() const override;
    std::optional<Noise> noise() const override { return estimator().noise(); }

    /// See `Estimator`; told to those in the shadow, too.
    std::optional<WanderBelief> wander_belief() const { return estimator().wander_belief(); }
    void hear(const WanderBelief& others);

    const SampleHistory& history() const noexcept { return history_; }
    /// Dump files: replaces the history (oldest first) and replays it into the estimator. False,
    /// and everything forgotten, if the samples are not plausible (see SampleHistory::restore).
    bool restore(const std::vector<Sample>& samples, int asymmetry_run, UtcTime now);
    const Estimator& estimator() const noexcept { return steering().estimator(); }
    /// The estimator that steers first, then the shadows.
    const std::vector<EstimatorTrial>& trials() const noexcept { return trials_; }

private:
    const EstimatorTrial& steering() const noexcept { return trials_.front(); }
    /// As the estimator has learned it; 0: not known.
    double wander() const;

    SampleHistory history_;
    std::vector<EstimatorTrial> trials_;  ///< never empty
};

}  // namespace gnomon
