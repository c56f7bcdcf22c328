#include "dataplane/proto/packet_tests.h"

#include <cmath>

namespace gnomon {

bool is_synchronised(const NtpHeader& header) noexcept {
    return header.leap != Leap::Unsynchronised && header.stratum != 0 &&
           header.stratum < kStratumUnsynchronised;
}

bool is_root_distance_sane(double root_delay_s, double root_dispersion_s) noexcept {
    return root_delay_s / 2.0 + root_dispersion_s < kMaxDispersionS;
}

bool passes_delay_ratio(const DelayLimits& limits, const SourceView& source, UtcTime at,
                        double delay_s) {
    if (limits.max_delay_ratio < 1.0) return true;
    const auto prediction = source.predict(at);
    if (!prediction) return true;
    const double age_s = (at - prediction->last_sample).to_seconds();
    const double drift_s = age_s * (prediction->skew + limits.max_clock_error);
    return delay_s <= prediction->min_delay_s * limits.max_delay_ratio + drift_s;
}

bool passes_delay_deviation(const DelayLimits& limits, const SourceView& source, UtcTime at,
                            double offset_s, double delay_s) {
    const auto prediction = source.predict(at);
    if (!prediction) return true;
    const double age_s = (at - prediction->last_sample).to_seconds();
    const double allowed_s = prediction->measurement_sd_s * limits.max_delay_dev_ratio +
                             age_s * (prediction->skew + limits.max_clock_error);
    const double increase_s = (delay_s - prediction->min_delay_s) / 2.0;
    if (increase_s <= allowed_s) return true;
    const double surprise_s = std::fabs(offset_s - prediction->offset_s);
    return surprise_s - increase_s > allowed_s;
}

}  // namespace gnomon
