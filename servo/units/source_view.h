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
};

}  // namespace gnomon
