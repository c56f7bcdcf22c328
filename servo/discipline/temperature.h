#pragma once

/// `tempcomp`: compensation of what temperature does to the oscillator, from the text of a sensor's
/// file to a frequency. Pure; no input makes it throw or fail.
///
/// Sign of compensations: > 0: the oscillator runs slow at this temperature.

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "servo/units/time_point.h"

namespace gnomon {

/// Compensations beyond this are not sane, s/s.
inline constexpr double kMaxTemperatureCompensation = 10e-6;

/// The number a sensor's file begins with, in whatever unit; empty: there is none, or not finite.
std::optional<double> parse_temperature(std::string_view text) noexcept;

/// Compensation as a function of the temperature: a parabola, or lines between points.
class TemperatureCurve {
public:
    /// k0 + k1 (T − t0) + k2 (T − t0)², ppm.
    TemperatureCurve(double t0, double k0, double k1, double k2) noexcept
        : t0_(t0), k0_(k0), k1_(k1), k2_(k2) {}
    /// Lines of temperature and ppm, in the order of temperature; at least two. Empty if not so.
    static std::optional<TemperatureCurve> parse_points(std::string_view text);

    /// s/s; not checked for sanity. The outer lines go on beyond the outer points.
    double compensation(double temperature) const noexcept;

private:
    struct Point {
        double temperature;
        double ppm;
    };
    TemperatureCurve() = default;

    double t0_ = 0.0;
    double k0_ = 0.0;
    double k1_ = 0.0;
    double k2_ = 0.0;
    std::vector<Point> points_;
};

/// `tempcomp … learn`: learns the slope of frequency against temperature.
///
/// Both are averaged over ten minutes. The change of the frequency over half an hour is regressed on
/// that of the temperature (least squares through the origin, forgotten over three days): changes,
/// because levels of two quantities that both wander agree by chance. Before it is learned from, every
/// change is predicted with the coefficient there is; that is used once the predictions of twelve hours
/// took at least 40 % off the sum of squares of the frequency's changes.
///
/// What is applied is the sum of coefficient times change of temperature since then, so that a better
/// coefficient never makes the frequency jump.
class LearnedTemperature {
public:
    /// A reading in °C or thousandths of it; the first one beyond 1000 tells the unit for good.
    /// `correction` (s/s): all that the frequency takes, this compensation included; empty while
    /// nobody measures it. Returns the compensation in force, which readings that are not plausible
    /// leave as it is.
    double add(MonoTime now, double reading, std::optional<double> correction) noexcept;

    /// The temperature of a running machine (−60 … 150 °C), and within 20 °C of the last reading that
    /// was taken, or of the last that was refused: a sensor that stays elsewhere is believed the
    /// second time, without a jump of the compensation.
    bool is_plausible(double reading) const noexcept;
    /// s/s per °C; 0: nothing learned that proved itself.
    double coefficient() const noexcept;

private:
    static constexpr std::size_t kLag = 3;
    struct Average {
        double temperature = 0.0;
        double correction = 0.0;
    };
    /// °C per unit of a reading, once `reading` is known.
    double scale(double reading) const noexcept;
    void forget_averages() noexcept;
    void finish_average() noexcept;

    std::optional<MonoTime> began_;
    Average sum_;
    int summed_ = 0;
    std::array<Average, kLag> before_{};
    std::size_t count_ = 0;

    double squares_ = 0.0;   ///< Σ ΔT²
    double products_ = 0.0;  ///< Σ ΔT Δf
    double outcome_squares_ = 0.0;
    double remaining_squares_ = 0.0;
    double tests_ = 0.0;

    bool in_thousandths_ = false;
    std::optional<double> last_reading_;
    std::optional<double> refused_;  ///< the last since then that was too far off
    double compensation_ = 0.0;
};

}  // namespace gnomon
