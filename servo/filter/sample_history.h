#pragma once

/// `SampleHistory`: the window of recent measurements of one source and the straight line through
/// it.
///
/// The line is a weighted least-squares fit of offset against time. A sample counts the less the
/// farther its peer distance lies above the smallest one in the window (queueing delay is
/// one-sided, so a slow exchange says little). The window is as long as the clock behaves like a
/// line: the signs of the residuals must form enough runs (Wald–Wolfowitz, 5 %); otherwise the
/// oldest samples are dropped until they do. So a wandering oscillator gets a short window, a noisy
/// network a long one, and the number of samples is what poll control steers by (`polltarget`).
///
/// Numbers that people and poll control see (NP, NR, span, skew, standard deviation, asymmetry)
/// come from here whatever `Estimator` steers the clock. Parity: ALG-01, ALG-02, SOP-13, 14,
/// 16, 17.
///
/// Sign of offsets: > 0 means that our clock is behind the source. Not thread-safe; never
/// allocates.

#include <array>
#include <optional>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

inline constexpr int kMaxHistorySamples = 64;
/// A line needs three points before it has residuals.
inline constexpr int kMinRegressionSamples = 3;
/// Bounds of what is claimed before a regression succeeded.
inline constexpr double kUnknownSkew = 2000e-6;  ///< s/s
inline constexpr double kUnknownDeviation_s = 4.0;
inline constexpr double kMinSkew = 1e-12;  ///< s/s
inline constexpr double kMaxSkew = 1.0;    ///< s/s
inline constexpr double kMinDeviation_s = 1e-9;

struct HistoryConfig {
    int min_samples = 6;       ///< the runs test keeps at least so many (and three)
    int max_samples = 0;       ///< 1…64; ≤ 0: 64
    double min_delay_s = 0.0;  ///< `mindelay`: fixed smallest delay; 0: the smallest one observed
    /// `asymmetry` −0.5…0.5: share of the delay's jitter that is in the offset, fixed; empty:
    /// estimated. Sign as configured and reported by chrony: +0.5 if all jitter is on the way *to
    /// us* (backward), which makes our clock look ahead.
    std::optional<double> asymmetry;
    double precision_s = 1e-7;  ///< reading precision of the system clock, > 0
    /// `maxclockerror`: what our clock's frequency may change by unnoticed, s/s.
    double max_clock_error = 1e-6;
};

/// One measurement as kept; also one line of a dump file.
struct Sample {
    UtcTime at;                      ///< moves with adjustments of the clock
    double offset_s = 0.0;           ///< likewise
    double measured_offset_s = 0.0;  ///< as originally measured
    double peer_delay_s = 0.0;
    double peer_dispersion_s = 0.0;
    double root_delay_s = 0.0;       ///< source's root delay plus peer delay
    double root_dispersion_s = 0.0;  ///< source's root dispersion plus peer dispersion
    double noise_variance_s2 = 0.0;  ///< of the offset, by timestamping alone; 0: unknown
    /// Of each way by timestamping alone; both 0: unknown (dump files know only the above).
    double forward_variance_s2 = 0.0;
    double backward_variance_s2 = 0.0;
    /// Between which frequencies of our clock (as `HistoryLine::frequency`) this sample may be carried
    /// to later times: the line's with its skew, and, once lines contradicted each other while the
    /// sample was in the window, all of them. Moves with adjustments of the clock.
    double least_frequency = 0.0;
    double largest_frequency = 0.0;
    bool torn = false;  ///< lines have contradicted each other

    static Sample from(const Measurement& measurement) noexcept;
    /// Finite numbers below 10⁶ s in delays and dispersions, and below 10¹⁰ s in the offset.
    bool sane() const noexcept;
};

/// The straight line through the window, at the newest sample.
struct HistoryLine {
    UtcTime at;
    double offset_s = 0.0;
    double offset_sd_s = kUnknownDeviation_s;
    double frequency = 0.0;  ///< d(offset)/dt, s/s; > 0: our clock runs slow
    double frequency_sd = kUnknownSkew;
    double offset_frequency_covariance = 0.0;
    double skew = kUnknownSkew;             ///< 99.9 % bound on the error of `frequency`, s/s
    double stddev_s = kUnknownDeviation_s;  ///< of the (weighted) residuals
    int runs = 0;                           ///< NR
    /// How many standard deviations the frequency moved in the last update ("stress").
    double stress = 0.0;
    int dropped = 0;  ///< samples dropped by the last runs test ("Bs")

    double offset_at(UtcTime t) const noexcept {
        return offset_s + (t - at).to_seconds() * frequency;
    }
};

class SampleHistory {
public:
    explicit SampleHistory(const HistoryConfig& config);

