#pragma once

/// `Frequency`: a relative frequency (dimensionless, s/s). Sign: positive means that the local
/// clock gains on its reference when it is an *error*, and that the clock is made to run faster
/// when it is a *correction*; every use says which one it is.

#include <compare>

namespace gnomon {

class Frequency {
public:
    constexpr Frequency() noexcept = default;
    static constexpr Frequency from_ratio(double ratio) noexcept { return Frequency(ratio); }
    static constexpr Frequency from_ppm(double ppm) noexcept { return Frequency(ppm * 1e-6); }
    static constexpr Frequency from_ppb(double ppb) noexcept { return Frequency(ppb * 1e-9); }

    constexpr double ratio() const noexcept { return ratio_; }
    constexpr double ppm() const noexcept { return ratio_ * 1e6; }
    constexpr double ppb() const noexcept { return ratio_ * 1e9; }

    constexpr Frequency operator-() const noexcept { return Frequency(-ratio_); }
    friend constexpr Frequency operator+(Frequency a, Frequency b) noexcept {
        return Frequency(a.ratio_ + b.ratio_);
    }
    friend constexpr Frequency operator-(Frequency a, Frequency b) noexcept {
        return Frequency(a.ratio_ - b.ratio_);
    }
    friend constexpr auto operator<=>(Frequency, Frequency) noexcept = default;

private:
    explicit constexpr Frequency(double ratio) noexcept : ratio_(ratio) {}
    double ratio_ = 0.0;
};

}  // namespace gnomon
