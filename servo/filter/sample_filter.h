#pragma once

/// `MedianFilter`: merges several measurements of one source into one before it enters the history:
/// option `filter N` of NTP sources (SOP-19) and every reference clock with more than one sample
/// per poll. Samples of clearly larger dispersion are left out, the rest sorted by offset, and
/// those around the median averaged.
///
/// Holds at most 256 measurements; allocates only when constructed. Parity: SOP-19.

#include <optional>
#include <vector>

#include "servo/units/measurement.h"

namespace gnomon {

struct MedianFilterConfig {
    int min_samples = 1;  ///< fewer than this give nothing; 1…256
    int max_samples = 1;  ///< newest so many are kept; 1…256
    double max_dispersion_s =
        16.0;  ///< a merged sample noisier than this is refused; ≤ 0: no limit
    /// Share of the samples around the median to average, 0 (only the median) … 1. NTP sources use
    /// 0, reference clocks 0.6.
    double combine_ratio = 0.0;
    double precision_s = 1e-7;  ///< first guess of the noise
};

class MedianFilter {
public:
    explicit MedianFilter(const MedianFilterConfig& config);

    /// False if not newer than the last one.
    bool add(const Measurement& measurement);
    /// Merges what has been added since the last call and starts over; empty if too few or too
    /// noisy (the samples are then kept).
    std::optional<Measurement> take();

    /// The newest measurement, adjusted; survives `take()`.
    std::optional<Measurement> last() const { return last_; }
    int count() const noexcept { return static_cast<int>(samples_.size()); }
    int max_samples() const noexcept { return config_.max_samples; }
    /// Long-term standard deviation of single samples, s.
    double average_deviation_s() const noexcept;

    void adjust(const ClockAdjustment& adjustment);
    void shift_offsets(double offset_s);
    void add_dispersion(double dispersion_s);
    void reset();
    /// Forgets the samples that wait to be merged; `last()` and the scatter remain.
    void drop() noexcept { samples_.clear(); }

private:
    /// How much the samples of one merge differ.
    struct Scatter {
        double variance_s2;
        double deviation_s;  ///< of the merged offset
        int degrees;         ///< of freedom
    };

    int choose();
    std::optional<Measurement> merge(int chosen);
    /// Adds to the long-term scatter. The deviation to believe: a single scatter of few samples is a
    /// poor guess, so the long-term one is taken unless this one is significantly larger.
    double learn_scatter(const Scatter& scatter);

    MedianFilterConfig config_;
    std::vector<Measurement> samples_;  ///< oldest first
    std::vector<int> order_;            ///< scratch: indices of the chosen
    std::optional<Measurement> last_;
    double average_variance_s2_;
    int average_weight_ = 0;
};

}  // namespace gnomon
