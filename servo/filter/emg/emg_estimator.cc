#include "servo/filter/emg/emg_estimator.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

/// The bank is run anew at every sample up to here, and at a few counts later.
constexpr int kRerunAlways = 16;
constexpr bool is_rerun_count(int n) { return n == 24 || n == 32 || n == 48 || n == 64; }

/// Up to here the line is the estimate, from there on the bank alone.
constexpr int kLineOnly = 3;
constexpr int kBankOnly = 12;
/// From here on what the bank believes of noise and wander may be told.
constexpr int kNoiseKnown = 8;
/// Samples of one run of the bank before others are told what it makes of the oscillator: until then
/// much of what looks like wander is the start.
constexpr int kWanderKnown = 32;
/// Variance of a line of so few points, as a multiple of what it claims.
constexpr double kFewResiduals = 9.0;

/// Nobody's stamps are better than a third of a nanosecond.
constexpr double kMinVariance_s2 = 1e-19;
/// Rounding of offset and delay as doubles.
constexpr double kRounding = 2.3e-16;

/// When the line contradicts the bank.
constexpr int kLineSamples = 4;
constexpr double kLineSkews = 2.0;
constexpr double kLineSigmas = 5.0;
constexpr int kContradictionsToRestart = 2;

/// Of the noise that the residuals tell, from one measurement to the next.
constexpr double kMaxResidualGrowth = 1.25;

constexpr double kImpossibleSigmas = 5.0;
constexpr int kImpossibleToOpen = 3;
/// A longer path is tried to have begun so many measurements ago.
constexpr int kOpenings[] = {32, 27, 22, 17};
/// After a trial that failed, so many samples until the next.
constexpr int kTrialPause = 8;
/// Both ways: so many times longer than they jitter, and than the offset is uncertain, and no more
/// apart than this share.
constexpr double kRiseJitters = 1.0;
constexpr double kRiseSigmas = 5.0;
constexpr double kRiseDifference = 0.5;
constexpr int kTrialOfWaysPause = 4;

double own_variance(double variance_s2) noexcept {
    return std::isfinite(variance_s2) ? std::max(variance_s2, 0.0) : 0.0;
}

bool asymmetry_is_known(const SampleHistory& history) noexcept {
    return history.config().asymmetry && *history.config().asymmetry != 0.0;
}

/// What counts as the round trip. Whoever configures which share of the jitter is on which way takes
/// it out of the offset, and there is none left in the delay.
double round_trip_of(const Sample& sample, const SampleHistory& history) noexcept {
    return asymmetry_is_known(history) ? history.min_delay_s() : sample.peer_delay_s;
}

EmgObservation observation_of(const Sample& sample, const SampleHistory& history) noexcept {
    const double round_trip_s = round_trip_of(sample, history);
    double offset_s = sample.offset_s;
    if (asymmetry_is_known(history)) {
        offset_s += *history.config().asymmetry * (sample.peer_delay_s - round_trip_s);
    }
    EmgObservation o;
    o.forward_s = 0.5 * round_trip_s + offset_s;
    o.backward_s = 0.5 * round_trip_s - offset_s;
    const double precision_s = history.config().precision_s;
    const double rounding_s = kRounding * (std::fabs(o.forward_s) + std::fabs(o.backward_s));
    o.rounding_variance_s2 = kMinVariance_s2 + rounding_s * rounding_s;
    const double floor_s2 = precision_s * precision_s / 12.0 + o.rounding_variance_s2;
    // A sample from a dump file knows only the variance of the offset.
    const double from_offset_s2 = 2.0 * own_variance(sample.noise_variance_s2);
    const bool both = sample.forward_variance_s2 > 0.0 || sample.backward_variance_s2 > 0.0;
    o.forward_variance_s2 =
        std::max(both ? own_variance(sample.forward_variance_s2) : from_offset_s2, floor_s2);
    o.backward_variance_s2 =
        std::max(both ? own_variance(sample.backward_variance_s2) : from_offset_s2, floor_s2);
    return o;
}

