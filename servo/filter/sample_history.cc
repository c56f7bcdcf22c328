#include "servo/filter/sample_history.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "servo/filter/regression.h"
#include "servo/units/assert.h"

namespace gnomon {

namespace {

/// Delay jitter wholly in one direction.
constexpr double kMaxAsymmetry = 0.5;
/// Asymmetry is corrected when it was at least so large, of one sign, in so many fits in a row.
constexpr double kSignificantAsymmetry = 0.45;
constexpr int kSignificantRun = 10;
constexpr int kMaxAsymmetryRun = 1000;

/// Standard deviation of offsets, as a multiple of 1/0.7 of the median excess of peer distance.
constexpr double kDeviationToDistance = 0.7;

bool plausible(double seconds) noexcept {
    return std::isfinite(seconds) && std::fabs(seconds) < 1e6;
}

}  // namespace

Sample Sample::from(const Measurement& m) noexcept {
    Sample s;
    s.at = m.at;
    s.offset_s = m.offset_s();
    s.measured_offset_s = s.offset_s;
    s.peer_delay_s = m.peer_delay_s();
    s.peer_dispersion_s = m.peer_dispersion_s;
    s.root_delay_s = m.root_delay_s + s.peer_delay_s;
    s.root_dispersion_s = m.root_dispersion_s + m.peer_dispersion_s;
    s.noise_variance_s2 = 0.25 * (m.forward_variance_s2 + m.backward_variance_s2);
    s.forward_variance_s2 = m.forward_variance_s2;
    s.backward_variance_s2 = m.backward_variance_s2;
    return s;
}

bool Sample::sane() const noexcept {
    return std::isfinite(offset_s) && std::fabs(offset_s) < 1e10 &&
           std::isfinite(measured_offset_s) && plausible(peer_delay_s) &&
           plausible(peer_dispersion_s) && plausible(root_delay_s) &&
           plausible(root_dispersion_s) && std::isfinite(noise_variance_s2) &&
           noise_variance_s2 >= 0.0 && noise_variance_s2 < 1e12;
}

SampleHistory::SampleHistory(const HistoryConfig& config) : config_(config) {
    max_samples_ = config.max_samples > 0 ? std::min(config.max_samples, kMaxHistorySamples)
                                          : kMaxHistorySamples;
    min_samples_ = std::clamp(config.min_samples, 1, max_samples_);
    if (config_.asymmetry) {
        config_.asymmetry = std::clamp(*config_.asymmetry, -kMaxAsymmetry, kMaxAsymmetry);
    }
    reset();
}

void SampleHistory::reset() noexcept {
    count_ = extension_ = stored_ = best_ = 0;
    line_ = HistoryLine{};
    has_line_ = false;
    asymmetry_ = 0.0;
    asymmetry_run_ = 0;
}

void SampleHistory::push(const Sample& sample) noexcept {
    head_ = (head_ + 1) % kRing;
    ring_[head_] = sample;
    ring_[head_].least_frequency = line_.frequency - line_.skew;
    ring_[head_].largest_frequency = line_.frequency + line_.skew;
    ring_[head_].torn = false;
    // Below the fixed minimum a delay is as wrong as the same way above it.
    double& delay_s = ring_[head_].peer_delay_s;
    if (delay_s < config_.min_delay_s) delay_s = 2.0 * config_.min_delay_s - delay_s;
    ++count_;
    stored_ = std::min(stored_ + 1, kRing);
    extension_ = std::min(extension_, kRing - count_);
}

SampleHistory::AddResult SampleHistory::add(const Sample& sample) noexcept {
    if (!sample.sane()) return AddResult::Insane;
    AddResult result = AddResult::Added;
    if (count_ > 0 && sample.at <= newest().at) {
        reset();
        result = AddResult::OutOfOrder;
    }
    if (count_ >= max_samples_) drop_oldest(count_ - max_samples_ + 1);
    push(sample);
    fit();
    return result;
}

void SampleHistory::drop_oldest(int n) noexcept {
    if (n <= 0) return;
    GNOMON_ASSERT(n <= count_);
    count_ -= n;
    extension_ = std::min({extension_ + n, count_, kRing - count_});
}

void SampleHistory::adjust(const ClockAdjustment& adjustment) noexcept {
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        reset();
        return;
    }
    if (stored_ == 0) return;
    const auto adjusted = [&adjustment](double frequency) {
        return (frequency - adjustment.frequency_change) / (1.0 + adjustment.frequency_change);
    };
    for (int k = 0; k < stored_; ++k) {
        Sample& s = at_back(k);
        const Duration shift = adjustment.shift(s.at);
        s.at += shift;
        s.offset_s -= shift.to_seconds();
        s.least_frequency = adjusted(s.least_frequency);
        s.largest_frequency = adjusted(s.largest_frequency);
    }
    const Duration shift = adjustment.shift(line_.at);
    line_.at += shift;
    line_.offset_s -= shift.to_seconds();
    line_.frequency = adjusted(line_.frequency);
}

