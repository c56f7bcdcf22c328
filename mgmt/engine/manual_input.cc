#include "mgmt/engine/manual_input.h"

#include <algorithm>

namespace gnomon {
namespace {

constexpr std::size_t kMinForFrequency = 2;

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

std::optional<ManualInput::Estimate> ManualInput::add(UtcTime time, UtcTime now) {
    if (!samples_.empty() && now - samples_.back().at < Duration::from_s(1)) return std::nullopt;
    if (samples_.size() == kMaxSamples) samples_.erase(samples_.begin());
    const double offset_s = (time - now).to_seconds();
    samples_.push_back(Sample{now, offset_s, offset_s, 0.0});
    Estimate result = estimate();
    // What was typed last is meant; an outlier is corrected by typing again.
    if (!result.frequency) result.offset_s = offset_s;
    return result;
}

bool ManualInput::remove(std::size_t index) {
    if (index >= samples_.size()) return false;
    samples_.erase(samples_.begin() + static_cast<std::ptrdiff_t>(index));
    return true;
}

ManualInput::Estimate ManualInput::estimate() {
    Estimate result;
    if (samples_.size() < kMinForFrequency) return result;

    // Theil–Sen: the median of all slopes bears with one bad sample in four.
    const UtcTime newest = samples_.back().at;
    std::vector<double> slopes;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
        for (std::size_t j = i + 1; j < samples_.size(); ++j) {
            const double dt_s = (samples_[j].at - samples_[i].at).to_seconds();
            if (dt_s > 0.0) slopes.push_back((samples_[j].offset_s - samples_[i].offset_s) / dt_s);
        }
    }
    if (slopes.empty()) return result;
    const double frequency = median(std::move(slopes));
    std::vector<double> intercepts;
    for (const Sample& sample : samples_) {
        intercepts.push_back(sample.offset_s + (newest - sample.at).to_seconds() * frequency);
    }
    result.offset_s = median(intercepts);
    result.frequency = frequency;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
        samples_[i].residual_s = intercepts[i] - result.offset_s;
    }
    return result;
}

void ManualInput::adjust(const ClockAdjustment& adjustment) {
    if (adjustment.kind == ClockAdjustment::Kind::UnknownStep) {
        reset();
        return;
    }
    for (Sample& sample : samples_) {
        const Duration shift = adjustment.shift(sample.at);
        sample.at += shift;
        sample.offset_s -= shift.to_seconds();
    }
}

}  // namespace gnomon