    enum class AddResult {
        Added,
        OutOfOrder,  ///< not newer than the newest: history discarded, then added (worth a warning)
        Insane,      ///< not finite or out of bounds: ignored
    };
    /// Adds a sample, fits the line and drops what the runs test rejects.
    AddResult add(const Sample& sample) noexcept;
    AddResult add(const Measurement& measurement) noexcept {
        return add(Sample::from(measurement));
    }

    /// Moves times and offsets of all samples as the clock was moved; `UnknownStep` discards all.
    void adjust(const ClockAdjustment& adjustment) noexcept;
    /// Adds a constant to all offsets (correction `offset` of a source changed).
    void shift_offsets(double offset_s) noexcept;
    /// An unknown error of up to this much was added to the clock.
    void add_dispersion(double dispersion_s) noexcept;
    void reset() noexcept;
    void set_precision(double precision_s) noexcept { config_.precision_s = precision_s; }

    /// NP: samples the line rests on.
    int count() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    /// 0 is the oldest sample of the window, count() − 1 the newest.
    const Sample& sample(int i) const noexcept { return at_back(count_ - 1 - i); }
    const Sample& newest() const noexcept { return at_back(0); }
    const Sample& oldest() const noexcept { return at_back(count_ - 1); }
    /// The sample with the smallest root distance at the time of the newest; not empty().
    const Sample& best() const noexcept { return at_back(count_ - 1 - best_); }
    /// Bound on the error of the line's frequency as far as carrying this sample of the window goes,
    /// s/s: the skew, or more if a line before contradicts the one of now. A source that corrects its
    /// own clock, or a path that changes, tilts the line by much more than its skew, while our clock
    /// goes on as before; then the old samples are wrong only by what the line has turned.
    double drift_bound(const Sample& sample) const noexcept;

    /// All samples still stored, those dropped by the runs test included (their delays remain
    /// meaningful): 0 is the newest; k < stored().
    int stored() const noexcept { return stored_; }
    const Sample& recent(int k) const noexcept { return at_back(k); }

    /// Valid when not empty(); the newest sample with unknown bounds unless `has_line()`.
    const HistoryLine& line() const noexcept { return line_; }
    /// At least three samples, so that the line is a regression.
    bool has_line() const noexcept { return has_line_; }

    /// Smallest peer delay in window and extension, or the configured one; +inf when unknown.
    double min_delay_s() const noexcept;
    /// Share of delay jitter in the offset; see HistoryConfig::asymmetry. 0 unless significant.
    double asymmetry() const noexcept { return asymmetry_; }
    int asymmetry_run() const noexcept { return asymmetry_run_; }
    /// Newest minus oldest.
    Duration span() const noexcept {
        return empty() ? Duration::zero() : newest().at - oldest().at;
    }
    /// Selectable: a line, or all the samples `max_samples` ever allows (1 or 2).
    bool selectable() const noexcept;

    /// Replaces the window by samples of a dump file, oldest first. False (and empty) if there are
    /// none, too many, unordered, newer than `now` or insane ones.
    template <typename Container>
    bool restore(const Container& samples, int asymmetry_run, UtcTime now) noexcept {
        return restore(samples.data(), static_cast<int>(samples.size()), asymmetry_run, now);
    }
    bool restore(const Sample* samples, int count, int asymmetry_run, UtcTime now) noexcept;

    int min_samples() const noexcept { return min_samples_; }
    int max_samples() const noexcept { return max_samples_; }
    const HistoryConfig& config() const noexcept { return config_; }

private:
    /// Runs test and asymmetry look back twice as far as the line.
    static constexpr int kRing = 2 * kMaxHistorySamples;

    const Sample& at_back(int back) const noexcept { return ring_[(head_ + kRing - back) % kRing]; }
    Sample& at_back(int back) noexcept { return ring_[(head_ + kRing - back) % kRing]; }
    void push(const Sample& sample) noexcept;
    void drop_oldest(int n) noexcept;
    void fit() noexcept;
    void fit_failed() noexcept;
    void note_line() noexcept;
    void find_best() noexcept;
    void correct_asymmetry(const double* times_s, double* offsets_s, int n) noexcept;
    int weights(double* weights) const noexcept;

    HistoryConfig config_;
    int min_samples_;
    int max_samples_;
    std::array<Sample, kRing> ring_{};
    int head_ = 0;       ///< index of the newest
    int count_ = 0;      ///< in the window
    int extension_ = 0;  ///< older ones that only extend the runs test
    int stored_ = 0;     ///< in the ring at all
    int best_ = 0;       ///< index of best() in the window
    HistoryLine line_;
    bool has_line_ = false;
    double asymmetry_ = 0.0;
    int asymmetry_run_ = 0;
};

}  // namespace gnomon
