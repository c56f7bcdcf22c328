#include "refclock/decode/sock_sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace gnomon {
namespace {

template <typename T>
void put(std::vector<std::uint8_t>& bytes, T value) {
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

struct Fields {
    std::int64_t s = 1700000000;
    std::int64_t us = 500000;
    double offset_s = 0.25;
    std::int32_t pulse = 0;
    std::int32_t leap = 0;
    std::int32_t magic = kSockMagic;
};

template <typename Time = std::int64_t>
std::vector<std::uint8_t> datagram(const Fields& fields) {
    std::vector<std::uint8_t> bytes;
    put(bytes, static_cast<Time>(fields.s));
    put(bytes, static_cast<Time>(fields.us));
    put(bytes, fields.offset_s);
    put(bytes, fields.pulse);
    put(bytes, fields.leap);
    put(bytes, std::int32_t{0});
    put(bytes, fields.magic);
    return bytes;
}

TEST(SockSample, BothSizesOfTimeMeanTheSame) {
    for (const auto& bytes : {datagram({}), datagram<std::int32_t>({})}) {
        const auto sample = decode_sock(bytes);
        ASSERT_TRUE(sample.has_value());
        EXPECT_EQ(sample->kind, RawRefclockSample::Kind::Time);
        EXPECT_EQ(sample->at, SystemTime::from_ns(1'700'000'000'500'000'000));
        EXPECT_EQ(sample->offset, Duration::from_ms(250));
    }
}

TEST(SockSample, PulsesAreMarkedAndTheirLeapIsIgnored) {
    const auto sample = decode_sock(datagram({.pulse = 1, .leap = 99}));
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->kind, RawRefclockSample::Kind::Pulse);
    EXPECT_EQ(sample->leap, Leap::Normal);
}

TEST(SockSample, LeapOfTimesIsPassedOn) {
    EXPECT_EQ(decode_sock(datagram({.leap = 2}))->leap, Leap::DeleteSecond);
    EXPECT_EQ(decode_sock(datagram({.leap = 3})).error(), SockDrop::BadLeap);
}

TEST(SockSample, ForeignDatagramsAreRefused) {
    EXPECT_EQ(decode_sock(datagram({.magic = 1})).error(), SockDrop::BadMagic);
    auto bytes = datagram({});
    bytes.push_back(0);
    EXPECT_EQ(decode_sock(bytes).error(), SockDrop::WrongSize);
    EXPECT_EQ(decode_sock({}).error(), SockDrop::WrongSize);
}

TEST(SockSample, ImpossibleNumbersAreRefused) {
    for (const double offset_s :
         {std::nan(""), std::numeric_limits<double>::infinity(), 1e18, -1.7e9 - 1.0}) {
        EXPECT_EQ(decode_sock(datagram({.offset_s = offset_s})).error(), SockDrop::BadTime);
    }
    EXPECT_EQ(decode_sock(datagram({.s = -1})).error(), SockDrop::BadTime);
    EXPECT_EQ(decode_sock(datagram({.us = INT64_MIN})).error(), SockDrop::BadTime);
}

}  // namespace
}  // namespace gnomon