/// Of the offset, `d_s` after the bank's last measurement.
double predicted_variance(const EmgBank& bank, double d_s) noexcept {
    const EmgFilter::Covariance& p = bank.covariance();
    const double q = bank.wander();
    return p(0, 0) + d_s * (2.0 * p(0, 1) + d_s * p(1, 1)) + q * q * d_s * d_s * d_s / 3.0;
}

}  // namespace

EmgEstimator::EmgEstimator(const EmgConfig& config)
    : config_(config),
      bank_(config),
      candidate_(config),
      prior_frequency_sd_(config.ordinary_frequency_sd) {
    reset();
}

void EmgEstimator::reset() noexcept {
    round_trips_.reset();
    bias_.reset();
    samples_ = next_trial_ = next_trial_of_ways_ = impossible_ = path_changes_ = 0;
    scale_ = EmgScale{};
    contradictions_ = restarts_ = 0;
    for (Snapshot& s : snapshots_) s.sample = 0;
    prior_frequency_ = 0.0;
    prior_frequency_sd_ = config_.ordinary_frequency_sd;
    odd_frequency_ = false;
    bank_samples_ = 0;
    other_belief_.setZero();
    line_offset_s_ = line_frequency_ = 0.0;
    at_ = UtcTime();
    mixture_ = Estimate{};
}

EmgScale EmgEstimator::scale_of(const SampleHistory& history) const noexcept {
    EmgScale scale;
    const double half_power = std::sqrt(0.5);
    if (round_trips_.count() < 2) {
        const Sample& s = history.newest();
        scale.jitter_s = half_power * (0.5 * std::fabs(s.peer_delay_s) + 2.0 * s.peer_dispersion_s);
        scale.residual_s = half_power * scale.jitter_s;
        return scale;
    }
    scale.jitter_s = half_power * round_trips_.sd_s();
    scale.residual_s = half_power * scale.jitter_s;
    if (history.has_line()) {
        // Residuals of a short window are few: the round trips count like three of them.
        const int free = history.count() - 2;
        const double line_s2 = history.line().stddev_s * history.line().stddev_s;
        const double trip_s2 = scale.residual_s * scale.residual_s;
        scale.residual_s = std::sqrt((free * line_s2 + 3.0 * trip_s2) / (free + 3.0));
    }
    return scale;
}

void EmgEstimator::update(const SampleHistory& history) noexcept {
    if (history.empty()) return;
    const Sample& newest = history.newest();
    if (samples_ > 0 && newest.at <= at_) return;
    if (samples_ == 0) {
        // A history that was there before us (dump file) is taken in as a whole.
        samples_ = history.stored();
        for (int k = samples_ - 1; k > 0; --k) {
            round_trips_.add(round_trip_of(history.recent(k), history));
        };
    } else {
        samples_ = std::min(samples_ + 1, 1 << 30);
    }
    round_trips_.add(round_trip_of(newest, history));
    line_offset_s_ = line_frequency_ = 0.0;
    EmgScale scale = scale_of(history);
    // No measurement is to be excused by the residual it makes itself.
    if (samples_ > kRerunAlways && scale_.residual_s > 0.0) {
        scale.residual_s = std::min(scale.residual_s, kMaxResidualGrowth * scale_.residual_s);
    }
    scale_ = scale;
    const int changes_before = path_changes_;
    const double d_s = (newest.at - at_).to_seconds();
    const bool whole = history.count() == std::min(samples_, history.stored());
    if (samples_ <= kRerunAlways || (whole && is_rerun_count(samples_)) || at_.is_zero()) {
        rerun(history, scale);
    } else {
        const EmgObservation observation = observation_of(newest, history);
        notice_shorter_path(observation, scale);
        notice_jump(observation, d_s, scale);
        const double predicted_s = bank_.mean()(0) + d_s * bank_.mean()(1);
        const double predicted_s2 = predicted_variance(bank_, d_s);
        bank_.step(observation, d_s, scale);
        bank_samples_ = std::min(bank_samples_ + 1, 1 << 30);
        bias_.add(observation.forward_s - predicted_s, observation.backward_s + predicted_s,
                  predicted_s2, bank_.queue_difference_s());
        at_ = newest.at;
        notice_longer_ways(history, scale);
        notice_longer_path(history, scale);
        if (std::abs(impossible_) == 1 || path_changes_ != changes_before) ++surprises_;
        if (contradicts_line(history, scale)) {
            ++surprises_;
            samples_ = history.count();
            forget_path();
            rerun(history, scale);
        }
    }
    if (samples_ % kSnapshotEvery == 0) take_snapshot();
    publish();
    lean_on_line(history, scale);
}

