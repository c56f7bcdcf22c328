#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mgmt/command/wire.h"

namespace gnomon::command {
namespace {

TEST(FloatFormat, KnownValuesHaveTheirBits) {
    EXPECT_EQ(encode_float(0.0), 0U);
    EXPECT_EQ(encode_float(-0.0), 0U);
    EXPECT_EQ(encode_float(1.0), 0x04800000U);   // 2^23 · 2^(2−25)
    EXPECT_EQ(encode_float(-1.0), 0x03000000U);  // −2^24 · 2^(1−25)
    EXPECT_EQ(encode_float(0.5), 0x02800000U);
    EXPECT_EQ(encode_float(-0.5), 0x01000000U);
    EXPECT_EQ(encode_float(3.0), 0x06C00000U);
}

TEST(FloatFormat, NotANumberIsZeroAndTheRestSaturates) {
    EXPECT_EQ(encode_float(std::nan("")), 0U);
    const double largest = std::ldexp((1 << 24) - 1, 63 - 25);
    EXPECT_EQ(decode_float(encode_float(std::numeric_limits<double>::infinity())), largest);
    EXPECT_EQ(decode_float(encode_float(1e300)), largest);
    EXPECT_EQ(decode_float(encode_float(-1e300)), -std::ldexp(1.0, 63 - 1));
    EXPECT_EQ(decode_float(encode_float(-std::numeric_limits<double>::infinity())),
              -std::ldexp(1.0, 63 - 1));
    EXPECT_EQ(encode_float(1e-60), 0U);
}

TEST(FloatFormat, EveryBitPatternIsFiniteAndKeepsItsValueWhenEncodedAgain) {
    // A stride coprime to the powers of two visits all exponents and spreads over coefficients.
    for (std::uint64_t bits = 0; bits <= 0xffff'ffffU; bits += 4099) {
        const double value = decode_float(static_cast<std::uint32_t>(bits));
        ASSERT_TRUE(std::isfinite(value));
        const double again = decode_float(encode_float(value));
        ASSERT_EQ(again, value) << std::hex << bits;
    }
}

TEST(FloatFormat, RoundsToTheNearestOfTwentyFourBits) {
    double value = 1e-12;
    while (value < 1e12) {
        for (const double x : {value, -value}) {
            const double back = decode_float(encode_float(x));
            ASSERT_LE(std::abs(back - x), std::abs(x) * std::ldexp(1.0, -24)) << x;
        }
        value *= 1.0137;
    }
}

TEST(FloatFormat, TinyValuesLosePrecisionGradually) {
    const double smallest = std::ldexp(1.0, -64 - 25);
    EXPECT_EQ(decode_float(encode_float(smallest)), smallest);
    EXPECT_EQ(decode_float(encode_float(-3 * smallest)), -3 * smallest);
    EXPECT_EQ(encode_float(smallest / 4), 0U);
}

}  // namespace
}  // namespace gnomon::command
