#pragma once

/// `SourceView`: what the estimator of a source tells the protocol side about it, so that an
/// association can judge a new exchange (tests B and C) and choose its polling interval without
/// knowing which estimator is at work. The third and last meeting point of servo and dataplane
/// besides `Measurement` and `ServerState`.

#include <optional>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

class SourceView {
public:
    virtual ~SourceView() = default;

    /// What the estimator expects of an exchange at time `at`.
    struct Prediction {
        double offset_s = 0.0;
        /// Standard deviation of a single measured offset around the prediction, s.
        double measurement_sd_s = 0.0;
        double min_delay_s = 0.0;  ///< smallest peer delay in the history
        double skew = 0.0;         ///< bound on the frequency error, s/s
        UtcTime last_sample;       ///< time of the newest accepted sample
    };
    /// Empty until there is enough history for a prediction.
    virtual std::optional<Prediction> predict(UtcTime at) const = 0;

    /// Number of samples the estimate rests on (after the runs test has dropped old ones); what
    /// `polltarget` is compared with.
    virtual int sample_count() const = 0;

    /// Best guess of the offset at `at` with whatever there is: the line, the last sample, or 0. Poll
    /// control compares it with what is then measured.
    virtual double predicted_offset_s(UtcTime at) const {
        const std::optional<Prediction> prediction = predict(at);
        return prediction ? prediction->offset_s : 0.0;
    }

    /// How noisy the path and our oscillator are: what poll control foresees errors with.
    struct Noise {
        double wander = 0.0;      ///< random walk of our frequency, s/s per √s
        double queueing_s = 0.0;  ///< mean of the one-sided part of one way's delay
        double gauss_s = 0.0;     ///< standard deviation of the rest, of a measured offset
        /// How often something happened so far that no noise explains: the path changed, or a
        /// packet came before it can have been sent.
        int surprises = 0;
    };
    /// Empty unless the estimator learns it, and until it has.
    virtual std::optional<Noise> noise() const { return std::nullopt; }

    /// Bound on the frequency error, s/s, never above 2000 ppm (which is also what is assumed while
    /// nothing is known): our clock's drift over one exchange.
    virtual double skew_bound() const { return 2000e-6; }
};

}  // namespace gnomon