/// The line is never far behind, as the runs test keeps it short. Its frequency may be believed within
/// its skew (few residuals may be small by chance), and the bank's within what it claims now and
/// allows for the time of the line.
bool EmgEstimator::contradicts_line(const SampleHistory& history, const EmgScale& scale) noexcept {
    const HistoryLine& line = history.line();
    const double span_s = history.span().to_seconds();
    const double q = bank_.wander();
    const double own_sd = std::sqrt(bank_.covariance()(1, 1) + q * q * span_s);
    const double noise_s = std::max(scale.residual_s, scale.jitter_s);
    const double skew = line.skew * std::max(noise_s / line.stddev_s, 1.0);
    const double limit = kLineSkews * skew + kLineSigmas * own_sd;
    const bool far = history.has_line() && history.count() >= kLineSamples &&
                     std::fabs(bank_.mean()(1) - line.frequency) > limit;
    contradictions_ = far ? contradictions_ + 1 : 0;
    if (contradictions_ < kContradictionsToRestart) return false;
    contradictions_ = 0;
    ++restarts_;
    return true;
}

/// With three samples neither noise nor wander can be known, and the line, which assumes least, is
/// hard to beat, if it is told what frequencies are likely. The bank takes over gradually.
void EmgEstimator::lean_on_line(const SampleHistory& history, const EmgScale& scale) noexcept {
    if (bank_samples_ >= kBankOnly || !history.has_line()) return;
    const HistoryLine& line = history.line();
    // Few residuals may be small by chance.
    const double blown = std::max(scale.residual_s / line.stddev_s, 1.0);
    const double variance = line.frequency_sd * line.frequency_sd * blown * blown;
    const double covariance = line.offset_frequency_covariance * blown * blown;
    const double pull = odd_frequency_ ? 0.0
                                       : (prior_frequency_ - line.frequency) /
                                             (variance + prior_frequency_sd_ * prior_frequency_sd_);
    const double offset_s = line.offset_s + covariance * pull;
    const double frequency = line.frequency + variance * pull;
    const double line_s2 = kFewResiduals * blown * blown * line.offset_sd_s * line.offset_sd_s;
    const double bank_s2 = bank_.covariance()(0, 0);
    const double share = std::clamp(
        std::max(static_cast<double>(kBankOnly - bank_samples_) / (kBankOnly - kLineOnly),
                 bank_s2 / (bank_s2 + line_s2)),
        0.0, 1.0);
    line_offset_s_ = share * (offset_s - mixture_.offset_s);
    line_frequency_ = share * (frequency - mixture_.frequency);
    publish();
}

/// Twice while the oscillator may still be either an ordinary or an odd one.
void EmgEstimator::rerun(const SampleHistory& history, const EmgScale& scale) noexcept {
    // Not what the runs test has dropped: it may be from before a jump of the clock.
    const int count = std::min(samples_, history.count());
    const double odd_sd = config_.initial_frequency_sd;
    run(bank_, history, scale, count, prior_frequency_sd_);
    other_belief_.setZero();
    if (samples_ <= kRerunAlways || odd_frequency_) {
        run(candidate_, history, scale, count, odd_sd);
        const double odds = candidate_.log_evidence() - bank_.log_evidence() +
                            std::log(config_.odd_frequency_share);
        odd_frequency_ = odds > 0.0;
        if (odd_frequency_) std::swap(bank_, candidate_);
        const double other = 1.0 / (1.0 + std::exp(std::fabs(odds)));
        other_belief_ = std::sqrt(other) * (candidate_.mean() - bank_.mean()).head<2>();
    }
    for (Snapshot& s : snapshots_) s.sample = 0;
    impossible_ = contradictions_ = 0;
    next_trial_ = next_trial_of_ways_ = samples_;
    bank_samples_ = count;
    at_ = history.newest().at;
}