void SampleHistory::shift_offsets(double offset_s) noexcept {
    for (int k = 0; k < stored_; ++k) at_back(k).offset_s += offset_s;
    if (count_ > 0) line_.offset_s += offset_s;
}

void SampleHistory::add_dispersion(double dispersion_s) noexcept {
    for (int k = 0; k < count_; ++k) {
        at_back(k).peer_dispersion_s += dispersion_s;
        at_back(k).root_dispersion_s += dispersion_s;
    }
}

double SampleHistory::min_delay_s() const noexcept {
    if (config_.min_delay_s > 0.0) return config_.min_delay_s;
    double least_s = std::numeric_limits<double>::infinity();
    for (int k = 0; k < count_ + extension_; ++k)
        least_s = std::min(least_s, at_back(k).peer_delay_s);
    return least_s;
}

bool SampleHistory::selectable() const noexcept {
    if (has_line_) return true;
    return count_ > 0 && count_ < kMinRegressionSamples && count_ == max_samples_;
}

/// Fills weights of the window, oldest first.
int SampleHistory::weights(double* weights) const noexcept {
    std::array<double, kMaxHistorySamples> distances_s{};
    std::array<double, kMaxHistorySamples> scratch{};
    for (int i = 0; i < count_; ++i) {
        const Sample& s = sample(i);
        distances_s[i] = 0.5 * s.peer_delay_s + s.peer_dispersion_s;
    }
    double least_s = *std::min_element(distances_s.begin(), distances_s.begin() + count_);
    std::copy_n(distances_s.begin(), count_, scratch.begin());
    const double middle_s = median(scratch.data(), count_);
    double scale_s = (middle_s - least_s) / kDeviationToDistance;
    scale_s = std::max(std::min(scale_s, least_s), config_.precision_s);
    least_s += config_.precision_s;
    for (int i = 0; i < count_; ++i) {
        const double deviations = 1.0 + std::max(0.0, distances_s[i] - least_s) / scale_s;
        weights[i] = 1.0 / (deviations * deviations);
    }
    return count_;
}

/// Offsets are put to what they would have been at the smallest delay. Arrays cover extension and
/// window, oldest first.
void SampleHistory::correct_asymmetry(const double* times_s, double* offsets_s, int n) noexcept {
    if (config_.asymmetry && *config_.asymmetry == 0.0) return;
    std::array<double, kRing> excess_s{};
    const double least_s = min_delay_s();
    for (int i = 0; i < n; ++i) excess_s[i] = at_back(n - 1 - i).peer_delay_s - least_s;

    if (config_.asymmetry) {
        asymmetry_ = *config_.asymmetry;
    } else {
        double slope = 0.0;
        const bool fits = partial_slope(times_s, excess_s.data(), offsets_s, n, &slope);
        slope = -slope;  // asymmetry is told in the sense of "our clock ahead"
        if (!fits || slope * asymmetry_run_ < 0.0) {
            asymmetry_ = 0.0;
            asymmetry_run_ = 0;
            return;
        }
        if (slope <= -kSignificantAsymmetry) --asymmetry_run_;
        if (slope >= kSignificantAsymmetry) ++asymmetry_run_;
        asymmetry_run_ = std::clamp(asymmetry_run_, -kMaxAsymmetryRun, kMaxAsymmetryRun);
        if (std::abs(asymmetry_run_) < kSignificantRun) return;
        asymmetry_ = std::clamp(slope, -kMaxAsymmetry, kMaxAsymmetry);
    }
    for (int i = 0; i < n; ++i) offsets_s[i] += asymmetry_ * excess_s[i];
}

