#pragma once

/// `ClockRelation`: where another clock of this machine (the hardware clock of a network interface)
/// stands against the NTP clock, with the uncertainty of that, so that its stamps become NTP times.
///
/// Model. State x = [e, f] at the instant of the last reading: the hardware clock shows `phc + e` and
/// gains f seconds a second on the NTP clock. It runs free, and both oscillators wander:
///
///     e ← e + d f,   cov w = q² [d³/3 d²/2; d²/2 d]   (random-walk FM)
///
/// A reading observes e with a variance R that the reader estimated from the scatter of its burst. That
/// is a lower bound: what a whole burst has in common does not show in it. Neither q nor the share of
/// the common part is known, so a filter runs for every pair of a grid of q and of multiples of R; each
/// is weighted by the likelihood of its innovations with exponential forgetting (Magill 1965) and the
/// result is the mixture's mean and covariance, as in `KalmanEstimator`.
///
/// Everything is on the NTP clock. What we do to that clock is told by `adjust` and is a known input: it
/// moves the instant of the state and scales f, and costs no certainty.
///
/// Trust. A reading that no filter can explain is not used, and stamps are refused until the next one
/// decides: if that one agrees with the past the first was an outlier, otherwise the clock has jumped
/// and is learned anew. A clock that stands still or runs at a rate that no free-running clock has is
/// followed but not trusted. After every failure more good readings in a row are wanted (up to
/// kMaxProbation), so that a broken clock does not come and go.
///
/// Pure; one thread; never allocates, never throws, any finite or infinite input.

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <optional>

#include "servo/units/measurement.h"
#include "servo/units/time_point.h"

namespace gnomon {

using PhcTime = TimePoint<Scale::Phc>;

struct ClockRelationConfig {
    int min_readings = 2;  ///< before stamps are converted, ≥ 2
    /// A free-running clock gains or loses no more than this, s/s.
    double max_frequency = 0.5;
};

/// The hardware clock seen at one instant, by one burst of readings.
struct ClockReading {
    UtcTime at;
    PhcTime phc;
    double variance_s2 = 0.0;  ///< of the difference, by scatter
    double error_s = 0.0;      ///< bound of what scatter does not show: half the reading's delay
};

class ClockRelation {
public:
    explicit ClockRelation(const ClockRelationConfig& config = {}) noexcept;

    enum class Fault : std::uint8_t {
        None,
        Jumped,     ///< stepped by somebody, or by a reset of the interface
        Stopped,    ///< it does not advance
        WrongRate,  ///< faster or slower than anything that tells time
    };

    /// What the reading revealed; a fault is returned once, when it is found out.
    Fault update(const ClockReading& reading) noexcept;
    void adjust(const ClockAdjustment& adjustment) noexcept;
    void reset() noexcept;

    /// Stamps can be converted.
    bool is_trusted() const noexcept;

    struct Converted {
        UtcTime at;
        double variance_s2 = 0.0;
        double error_s = 0.0;  ///< of the last reading, what the variance does not cover
    };
    /// The NTP time at which the hardware clock showed `stamp`. Empty while the clock is not trusted,
    /// and for stamps farther than kMaxReach from the last reading.
    std::optional<Converted> to_utc(PhcTime stamp) const noexcept;

    /// What the last reading told that was not expected: by how much the hardware clock is ahead of
    /// where it was predicted, s, and gains more, s/s. Zero after a start.
    struct Change {
        double offset_s = 0.0;
        double frequency = 0.0;
    };
    const Change& last_change() const noexcept { return change_; }
    /// How far the hardware clock is ahead of `base` and the NTP clock at `t`.
    double ahead_s(UtcTime t, Duration base) const noexcept;
    /// `base` of which `ahead_s` is about zero now.
    Duration difference() const noexcept { return phc_.since_epoch() - at_.since_epoch(); }

    double frequency() const noexcept { return mean_(1); }  ///< s/s, > 0: it gains on the NTP clock
    double frequency_sd() const noexcept;
    double offset_sd_s() const noexcept;
    int readings() const noexcept { return readings_; }  ///< since the last start
    std::uint32_t faults() const noexcept { return faults_; }

    static constexpr Duration kMaxReach = Duration::from_s(1 << 21);
    static constexpr int kMaxProbation = 256;

private:
    static constexpr int kWanders = 6;
    static constexpr int kScales = 3;
    struct Filter {
        Eigen::Vector2d x = Eigen::Vector2d::Zero();
        Eigen::Matrix2d p = Eigen::Matrix2d::Identity();
        double log_weight = 0.0;
    };
    using Bank = std::array<Filter, kWanders * kScales>;

    void start(const ClockReading& reading) noexcept;
    static double wander_of(std::size_t index) noexcept;
    static double scale_of(std::size_t index) noexcept;
    static void predict(Filter& filter, double d_s, double wander) noexcept;
    static void observe(Filter& filter, double observed_s, double variance_s2) noexcept;
    bool is_possible(const Bank& predicted, const ClockReading& reading,
                     double observed_s) const noexcept;
    void mix() noexcept;
    Fault fail(Fault fault) noexcept;

    ClockRelationConfig config_;
    Bank bank_;
    UtcTime at_;   ///< of the last reading used
    PhcTime phc_;  ///< what it read; the filters' e is relative to that
    double error_s_ = 0.0;
    Eigen::Vector2d mean_ = Eigen::Vector2d::Zero();
    Eigen::Matrix2d covariance_ = Eigen::Matrix2d::Identity();

    Change change_;

    int readings_ = 0;
    bool doubtful_ = false;  ///< the last reading was not used
    bool failed_ = false;    ///< a fault has been told and is not over
    int probation_ = 0;      ///< good readings in a row that are wanted
    int good_ = 0;           ///< and have been seen
    std::uint32_t faults_ = 0;
};

}  // namespace gnomon
