#pragma once

/// `EmgEstimator` ("emg"): the accurate estimator. An `EmgBank` per source, with what a bank cannot
/// do by itself: start without knowing anything, and notice when the path or the source changed.
///
/// Input. The two ways of the newest sample are recovered exactly from its offset θ and peer delay δ
/// (a = δ/2 + θ, b = δ/2 − θ), with the variance of the timestamps of each.
///
/// Start. Statistics of few samples are poor. So the bank is run anew over the samples that the runs
/// test kept, with the newest statistics, at each of the first 16 and at a few later counts. The
/// frequency has a prior of two parts: an ordinary crystal within 100 ppm of where it is expected
/// (corrections known since count as known), and, one in a hundred, anything up to 0.1. The bank is
/// run under both; the one with more evidence and prior answers, and what is left of the other widens
/// the claimed errors. Up to the twelfth sample, and longer while the line is known better, the answer
/// leans on the history's line, which is given the same prior of frequency (a line through four
/// samples of a noisy path says anything).
///
/// Contradiction: a frequency that differs twice in a row from the line's by more than twice the line's
/// skew (99.9 % each) plus five sigmas of the bank's own, wander over the line's span included, means
/// that the bank has gone astray (a step or ramp no member expected). It starts anew from the samples
/// of the line.
///
/// Shorter path: a round trip below the shortest possible one (six sigmas) cannot be queueing: the
/// base delay is opened at once.
///
/// Longer path: looks like queueing. When the smallest of the last 32 round trips is above the
/// median before, copies of the bank from then are run over the samples since, their base delay
/// opened 32 to 17 samples ago; the best one replaces the bank if it explains the samples better by
/// 15 nepers. (A window of 8 takes bursts for changes, one of 64 is too slow.) Snapshots are taken
/// every 16 measurements, so that 32 to 47 are replayed.
///
/// Longer path both ways: 32 measurements are too long if the jitter is smaller than the change. The
/// offset's variance grows meanwhile, until being off explains one late way and leaves only the other
/// to congestion. So 10 are enough if both ways became longer alike, against the offset as it was
/// before, and by more than they jitter now (queues that fill would jitter more). No offset is at
/// stake then: if it was a burst nevertheless, it ends as a shorter path.
///
/// Source or clock jumped: a measurement that arrived before it can have been sent counts as
/// impossible and moves nothing much; several of the same direction in a row open offset and
/// frequency. So that it cannot be excused by the residual it makes itself, the noise that the residuals
/// tell grows by at most a quarter from one measurement to the next.
///
/// Near-normal jitter of unequal size biases any filter; see asymmetry_bias.h for the correction.
///
/// Memory is fixed (about 50 KB); nothing is allocated after construction. A measurement costs some
/// 25 µs on average.

#include <array>
#include <optional>

#include "servo/filter/emg/asymmetry_bias.h"
#include "servo/filter/emg/emg_bank.h"
#include "servo/filter/emg/round_trip_scale.h"
#include "servo/filter/estimator.h"

namespace gnomon {

class EmgEstimator final : public Estimator {
public:
    explicit EmgEstimator(const EmgConfig& config = {});

    void update(const SampleHistory& history) noexcept override;
    void adjust(const ClockAdjustment& adjustment) noexcept override;
    void shift_offsets(double offset_s) noexcept override;
    void reset() noexcept override;
    std::optional<Estimate> estimate(UtcTime at) const noexcept override;
    /// From the eighth sample on.
    std::optional<SourceView::Noise> noise() const noexcept override;
    std::optional<WanderBelief> wander_belief() const noexcept override;
    void hear(const WanderBelief& others) noexcept override;
    const char* name() const noexcept override { return "emg"; }

    const EmgBank& bank() const noexcept { return bank_; }
    /// How often a longer or a shorter path was recognised.
    int path_changes() const noexcept { return path_changes_; }
    /// How often the history's line contradicted the bank, so that it started anew.
    int restarts() const noexcept { return restarts_; }

private:
    static constexpr int kChangeWindow = 32;
    static constexpr int kBothWaysWindow = 10;
    static constexpr int kSnapshotEvery = 16;
    static constexpr int kSnapshots = kChangeWindow / kSnapshotEvery + 1;

    struct Snapshot {
        EmgBank bank;
        UtcTime at;
        int sample = 0;  ///< samples_ when it was taken; 0: none
    };

    EmgScale scale_of(const SampleHistory& history) const noexcept;
    void rerun(const SampleHistory& history, const EmgScale& scale) noexcept;
    void run(EmgBank& bank, const SampleHistory& history, const EmgScale& scale, int count,
             double frequency_sd) const noexcept;
    void notice_shorter_path(const EmgObservation& observation, const EmgScale& scale) noexcept;
    void notice_longer_path(const SampleHistory& history, const EmgScale& scale) noexcept;
    void notice_longer_ways(const SampleHistory& history, const EmgScale& scale) noexcept;
    const Snapshot* snapshot_before(int samples_ago) const noexcept;
    void accept_longer_path(const Snapshot& before, int opened) noexcept;
    void replay(const Snapshot& from, const SampleHistory& history, const EmgScale& scale,
                int opened, double base_sd_s) noexcept;
    void notice_jump(const EmgObservation& observation, double d_s, const EmgScale& scale) noexcept;
    bool contradicts_line(const SampleHistory& history, const EmgScale& scale) noexcept;
    void lean_on_line(const SampleHistory& history, const EmgScale& scale) noexcept;
    void forget_path() noexcept;
    void take_snapshot() noexcept;
    void publish() noexcept;

    EmgConfig config_;
    RoundTripScale round_trips_;
    AsymmetryBias bias_;
    EmgBank bank_;
    EmgBank candidate_;
    std::array<Snapshot, kSnapshots> snapshots_;
    int samples_ = 0;
    int next_trial_ = 0;          ///< samples_ from when a longer path may be considered again
    int next_trial_of_ways_ = 0;  ///< likewise, both ways
    int impossible_ = 0;          ///< in a row; its sign is the direction
    int path_changes_ = 0;
    int surprises_ = 0;
    EmgScale scale_;          ///< of the last update
    int contradictions_ = 0;  ///< of the line to the bank, in a row
    int restarts_ = 0;
    /// Where the oscillator is expected now, and how well if it is an ordinary one.
    double prior_frequency_ = 0.0;
    double prior_frequency_sd_;
    bool odd_frequency_ = false;  ///< the samples say that it is not
    int bank_samples_ = 0;        ///< since its last start
    /// Spread of the two beliefs of the frequency, while both are alive: offset and frequency.
    Eigen::Vector2d other_belief_ = Eigen::Vector2d::Zero();
    /// What the line adds to the bank's answer during the first samples.
    double line_offset_s_ = 0.0;
    double line_frequency_ = 0.0;
    UtcTime at_;
    Estimate mixture_;  ///< the bank's answer, the above and the bias
};

}  // namespace gnomon
