#include "refclock/decode/shm_layout.h"

#include <gtest/gtest.h>

#include <vector>

namespace gnomon {
namespace {

ShmSegment good_segment() {
    ShmSegment segment;
    segment.mode = 1;
    segment.count = 7;
    segment.clock_s = 1700000000;
    segment.clock_us = 250000;
    segment.receive_s = 1700000000;
    segment.receive_us = 150000;
    segment.clock_ns = 250000123;
    segment.receive_ns = 150000023;
    segment.valid = 1;
    return segment;
}

TEST(ShmLayout, NanosecondsAreBelievedWhereTheyAgreeWithMicroseconds) {
    const auto sample = decode_shm(good_segment(), 7);
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->offset, Duration::from_ns(100'000'100));
    EXPECT_EQ(sample->at, SystemTime::from_ns(1'700'000'000'150'000'023));
    EXPECT_EQ(sample->kind, RawRefclockSample::Kind::Time);
}

TEST(ShmLayout, MicrosecondsCountWhenEitherNanosecondsDisagree) {
    ShmSegment segment = good_segment();
    segment.receive_ns = 0;
    const auto sample = decode_shm(segment, 7);
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->offset, Duration::from_ms(100));
    EXPECT_EQ(sample->at, SystemTime::from_ns(1'700'000'000'150'000'000));
}

TEST(ShmLayout, ATornCopyIsDroppedInModeOneOnly) {
    ShmSegment segment = good_segment();
    EXPECT_EQ(decode_shm(segment, 8).error(), ShmDrop::Torn);
    segment.mode = 0;
    EXPECT_TRUE(decode_shm(segment, 8).has_value());
    segment.mode = 2;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadMode);
}

TEST(ShmLayout, NothingNewIsNoSample) {
    ShmSegment segment = good_segment();
    segment.valid = 0;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::NotValid);
}

TEST(ShmLayout, LeapIsPassedOnAndAnAlarmIsNot) {
    ShmSegment segment = good_segment();
    segment.leap = 1;
    EXPECT_EQ(decode_shm(segment, 7)->leap, Leap::InsertSecond);
    segment.leap = 3;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadLeap);
    segment.leap = -1;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadLeap);
}

TEST(ShmLayout, MicrosecondsOutsideASecondAreCarried) {
    ShmSegment segment = good_segment();
    segment.clock_us = -100000;
    const auto sample = decode_shm(segment, 7);
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->offset, Duration::from_ms(-250));
}

TEST(ShmLayout, TimesThatNtpCannotTellAreRefused) {
    ShmSegment segment = good_segment();
    segment.clock_s = -5;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadTime);
    segment.clock_s = 1;
    segment.receive_s = 6'000'000'000;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadTime);
    segment.receive_s = INT64_MAX;
    EXPECT_EQ(decode_shm(segment, 7).error(), ShmDrop::BadTime);
}

TEST(ShmLayout, TooFewBytesAreNoSegment) {
    EXPECT_EQ(decode_shm(std::vector<std::uint8_t>(95), 0).error(), ShmDrop::WrongSize);
}

}  // namespace
}  // namespace gnomon
