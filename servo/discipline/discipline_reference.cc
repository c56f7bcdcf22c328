#include "servo/discipline/discipline.h"

#include <algorithm>
#include <cmath>
#include <limits>

// What servers, the kernel, logs and reports are told of the reference we follow.

namespace gnomon {
namespace {

// The reference time of the local reference is renewed when it is older than this.
constexpr double kLocalReferenceAgeS = 64.0;
// The reference time must stay before any transmit time that goes with it.
constexpr double kLocalReferenceLagS = 1.0;

/// 99.9 % of a normal distribution, as for the skew.
constexpr double kFrequencyBoundSigmas = 3.29;

}  // namespace

double Discipline::dispersion_rate() const noexcept {
    // The skew is that of the history's line; what steers is the estimator's frequency, which can be
    // less certain than that line.
    const double estimate_error = kFrequencyBoundSigmas * frequency_sd_;
    return std::max(skew_, estimate_error) + std::fabs(residual_frequency_) +
           config_.max_clock_error;
}

double Discipline::root_dispersion_s(UtcTime t) const noexcept {
    if (reference_time_.is_zero()) return 1.0;
    const double age_s = std::fabs((t - reference_time_).to_seconds());
    return root_dispersion_s_ + age_s * dispersion_rate() + holdover_dispersion_s(age_s);
}

double Discipline::bound_s(Instant now, double ahead_s) const noexcept {
    if (!synchronised_) return std::numeric_limits<double>::infinity();
    const double age_s = std::fabs((to_utc(now.system) - reference_time_).to_seconds()) + ahead_s;
    return root_delay_s_ / 2.0 + root_dispersion_s_ + age_s * dispersion_rate() +
           holdover_dispersion_s(age_s) + std::fabs(clock_.remaining_s(now.system));
}

void Discipline::update_sync_status(UtcTime now) {
    const double elapsed_s = std::fabs((now - reference_time_).to_seconds());
    SetSyncStatus status;
    status.synchronised = synchronised_;
    status.estimated_error = Duration::from_seconds(offset_sd_s_ + elapsed_s * frequency_sd_);
    status.maximum_error = Duration::from_seconds(root_delay_s_ / 2.0 + root_dispersion_s(now));
    pending_sync_ = status;
}

void Discipline::log_tracking(UtcTime now, int combined, double offset_s, double remaining_s,
                              double root_distance_s) {
    TrackingLogRecord record;
    record.at = now;
    record.source = source_;
    if (has_reference_) record.ref_id = ref_id_;
    record.stratum = stratum_;
    record.frequency_ppm = 0.0 - frequency_.ppm();
    record.skew_ppm = skew_ * 1e6;
    record.offset_s = offset_s;
    record.leap = leap_;
    record.combined = combined;
    record.offset_sd_s = combined > 0 ? offset_sd_s_ : 0.0;
    record.remaining_s = remaining_s;
    record.root_delay_s = root_delay_s_;
    record.root_dispersion_s = root_dispersion_s(now);
    // The error that the system clock could have had just before this update.
    record.max_error_s = root_distance_s + std::fabs(last_system_offset_s_);
    last_system_offset_s_ = offset_s + remaining_s;
    events_.emplace_back(record);
}

Discipline::Served Discipline::served(Instant now) const noexcept {
    Served served;
    const std::optional<LocalReference>& local = config_.local;
    const UtcTime now_utc = to_utc(now.system);
    served.dispersion_s = synchronised_ ? root_dispersion_s(now_utc) : 0.0;
    const double distance_s = root_delay_s_ / 2.0 + served.dispersion_s;

    bool local_ready = false;
    if (local) {
        const bool activated = local_activated_ || local->activate_s == 0.0 ||
                               (synchronised_ && distance_s < local->activate_s);
        const bool waited =
            synchronised_
                ? (now_utc - reference_time_).to_seconds() >= local->wait_synced_s
                : (now.mono - unsynchronised_since_).to_seconds() >= local->wait_unsynced_s;
        local_ready = activated && waited;
    }
    if (synchronised_ && !(local_ready && distance_s > local->distance_s)) {
        served.from = Served::From::Source;
    } else if (local_ready) {
        served.from = Served::From::Local;
    }
    return served;
}

Discipline::Served Discipline::note_served(Instant now, std::uint32_t random) {
    const Served served = this->served(now);
    const UtcTime now_utc = to_utc(now.system);
    if (config_.local && synchronised_ &&
        root_delay_s_ / 2.0 + served.dispersion_s < config_.local->activate_s) {
        local_activated_ = true;
    }
    const bool local = served.from == Served::From::Local;
    if (local) {
        const double age_s = (now_utc - local_reference_time_).to_seconds();
        if (age_s > kLocalReferenceAgeS || age_s < kLocalReferenceLagS) {
            local_reference_time_ =
                now_utc - Duration::from_seconds(kLocalReferenceLagS + random / 4294967295.0);
        }
    }
    if (local != local_serving_) {
        local_serving_ = local;
        events_.emplace_back(LocalReferenceChanged{local});
    }
    return served;
}

ServerState Discipline::server_state(Instant now, std::uint32_t random, bool smoothed) {
    const Served served = note_served(now, random);
    ServerState state;
    state.clock = clock_.line();
    state.precision = config_.precision_log2;
    switch (served.from) {
        case Served::From::Source:
            state.leap = leap_in_progress_ ? Leap::Unsynchronised : leap_;
            state.stratum = stratum_;
            state.ref_id = ref_id_;
            state.reference_time = reference_time_;
            state.root_delay_s = root_delay_s_;
            // What does not grow linearly is as of now.
            state.root_dispersion_s =
                root_dispersion_s_ + holdover_dispersion_s(std::fabs(
                                         (to_utc(now.system) - reference_time_).to_seconds()));
            state.dispersion_rate = dispersion_rate();
            break;
        case Served::From::Local:
            state.leap = Leap::Normal;
            state.stratum = config_.local->stratum;
            state.ref_id = RefId::local();
            state.reference_time = local_reference_time_;
            break;
        case Served::From::Nothing:
            state.root_delay_s = 1.0;
            state.root_dispersion_s = 1.0;
            break;
    }
    // During a leap second `leap` alone says that the time is in doubt.
    state.synchronised = served.from != Served::From::Nothing;

    if (smoothed && smoothing_.enabled()) {
        // Clients of a smearing server must not correct the same leap second on their own.
        if (config_.leap_mode == LeapMode::Slew &&
            (state.leap == Leap::InsertSecond || state.leap == Leap::DeleteSecond)) {
            state.leap = Leap::Normal;
        }
        const double offset_s = smoothing_.offset_s(to_utc(now.system));
        if (std::fabs(offset_s) > config_.precision_s) {
            state.smoothing_offset_s = offset_s;
            state.ref_id = RefId::smoothing();
            if (!state.reference_time.is_zero()) {
                state.reference_time += Duration::from_seconds(offset_s);
            }
        }
    }
    return state;
}

DisciplineReport Discipline::report(Instant now, std::uint32_t random) {
    const Served served = note_served(now, random);
    const ServerState state = server_state(now, random, false);
    DisciplineReport report;
    report.ref_id = state.ref_id;
    report.stratum = state.stratum == kStratumUnsynchronised ? Stratum{0} : state.stratum;
    report.reference_time = state.reference_time;
    report.leap = state.leap;
    report.remaining_s = clock_.remaining_s(now.system);
    report.last_offset_s = last_offset_s_;
    report.rms_offset_s = std::sqrt(mean_square_offset_s2_);
    report.frequency_ppm = 0.0 - frequency_.ppm();
    report.root_delay_s = state.root_delay_s;
    report.root_dispersion_s = state.root_dispersion_s;
    report.last_update_interval_s = last_update_interval_s_;
    if (served.from == Served::From::Source) {
        report.source = source_;
        report.residual_frequency_ppm = 0.0 - residual_frequency_ * 1e6;
        report.skew_ppm = skew_ * 1e6;
        report.root_dispersion_s = served.dispersion_s;
    }
    return report;
}

Stratum Discipline::stratum(Instant now) const noexcept {
    switch (served(now).from) {
        case Served::From::Source: return stratum_;
        case Served::From::Local: return config_.local->stratum;
        case Served::From::Nothing: break;
    }
    return kStratumUnsynchronised;
}

Stratum Discipline::orphan_stratum() const noexcept {
    if (!config_.local || !config_.local->orphan || mode_ != DisciplineMode::Normal) {
        return kStratumUnsynchronised;
    }
    return config_.local->stratum;
}

}  // namespace gnomon