void EmgEstimator::run(EmgBank& bank, const SampleHistory& history, const EmgScale& scale,
                       int count, double frequency_sd) const noexcept {
    const Sample& oldest = history.recent(count - 1);
    double least_s = round_trip_of(oldest, history);
    for (int k = 0; k < count; ++k) {
        least_s = std::min(least_s, round_trip_of(history.recent(k), history));
    }
    const double size_s = std::fabs(oldest.peer_delay_s) + oldest.peer_dispersion_s +
                          3.0 * std::max(scale.jitter_s, scale.residual_s) + 1e-9;
    EmgPrior prior;
    prior.offset_s = observation_of(oldest, history).offset_s();
    prior.offset_sd_s = 10.0 * size_s;
    prior.frequency = prior_frequency_;
    prior.frequency_sd = frequency_sd;
    prior.base_s = 0.5 * least_s;
    // The shortest exchange is not far above the base, unless there are few.
    prior.base_sd_s = std::min(size_s, 3.0 * scale.jitter_s + 0.5 * std::fabs(least_s) / count);
    bank.start(prior, scale);
    UtcTime previous = oldest.at;
    for (int k = count - 1; k >= 0; --k) {
        const Sample& sample = history.recent(k);
        const double d_s = std::max((sample.at - previous).to_seconds(), 0.0);
        bank.step(observation_of(sample, history), d_s, scale);
        previous = sample.at;
    }
}

void EmgEstimator::notice_shorter_path(const EmgObservation& observation,
                                       const EmgScale& scale) noexcept {
    if (!config_.detect_path_changes) return;
    if (bank_.round_trip_deficit_sigmas(observation, scale) < config_.shorter_path_sigmas) return;
    const double deficit_s = 2.0 * bank_.mean()(2) - observation.round_trip_s();
    if (!(deficit_s > 0.0)) return;
    bank_.open_base(deficit_s);
    round_trips_.shift_older(1, -deficit_s);
    forget_path();
    ++path_changes_;
}

/// What was collected before a change does not go with what follows.
void EmgEstimator::forget_path() noexcept {
    for (Snapshot& s : snapshots_) s.sample = 0;
    bias_.reset();
}

void EmgEstimator::notice_jump(const EmgObservation& observation, double d_s,
                               const EmgScale& scale) noexcept {
    const EmgBank::Impossible worst = bank_.impossible(observation, d_s, scale);
    if (worst.sigmas < kImpossibleSigmas) {
        impossible_ = 0;
        return;
    }
    const int sign = worst.way == Way::Forward ? 1 : -1;
    impossible_ = impossible_ * sign > 0 ? impossible_ + sign : sign;
    if (std::abs(impossible_) < kImpossibleToOpen) return;
    impossible_ = 0;
    bank_.open_clock(worst.by_s, worst.by_s / d_s);
    forget_path();
}

void EmgEstimator::notice_longer_path(const SampleHistory& history,
                                      const EmgScale& scale) noexcept {
    if (!config_.detect_path_changes || samples_ < next_trial_) return;
    if (round_trips_.count() < 2 * kChangeWindow) return;
    // All of the last 32 above the median of a window that consists of others, mostly.
    if (round_trips_.min_of_newest_s(kChangeWindow) <= round_trips_.quantile_s(0.4)) return;
    const Snapshot* const oldest = snapshot_before(kChangeWindow);
    if (oldest == nullptr || samples_ - oldest->sample > history.stored()) return;
    next_trial_ = samples_ + kTrialPause;

    const double before_s = oldest->bank.mean()(2);
    const double rise_s = round_trips_.min_of_newest_s(kChangeWindow) - 2.0 * before_s;
    if (!(rise_s > 0.0)) return;
    // When it happened is not known well: slow exchanges before it look like later ones.
    int best = 0;
    double evidence = bank_.log_evidence() + config_.path_change_evidence;
    for (const int opened : kOpenings) {
        replay(*oldest, history, scale, opened, rise_s);
        if (candidate_.log_evidence() <= evidence) continue;
        evidence = candidate_.log_evidence();
        best = opened;
    }
    if (best == 0) return;
    replay(*oldest, history, scale, best, rise_s);
    accept_longer_path(*oldest, best);
}