void SampleHistory::fit() noexcept {
    const int total = extension_ + count_;
    std::array<double, kRing> times_s{};
    std::array<double, kRing> offsets_s{};
    std::array<double, kMaxHistorySamples> weight{};
    for (int i = 0; i < total; ++i) {
        const Sample& s = at_back(total - 1 - i);
        times_s[i] = (s.at - newest().at).to_seconds();
        offsets_s[i] = s.offset_s;
    }
    weights(weight.data());
    correct_asymmetry(times_s.data(), offsets_s.data(), total);
    if (count_ < kMinRegressionSamples) {
        fit_failed();
        return;
    }

    std::array<double, kRing> residuals{};
    LineFit fit;
    int start = 0;
    int runs = 0;
    for (;; ++start) {
        const int n = count_ - start;
        const int first = extension_ + start;
        fit = fit_line(&times_s[first], &offsets_s[first], &weight[start], n);
        const int tested = std::min(2 * n, total);
        for (int i = total - tested; i < total; ++i) {
            residuals[i] = offsets_s[i] - fit.intercept - fit.slope * times_s[i];
        }
        runs = count_runs(&residuals[total - tested], tested);
        if (runs > critical_runs(tested) || n <= kMinRegressionSamples || n <= min_samples_) {
            runs = count_runs(&residuals[first], n);
            break;
        }
    }

    // Adjusting the clock rounds times; samples closer than that may have become simultaneous.
    if (!std::isfinite(fit.intercept) || !std::isfinite(fit.slope) ||
        !std::isfinite(fit.slope_sd) || !std::isfinite(fit.intercept_sd)) {
        fit_failed();
        return;
    }
    const double old_skew = line_.skew;
    const double old_frequency = line_.frequency;
    line_.at = newest().at;
    line_.offset_s = fit.intercept;
    line_.offset_sd_s = fit.intercept_sd;
    line_.frequency = fit.slope;
    line_.frequency_sd = std::clamp(fit.slope_sd, kMinSkew, kMaxSkew);
    const double bound = line_.offset_sd_s * line_.frequency_sd;
    line_.offset_frequency_covariance = std::clamp(fit.covariance, -bound, bound);
    line_.skew =
        std::clamp(fit.slope_sd * student_quantile(count_ - start - 2), kMinSkew, kMaxSkew);
    line_.stddev_s = std::max(kMinDeviation_s, std::sqrt(fit.variance));
    line_.runs = runs;
    line_.stress = std::fabs(old_frequency - line_.frequency) / old_skew;
    line_.dropped = start;
    has_line_ = true;
    drop_oldest(start);
    note_line();
    find_best();
}

/// A line within what was known before is the better knowledge; one outside of it says that either may
/// be wrong, for as long as there are samples from before.
void SampleHistory::note_line() noexcept {
    const double low = line_.frequency - line_.skew;
    const double high = line_.frequency + line_.skew;
    for (int k = 0; k < count_; ++k) {
        Sample& s = at_back(k);
        const bool within =
            line_.frequency >= s.least_frequency && line_.frequency <= s.largest_frequency;
        s.torn = s.torn || !within;
        s.least_frequency = s.torn ? std::min(s.least_frequency, low) : low;
        s.largest_frequency = s.torn ? std::max(s.largest_frequency, high) : high;
    }
}

double SampleHistory::drift_bound(const Sample& sample) const noexcept {
    if (!has_line_) return line_.skew;
    return std::max({line_.skew, sample.largest_frequency - line_.frequency,
                     line_.frequency - sample.least_frequency});
}

void SampleHistory::fit_failed() noexcept {
    const double frequency = line_.frequency;
    line_ = HistoryLine{};
    line_.frequency = frequency;
    line_.at = newest().at;
    line_.offset_s = newest().offset_s;
    has_line_ = false;
    find_best();
}

void SampleHistory::find_best() noexcept {
    double least_s = std::numeric_limits<double>::infinity();
    best_ = count_ - 1;
    for (int i = 0; i < count_; ++i) {
        const Sample& s = sample(i);
        const double age_s = (newest().at - s.at).to_seconds();
        const double distance_s =
            s.root_dispersion_s + age_s * drift_bound(s) + 0.5 * s.root_delay_s;
        if (distance_s < least_s) {
            least_s = distance_s;
            best_ = i;
        }
    }
}

bool SampleHistory::restore(const Sample* samples, int count, int asymmetry_run,
                            UtcTime now) noexcept {
    reset();
    if (count < 1 || count > kMaxHistorySamples) return false;
    for (int i = 0; i < count; ++i) {
        if (!samples[i].sane() || samples[i].at > now ||
            (i > 0 && samples[i].at <= samples[i - 1].at)) {
            return false;
        }
    }
    for (int i = std::max(0, count - max_samples_); i < count; ++i) push(samples[i]);
    asymmetry_run_ = std::clamp(asymmetry_run, -kMaxAsymmetryRun, kMaxAsymmetryRun);
    fit();
    return true;
}

}  // namespace gnomon
