#include <cmath>

#include "mgmt/command/wire.h"

namespace gnomon::command {

namespace {

constexpr int kCoefficientBits = 25;
constexpr int kMinExponent = -64;
constexpr int kMaxExponent = 63;
constexpr std::int64_t kMaxCoefficient = (1 << (kCoefficientBits - 1)) - 1;
constexpr std::uint32_t kCoefficientMask = (1U << kCoefficientBits) - 1;

}  // namespace

std::uint32_t encode_float(double value) noexcept {
    if (std::isnan(value) || value == 0.0) return 0;
    const bool negative = value < 0.0;
    const std::int64_t limit = kMaxCoefficient + (negative ? 1 : 0);
    int exponent = kMaxExponent;
    std::int64_t coefficient = limit;
    if (std::isfinite(value)) {
        // The magnitude is fraction · 2^exponent with 0.5 ≤ fraction < 1: a coefficient of 24 bits
        // belongs to the exponent one higher.
        const double fraction = std::frexp(std::abs(value), &exponent);
        exponent += 1;
        int scale = kCoefficientBits - 1;
        if (exponent < kMinExponent) {
            scale -= kMinExponent - exponent;
            exponent = kMinExponent;
        }
        coefficient = std::llround(std::ldexp(fraction, scale));
        if (coefficient > limit) {
            coefficient >>= 1;
            exponent += 1;
        }
        // −2^24 and −2^23 with the next exponent are the same number; everybody sends the first.
        if (negative && coefficient == limit / 2 && exponent > kMinExponent) {
            coefficient = limit;
            exponent -= 1;
        }
        if (exponent > kMaxExponent) {
            exponent = kMaxExponent;
            coefficient = limit;
        }
        if (coefficient == 0) return 0;
    }
    const auto bits = static_cast<std::uint32_t>(negative ? -coefficient : coefficient);
    return static_cast<std::uint32_t>(exponent) << kCoefficientBits | (bits & kCoefficientMask);
}

double decode_float(std::uint32_t bits) noexcept {
    int exponent = static_cast<int>(bits >> kCoefficientBits);
    if (exponent > kMaxExponent) exponent -= 2 * (kMaxExponent + 1);
    auto coefficient = static_cast<std::int32_t>(bits & kCoefficientMask);
    if (coefficient > kMaxCoefficient) coefficient -= 1 << kCoefficientBits;
    return std::ldexp(static_cast<double>(coefficient), exponent - kCoefficientBits);
}

}  // namespace gnomon::command