void EmgEstimator::accept_longer_path(const Snapshot& before, int opened) noexcept {
    const double before_s = before.bank.mean()(2);
    bank_ = candidate_;
    round_trips_.shift_older(opened, 2.0 * (bank_.mean()(2) - before_s));
    forget_path();
    ++path_changes_;
}

/// The newest one that is at least so old; null if there is none.
const EmgEstimator::Snapshot* EmgEstimator::snapshot_before(int samples_ago) const noexcept {
    const Snapshot* newest = nullptr;
    for (const Snapshot& s : snapshots_) {
        if (s.sample == 0 || samples_ - s.sample < samples_ago) continue;
        if (newest == nullptr || s.sample > newest->sample) newest = &s;
    }
    return newest;
}

void EmgEstimator::notice_longer_ways(const SampleHistory& history,
                                      const EmgScale& scale) noexcept {
    if (!config_.detect_path_changes || samples_ < next_trial_of_ways_) return;
    const Snapshot* const before = snapshot_before(kBothWaysWindow);
    if (before == nullptr || samples_ - before->sample > history.stored()) return;
    const EmgFilter::State& x = before->bank.mean();
    double forward_s = INFINITY;
    double backward_s = INFINITY;
    double forward_mean_s = 0.0;
    double backward_mean_s = 0.0;
    for (int k = 0; k < kBothWaysWindow; ++k) {
        const Sample& sample = history.recent(k);
        const EmgObservation o = observation_of(sample, history);
        const double predicted_s = x(0) + (sample.at - before->at).to_seconds() * x(1);
        const double forward_excess_s = o.forward_s - predicted_s - x(2);
        const double backward_excess_s = o.backward_s + predicted_s - x(2);
        forward_s = std::min(forward_s, forward_excess_s);
        backward_s = std::min(backward_s, backward_excess_s);
        forward_mean_s += forward_excess_s / kBothWaysWindow;
        backward_mean_s += backward_excess_s / kBothWaysWindow;
    }
    const double jitter_s = std::max(forward_mean_s - forward_s, backward_mean_s - backward_s);
    const double rise_s = std::min(forward_s, backward_s);
    if (!(rise_s > kRiseJitters * jitter_s)) return;
    if (std::fabs(forward_s - backward_s) > kRiseDifference * (forward_s + backward_s)) return;
    const double offset_s2 = predicted_variance(before->bank, (at_ - before->at).to_seconds());
    if (!(rise_s * rise_s > kRiseSigmas * kRiseSigmas * offset_s2)) return;
    next_trial_of_ways_ = samples_ + kTrialOfWaysPause;

    // The first that is only half as late was before.
    int opened = kBothWaysWindow;
    const double half_s = 2.0 * x(2) + rise_s;
    while (opened < samples_ - before->sample &&
           round_trip_of(history.recent(opened), history) > half_s) {
        ++opened;
    }
    replay(*before, history, scale, opened, forward_s + backward_s);
    if (candidate_.log_evidence() > bank_.log_evidence() + config_.path_change_evidence) {
        accept_longer_path(*before, opened);
    }
}

/// Runs a copy of a snapshot over the samples since; its base delay opens `opened` samples ago.
void EmgEstimator::replay(const Snapshot& from, const SampleHistory& history, const EmgScale& scale,
                          int opened, double base_sd_s) noexcept {
    candidate_ = from.bank;
    UtcTime previous = from.at;
    for (int k = samples_ - from.sample - 1; k >= 0; --k) {
        if (k == opened - 1) candidate_.open_base(base_sd_s);
        const Sample& sample = history.recent(k);
        const double d_s = std::max((sample.at - previous).to_seconds(), 0.0);
        candidate_.step(observation_of(sample, history), d_s, scale);
        previous = sample.at;
    }
}

