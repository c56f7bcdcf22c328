#include "tests/bench/accuracy/world.h"

#include <cmath>

namespace gnomon::bench {

namespace {

constexpr double kWhiteFm = 1e-10;
constexpr double kWanderPeriod_s = 10'000.0;
constexpr double kPi = 3.14159265358979323846;
/// Bursty queues: probability to leave either state at a measurement, and the quiet state's share
/// of the jitter.
constexpr double kBurstBegins = 0.05;
constexpr double kBurstEnds = 0.1;
constexpr double kQuiet = 0.02;

}  // namespace

World::World(const Cell& cell, std::uint64_t seed, int polls)
    : cell_(cell), polls_(polls), oscillator_(2 * seed), network_(2 * seed + 1) {}

double World::wave() const {
    return cell_.sine * std::sin(2.0 * kPi * true_time_s_ / cell_.sine_period_s);
}

double World::wander() const {
    const bool other = cell_.other_wander > 0.0 &&
                       static_cast<std::int64_t>(true_time_s_ / kWanderPeriod_s) % 2 == 1;
    return other ? cell_.other_wander : cell_.wander;
}

void World::advance(double d_s) {
    normal_.reset();
    const double n1 = normal_(oscillator_);
    const double n2 = normal_(oscillator_);
    const double n3 = normal_(oscillator_);
    const double q = wander();
    // The walk's end and its integral are jointly normal.
    const double step = q * std::sqrt(d_s) * n1;
    const double integral = q * d_s * std::sqrt(d_s) * (n1 / 2.0 + n2 / std::sqrt(12.0));
    const double before = wave();
    true_time_s_ += d_s;
    const double wave_mean = 0.5 * (before + wave());
    const double gone_s =
        d_s * (frequency_ + wave_mean) + integral + kWhiteFm * std::sqrt(d_s) * n3;
    offset_s_ += gone_s;
    frequency_ += step;
    // Our clock shows less than true time when it runs slow.
    now_ += Duration::from_seconds(d_s - gone_s);
}

double World::jitter(double factor) {
    const double scale_s = cell_.jitter_s * factor;
    switch (cell_.jitter) {
        case Jitter::None: return 0.0;
        case Jitter::Gaussian: return scale_s * normal_(network_);
        case Jitter::Exponential: return scale_s * exponential_(network_);
        case Jitter::Gamma:
            return std::gamma_distribution<double>(cell_.shape, scale_s / cell_.shape)(network_);
        case Jitter::Lognormal: return scale_s * std::exp(cell_.shape * normal_(network_));
        case Jitter::Idle: {
            const bool idle = uniform_(network_) < cell_.shape;
            const double queue_s = scale_s * exponential_(network_);
            return idle ? 0.0 : queue_s;
        }
        case Jitter::Bursty: return scale_s * (burst_ ? 1.0 : kQuiet) * exponential_(network_);
    }
    return 0.0;
}

double World::one_way(double factor, bool outliers) {
    double delay_s = cell_.base_delay_s + jitter(factor);
    const bool outlier = uniform_(network_) < cell_.outlier_share;
    const double excess_s = cell_.outlier_s * exponential_(network_);
    if (outlier && outliers) delay_s += excess_s;
    return delay_s + cell_.stamp_noise_s * normal_(network_);
}

bool World::measure(int poll, Measurement& out) {
    normal_.reset();
    const double u = uniform_(network_);
    if (burst_ ? u < kBurstEnds : u < kBurstBegins) burst_ = !burst_;
    double forward_s = one_way(cell_.forward_factor, true) + offset_s_;
    double backward_s = one_way(cell_.backward_factor, cell_.outliers_both_ways) - offset_s_;
    const bool lost = uniform_(network_) < cell_.loss;
    if (poll >= polls_ / 2) {
        forward_s += cell_.path_step_s;
        backward_s += cell_.path_step_s;
    }
    if (cell_.quantum_s > 0.0) {
        forward_s = std::nearbyint(forward_s / cell_.quantum_s) * cell_.quantum_s;
        backward_s = std::nearbyint(backward_s / cell_.quantum_s) * cell_.quantum_s;
    }
    out = Measurement{};
    out.at = now_;
    out.forward = Duration::from_seconds(forward_s);
    out.backward = Duration::from_seconds(backward_s);
    out.peer_dispersion_s = 1e-9;
    out.stratum = 1;
    return !lost;
}

ClockAdjustment World::correct(double offset_s, double frequency) {
    ClockAdjustment a;
    a.at = now_;
    a.frequency_change = frequency;
    a.offset_change_s = offset_s;
    const Duration shift = a.shift(now_);
    offset_s_ -= shift.to_seconds();
    // The clock's rate against true time, 1 − frequency, is multiplied.
    frequency_ = 1.0 - (1.0 - frequency_) * (1.0 + frequency);
    now_ += shift;
    return a;
}

}  // namespace gnomon::bench
