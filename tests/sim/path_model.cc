#include "tests/sim/path_model.h"

#include <algorithm>
#include <cmath>

namespace gnomon::sim {

double PathModel::base_at(TrueTime now) const {
    double base = base_s;
    for (const auto& change : changes) {
        if (now >= change.at) base += change.by_s;
    }
    return std::max(base, 1e-7);
}

std::optional<double> PathModel::delay_s(TrueTime now, SimRandom& random) const {
    const bool cut = std::any_of(partitions.begin(), partitions.end(),
                                 [now](const Interval& i) { return now >= i.from && now < i.to; });
    if (cut || random.chance(loss)) return std::nullopt;

    double queueing_s = 0.0;
    switch (jitter) {
        case Jitter::None: break;
        case Jitter::Exponential: queueing_s = jitter_s * random.exponential(); break;
        case Jitter::Gamma: queueing_s = jitter_s * random.gamma(3); break;
        case Jitter::Bursty: {
            const double phase_s = std::fmod(static_cast<double>(now) * 1e-9, burst_period_s);
            const double scale = phase_s < burst_s ? 20.0 : 1.0;
            queueing_s = scale * jitter_s * random.exponential();
            break;
        }
    }
    if (late > 0.0 && random.chance(late)) queueing_s += random.uniform(0.0, max_late_s);
    return base_at(now) + queueing_s;
}

}  // namespace gnomon::sim