void EmgEstimator::take_snapshot() noexcept {
    Snapshot* oldest = &snapshots_[0];
    for (Snapshot& s : snapshots_) {
        if (s.sample < oldest->sample) oldest = &s;
    }
    oldest->bank = bank_;
    oldest->at = at_;
    oldest->sample = samples_;
}

void EmgEstimator::publish() noexcept {
    const EmgFilter::State& x = bank_.mean();
    const EmgFilter::Covariance& p = bank_.covariance();
    if (!x.allFinite() || !p.allFinite()) {
        reset();
        return;
    }
    mixture_.at = at_;
    mixture_.offset_s = x(0) + line_offset_s_ - bias_.bias_s();
    const double offset_2 = line_offset_s_ * line_offset_s_ + other_belief_(0) * other_belief_(0) +
                            bias_.sd_s() * bias_.sd_s();
    const double frequency_2 =
        line_frequency_ * line_frequency_ + other_belief_(1) * other_belief_(1);
    mixture_.offset_sd_s = std::sqrt(std::max(p(0, 0), 0.0) + offset_2);
    mixture_.frequency = x(1) + line_frequency_;
    mixture_.frequency_sd = std::sqrt(std::max(p(1, 1), 0.0) + frequency_2);
    mixture_.offset_frequency_covariance =
        p(0, 1) + line_offset_s_ * line_frequency_ + other_belief_(0) * other_belief_(1);
}

void EmgEstimator::adjust(const ClockAdjustment& adjustment) noexcept {
    const double change = adjustment.frequency_change;
    prior_frequency_ = (prior_frequency_ - change) / (1.0 + change);
    if (samples_ == 0) return;
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        // Our clock's rate and the path are what they were.
        const double frequency = (mixture_.frequency - change) / (1.0 + change);
        const double frequency_sd = std::max(3.0 * mixture_.frequency_sd, 1e-7);
        const double prior_frequency = prior_frequency_;
        const double prior_frequency_sd = prior_frequency_sd_;
        reset();
        const bool known = frequency_sd < prior_frequency_sd;
        prior_frequency_ = known ? frequency : prior_frequency;
        prior_frequency_sd_ = known ? frequency_sd : prior_frequency_sd;
        return;
    }
    const Duration shift = adjustment.shift(at_);
    bank_.adjust(shift.to_seconds(), change);
    at_ += shift;
    for (Snapshot& s : snapshots_) {
        if (s.sample == 0) continue;
        const Duration then = adjustment.shift(s.at);
        s.bank.adjust(then.to_seconds(), change);
        s.at += then;
    }
    publish();
}

std::optional<SourceView::Noise> EmgEstimator::noise() const noexcept {
    if (samples_ < kNoiseKnown) return std::nullopt;
    const EmgBank::MeanNoise mean = bank_.mean_noise(scale_);
    return SourceView::Noise{bank_.wander(), mean.queueing_s, mean.gauss_s, surprises_};
}

std::optional<WanderBelief> EmgEstimator::wander_belief() const noexcept {
    if (bank_samples_ < kWanderKnown) return std::nullopt;
    return bank_.wander_belief();
}

void EmgEstimator::hear(const WanderBelief& others) noexcept {
    candidate_.hear(others);
    bank_.hear(others);
    if (samples_ > 0) publish();
}

void EmgEstimator::shift_offsets(double offset_s) noexcept {
    if (samples_ == 0) return;
    bank_.shift_offset(offset_s);
    for (Snapshot& s : snapshots_) s.bank.shift_offset(offset_s);
    publish();
}

std::optional<Estimate> EmgEstimator::estimate(UtcTime at) const noexcept {
    if (samples_ == 0) return std::nullopt;
    return mixture_.at_time(at, bank_.wander());
}

}  // namespace gnomon
