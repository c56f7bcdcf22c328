#include "servo/filter/source_filter.h"

#include <algorithm>
#include <cmath>

namespace gnomon {

namespace {

/// What the samples prove is proven up to so many deviations of the residuals.
constexpr double kNoiseSigmas = 4.0;

/// The tests B and C want some history before they refuse anything.
constexpr int kMinSamplesForTests = 6;

Estimate estimate_of(const HistoryLine& line) noexcept {
    return Estimate{line.at,        line.offset_s,     line.offset_sd_s,
                    line.frequency, line.frequency_sd, line.offset_frequency_covariance};
}

}  // namespace

SourceFilter::SourceFilter(const HistoryConfig& config, std::unique_ptr<Estimator> estimator,
                           std::vector<std::unique_ptr<Estimator>> shadows)
    : history_(config) {
    trials_.reserve(1 + shadows.size());
    trials_.emplace_back(std::move(estimator));
    for (std::unique_ptr<Estimator>& shadow : shadows) trials_.emplace_back(std::move(shadow));
}

SourceFilter::SourceFilter(const HistoryConfig& config)
    : SourceFilter(config, make_estimator("default")) {}

SampleHistory::AddResult SourceFilter::update(const Measurement& measurement) {
    const SampleHistory::AddResult result = history_.add(measurement);
    if (result == SampleHistory::AddResult::Insane) return result;
    for (EstimatorTrial& trial : trials_) {
        if (result == SampleHistory::AddResult::OutOfOrder) trial.reset();
        trial.update(history_);
    }
    return result;
}

void SourceFilter::adjust(const ClockAdjustment& adjustment) {
    history_.adjust(adjustment);
    for (EstimatorTrial& trial : trials_) trial.adjust(adjustment);
}

void SourceFilter::reset() {
    history_.reset();
    for (EstimatorTrial& trial : trials_) trial.reset();
}

void SourceFilter::shift_offsets(double offset_s) {
    history_.shift_offsets(offset_s);
    for (EstimatorTrial& trial : trials_) trial.shift_offsets(offset_s);
}

void SourceFilter::hear(const WanderBelief& others) {
    for (EstimatorTrial& trial : trials_) trial.hear(others);
}

double SourceFilter::wander() const {
    const std::optional<Noise> known = noise();
    return known ? known->wander : 0.0;
}

std::optional<Estimate> SourceFilter::estimate(UtcTime at) const {
    if (!history_.has_line()) return steering().estimate(at);
    const UtcTime reference = history_.newest().at;
    const std::optional<Estimate> then = steering().estimate(reference);
    const std::optional<HardInterval> proven = hard_interval(history_, reference, wander());
    const HistoryLine& line = history_.line();
    if (then && proven && !proven->contains(then->offset_s, kNoiseSigmas * line.stddev_s)) {
        return estimate_of(line).at_time(at, 0.0);
    }
    return steering().estimate(at);
}

std::optional<SelectionData> SourceFilter::selection_data(UtcTime at) const {
    const UtcTime reference = history_.empty() ? UtcTime() : history_.newest().at;
    const std::optional<Estimate> now = estimate(at);
    const std::optional<Estimate> then = estimate(reference);
    if (history_.empty() || !now || !then) return std::nullopt;

    const Sample& best = history_.best();
    const HistoryLine& line = history_.line();
    const double age_s = std::fabs((at - best.at).to_seconds());
    const double reference_age_s = (reference - best.at).to_seconds();
    const double drift = history_.drift_bound(best);
    SelectionData data;
    data.estimate = *now;
    data.reference = *then;
    if (!history_.has_line()) {
        // One or two samples set the time at most, never the frequency.
        for (Estimate* e : {&data.estimate, &data.reference}) {
            e->offset_s = history_.newest().offset_s;
            e->frequency = 0.0;
            e->frequency_sd = kUnknownSkew;
            e->offset_frequency_covariance = 0.0;
        }
    }
    data.stddev_s = line.stddev_s;
    data.stddev_known = history_.has_line();
    data.root_delay_s = best.root_delay_s;
    data.root_dispersion_s = best.root_dispersion_s + age_s * drift;
    data.server_distance_s = 0.5 * (best.root_delay_s - best.peer_delay_s) +
                             best.root_dispersion_s - best.peer_dispersion_s;
    data.proven = hard_interval(history_, reference, wander());
    if (history_.has_line()) {
        // Beyond the line's bound one of the two is wrong, whatever either claims.
        const double beyond =
            std::max(std::fabs(data.reference.frequency - line.frequency) - line.skew, 0.0);
        for (Estimate* e : {&data.estimate, &data.reference}) {
            e->frequency_sd = std::hypot(e->frequency_sd, beyond);
        }
    }
    data.reference_dispersion_s =
        best.root_dispersion_s + reference_age_s * drift + data.reference.offset_sd_s;
    data.interval_offset_s = best.offset_s + age_s * data.reference.frequency;
    data.skew = line.skew;
    data.wander = wander();
    data.first_sample = history_.oldest().at;
    data.last_sample = reference;
    data.samples = history_.count();
    data.select_ok = history_.selectable();
    return data;
}

SourceStatistics SourceFilter::statistics(UtcTime at) const {
    SourceStatistics s;
    s.samples = history_.count();
    s.asymmetry = history_.asymmetry();
    s.asymmetry_run = history_.asymmetry_run();
    if (history_.empty()) return s;
    const HistoryLine& line = history_.line();
    const Sample& best = history_.best();
    s.runs = line.runs;
    s.span = history_.span();
    s.stddev_s = line.stddev_s;
    s.min_delay_s = history_.min_delay_s();
    s.estimate = estimate_of(line);
    s.reference_time = line.at;
    s.skew = line.skew;
    s.stress = line.stress;
    s.dropped = line.dropped;
    s.offset_s = line.offset_at(at);
    s.offset_error_s = line.offset_sd_s + (at - best.at).to_seconds() * line.skew +
                       0.5 * best.root_delay_s + best.root_dispersion_s;
    return s;
}

std::optional<LastSample> SourceFilter::last_sample() const {
    if (history_.empty()) return std::nullopt;
    const Sample& s = history_.newest();
    return LastSample{s.measured_offset_s, s.offset_s, 0.5 * s.root_delay_s + s.root_dispersion_s,
                      s.at};
}

std::optional<SourceView::Prediction> SourceFilter::predict(UtcTime at) const {
    if (history_.count() < kMinSamplesForTests) return std::nullopt;
    Prediction p;
    p.offset_s = predicted_offset_s(at);
    p.measurement_sd_s = history_.line().stddev_s;
    p.min_delay_s = history_.min_delay_s();
    p.skew = history_.line().skew;
    p.last_sample = history_.newest().at;
    return p;
}

double SourceFilter::predicted_offset_s(UtcTime at) const {
    if (history_.empty()) return 0.0;
    // One or two samples fix no frequency worth extrapolating.
    if (history_.count() < kMinRegressionSamples) return history_.newest().offset_s;
    const std::optional<Estimate> e = estimate(at);
    return e ? e->offset_s : history_.line().offset_at(at);
}

double SourceFilter::skew_bound() const {
    return history_.empty() ? kUnknownSkew : std::min(history_.line().skew, kUnknownSkew);
}

bool SourceFilter::restore(const std::vector<Sample>& samples, int asymmetry_run, UtcTime now) {
    reset();
    if (!history_.restore(samples, asymmetry_run, now)) return false;
    for (EstimatorTrial& trial : trials_) trial.restore(history_);
    return true;
}

}  // namespace gnomon
