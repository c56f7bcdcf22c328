#include "mgmt/engine/refclock_source.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "mgmt/engine/source_statistics.h"

namespace gnomon {
namespace {

/// Share of the samples around the median that are averaged.
constexpr double kCombineRatio = 0.6;
/// A clock locked to itself must survive a missed sample.
constexpr int kMinLocalLockAge = 3;

/// "PPS0", "SHM1", "PH10": the driver's first letters and the position.
RefId default_ref_id(RefclockKind kind, std::size_t index) {
    std::string text = std::string(to_string(kind)).substr(0, 3);
    if (index >= 10) text[2] = static_cast<char>('0' + index / 10 % 10);
    text += static_cast<char>('0' + index % 10);
    return RefId::from_text(text.c_str());
}

RefclockOptions complete(const RefclockConfig& config, std::size_t index) {
    RefclockOptions options = config.options;
    if (options.ref_id == RefId{}) options.ref_id = default_ref_id(config.device.kind, index);
    if (options.local) {
        options.pps = true;
        options.lock = options.ref_id;
        options.max_lock_age_pulses = std::max(options.max_lock_age_pulses, kMinLocalLockAge);
    }
    return options;
}

HistoryConfig history_config(const Config& config, const RefclockOptions& options,
                             double precision_s) {
    HistoryConfig history;
    history.min_samples = options.min_samples.value_or(config.selection.min_samples);
    history.max_samples = options.max_samples.value_or(config.selection.max_samples);
    history.asymmetry = 0.0;
    history.precision_s = precision_s;
    return history;
}

MedianFilterConfig median_config(const RefclockOptions& options, double precision_s) {
    MedianFilterConfig median;
    median.max_samples = options.filter_samples;
    median.max_dispersion_s = options.max_dispersion_s;
    median.combine_ratio = kCombineRatio;
    median.precision_s = precision_s;
    return median;
}

}  // namespace

RefclockSource::RefclockSource(SourceId id, std::size_t index, const RefclockConfig& config,
                               bool polled, const Surroundings& around)
    : around_(around),
      options_(complete(config, index)),
      polled_(polled),
      precision_s_(std::max(options_.precision_s, around.clock.precision_s())),
      train_{options_.rate_hz, options_.max_lock_age_pulses, options_.pulse_width_s},
      selectable_(id, SourceType::Refclock,
                  history_config(around.config, options_, around.clock.precision_s()),
                  around.config.selection.estimator, around.config.selection.shadows),
      median_(median_config(options_, around.clock.precision_s())),
      leap_(options_.local ? Leap::Unsynchronised : Leap::Normal) {
    selectable_.label.ref_id = options_.ref_id;
    selectable_.ref_id = options_.ref_id;
    selectable_.configured.prefer = options_.prefer;
    selectable_.configured.noselect = options_.no_select;
    selectable_.configured.trust = options_.trust;
    selectable_.configured.require = options_.require;
    selectable_.effective = selectable_.configured;
    selectable_.max_unreachable_polls = options_.max_unreach_polls;
    selectable_.poll = options_.poll_log2_s;
}

void RefclockSource::start(const Now& now) {
    selectable_.active = true;
    next_poll_ = now.mono;
}

void RefclockSource::handle_poll(const std::vector<RawRefclockSample>& taken, const Now& now) {
    const int interval_log2 = polled_ ? options_.driver_poll_log2_s : options_.poll_log2_s;
    next_poll_ = now.mono + Duration::from_log2_seconds(interval_log2);
    if (polled_) {
        for (const RawRefclockSample& sample : taken) handle_sample(sample, now);
        ++polls_;
        if (polls_ < 1 << (options_.poll_log2_s - options_.driver_poll_log2_s)) return;
    }
    finish_poll(now);
}

// --- Samples -------------------------------------------------------------------------------------

void RefclockSource::handle_sample(const RawRefclockSample& sample, const Now& now) {
    if (!is_sane(sample)) return;
    Reading reading;
    reading.at = around_.clock.to_utc(sample.at);
    const Duration age = around_.clock.to_utc(now.system) - reading.at;
    if (age < Duration::zero() || age > Duration::from_log2_seconds(options_.poll_log2_s + 1)) {
        return;
    }
    // What the NTP clock is ahead of the system clock is known already.
    const Duration correction = reading.at.since_epoch() - sample.at.since_epoch();
    reading.raw_offset_s = sample.offset.to_seconds();
    reading.offset_s = (sample.offset - correction).to_seconds() + options_.offset_s;
    reading.dispersion_s = precision_s_ + sample.error_s;
    if (sample.kind == RawRefclockSample::Kind::Pulse || options_.pps) {
        accept_pulse(sample, reading, now);
    } else {
        accept_time(sample, reading);
    }
}

void RefclockSource::accept_time(const RawRefclockSample& sample, Reading reading) {
    leap_ = sample.leap;
    if (options_.tai && !remove_tai_offset(reading, reading.offset_s)) return;
    if (!accumulate(sample, reading)) return;
    pulses_ = false;
    log_reading(reading, false);
}

void RefclockSource::accept_pulse(const RawRefclockSample& sample, Reading reading,
                                  const Now& now) {
    const double correction_s = (reading.at.since_epoch() - sample.at.since_epoch()).to_seconds();
    Leap leap = Leap::Normal;
    const auto offset_s =
        pair_pulse(reading, nearest_pulse_offset(train_, reading.offset_s), leap, now);
    if (!offset_s) return;
    reading.offset_s = *offset_s;
    reading.raw_offset_s = *offset_s + correction_s - options_.offset_s;
    if (!accumulate(sample, reading)) return;
    leap_ = leap;
    pulses_ = true;
    log_reading(reading, true);
}

std::optional<double> RefclockSource::pair_pulse(const Reading& reading, double offset_s,
                                                 Leap& leap, const Now& now) {
    if (lock_ != nullptr) {
        if (lock_ != this && !lock_->median_.last()) return std::nullopt;
        const auto paired = lock_pulse(train_, reading.at, offset_s, reading.dispersion_s,
                                       lock_->lock_sample(reading.at, offset_s));
        leap = lock_->leap_;
        if (paired) return *paired;
        if (paired.error() == PulseDrop::TooOld && options_.local) lose_lock(now);
        return std::nullopt;
    }
    const ServerState state = around_.clock.peer_state(now);
    leap = state.leap;
    std::optional<double> distance_s;
    if (state.synchronised && state.leap != Leap::Unsynchronised) {
        distance_s = 0.5 * std::fabs(state.root_delay_s) + state.root_dispersion_at(reading.at);
    }
    const auto placed = place_pulse(train_, offset_s, distance_s);
    if (placed) return *placed;
    // What was stored may be of the wrong second as well.
    if (placed.error() != PulseDrop::WrongEdge) median_.drop();
    return std::nullopt;
}

LockSample RefclockSource::lock_sample(UtcTime at, double offset_s) const {
    LockSample sample{at, offset_s, median_.average_deviation_s()};
    if (const auto last = median_.last()) {
        sample.at = last->at;
        sample.offset_s = last->offset_s();
        sample.error_s += last->peer_dispersion_s;
    }
    return sample;
}

void RefclockSource::lose_lock(const Now& now) {
    RefclockProblem problem{selectable_.label, RefclockProblem::Reason::LostLock, RefId{}};
    around_.services.events.on_event(problem);
    reset(now);
}

bool RefclockSource::remove_tai_offset(const Reading& reading, double& offset_s) const {
    const Discipline& discipline = around_.clock.discipline();
    const UtcTime tai = reading.at + Duration::from_seconds(offset_s);
    // The table is in UTC: first as if it were that, then with what came of it.
    const int near_s = discipline.tai_offset(tai);
    const int tai_offset_s = discipline.tai_offset(tai - Duration::from_s(near_s));
    offset_s -= tai_offset_s;
    return tai_offset_s != 0;
}

bool RefclockSource::accumulate(const RawRefclockSample& sample, const Reading& reading) {
    ++received_;
    if (!sample.usable) return false;
    Measurement measurement;
    measurement.at = reading.at;
    measurement.set_offset(reading.offset_s, options_.delay_s);
    measurement.peer_dispersion_s = reading.dispersion_s;
    measurement.leap = leap_;
    measurement.ref_id = options_.ref_id;
    return median_.add(measurement);
}

void RefclockSource::log_reading(const Reading& reading, bool pulse) const {
    RefclockRecord row;
    row.at = reading.at;
    row.source = selectable_.label;
    row.driver_poll = polls_;
    row.leap = leap_;
    row.pulse = pulse;
    row.raw_offset_s = reading.raw_offset_s;
    row.offset_s = reading.offset_s;
    row.dispersion_s = reading.dispersion_s;
    around_.services.events.on_event(row);
}

// --- Polls ---------------------------------------------------------------------------------------

void RefclockSource::finish_poll(const Now& now) {
    polls_ = 0;
    update_reach(now);
    if (const auto merged = median_.take()) use(*merged, now);
}

void RefclockSource::update_reach(const Now& now) {
    Reach& reach = selectable_.reach;
    const bool reached = received_ > 0;
    received_ = 0;
    reach.bits = static_cast<std::uint8_t>(reach.bits << 1U | (reached ? 1U : 0U));
    reach.size = std::min(reach.size + 1, Reach::kFull);
    reach.unreachable_polls = reach.bits != 0 ? 0 : reach.unreachable_polls + 1;
    around_.selection.handle_reach(selectable_, now);
}

void RefclockSource::use(const Measurement& merged, const Now& now) {
    const auto before = options_.local ? local_line() : std::nullopt;
    if (options_.local) leap_ = Leap::Unsynchronised;
    const Discipline& discipline = around_.clock.discipline();
    const bool leap_close = discipline.is_leap_close(Instant{now.system, now.mono});
    selectable_.stratum = stratum_at(now);
    if (!leap_close) {
        selectable_.leap = leap_;
        around_.selection.handle_status(selectable_, now);
    }
    if (leap_close || discipline.is_leap_close(merged.at)) {
        around_.services.events.on_event(SampleDroppedAtLeap{selectable_.label});
    } else {
        selectable_.filter.update(merged);
        if (const auto row = statistics_record(selectable_)) around_.services.events.on_event(*row);
    }
    around_.selection.select(selectable_.id, now);
    if (before) follow_local(*before, now);
    log_merged(merged);
}

Stratum RefclockSource::stratum_at(const Now& now) const {
    if (!follows_pulses()) return static_cast<Stratum>(options_.stratum);
    // Pulses alone make nobody a primary clock: as long as the second comes from us, or from another
    // clock of this kind, the stratum is that of whoever told it.
    const ServerState state = around_.clock.peer_state(now);
    const bool own = state.ref_id == options_.ref_id || state.ref_id == RefId::local() ||
                     around_.peers.is_following_pulses(state.ref_id);
    if (!state.synchronised || !own || state.stratum == 0) return 0;
    return static_cast<Stratum>(state.stratum - 1);
}

void RefclockSource::log_merged(const Measurement& merged) const {
    RefclockRecord row;
    row.at = merged.at;
    row.source = selectable_.label;
    row.merged = true;
    row.leap = leap_;
    row.offset_s = merged.offset_s();
    row.dispersion_s = merged.peer_dispersion_s;
    around_.services.events.on_event(row);
}

// --- A stable oscillator (REF-26) ----------------------------------------------------------------

std::optional<RefclockSource::Line> RefclockSource::local_line() const {
    const SampleHistory& history = selectable_.filter.history();
    if (!history.has_line() || history.count() < history.min_samples()) return std::nullopt;
    const HistoryLine& line = history.line();
    return Line{line.at, line.offset_s, line.frequency};
}

void RefclockSource::follow_local(const Line& before, const Now& now) {
    const auto line = local_line();
    if (!line) return;
    const double elapsed_s = (line->at - before.at).to_seconds();
    ClockAdjustment change;
    change.frequency_change = (line->frequency - before.frequency) / (1.0 + before.frequency);
    change.offset_change_s = line->offset_s - elapsed_s * before.frequency - before.offset_s;
    change.at = around_.clock.to_utc(now.system);
    if (!around_.clock.adjust_reference(change.offset_change_s, change.frequency_change, now)) {
        return;
    }
    // Ours alone: the others shall see how much steadier the clock has become.
    adjust(change);
    if (std::fabs(line->offset_s) < 1.0) return;
    const double whole_s = -std::round(line->offset_s);
    selectable_.filter.shift_offsets(whole_s);
    median_.shift_offsets(whole_s);
}

// --- Others' doing -------------------------------------------------------------------------------

void RefclockSource::adjust(const ClockAdjustment& adjustment) {
    selectable_.filter.adjust(adjustment);
    median_.adjust(adjustment);
}

void RefclockSource::reset(const Now& now) {
    selectable_.filter.reset();
    median_.reset();
    around_.selection.handle_reset(selectable_, now);
}

}  // namespace gnomon
