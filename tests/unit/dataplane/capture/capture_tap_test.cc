#include "dataplane/capture/capture_tap.h"

#include <gtest/gtest.h>

#include <thread>

#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

Stamp stamp_at(std::int64_t ns) {
    Stamp stamp;
    stamp.time = SystemTime::from_ns(ns);
    stamp.source = TimestampSource::Kernel;
    return stamp;
}

TEST(CaptureTap, TakesNothingWhileClosed) {
    CaptureTap tap("eth0", "", CaptureLink::Ethernet);
    const std::array<std::uint8_t, 4> frame{1, 2, 3, 4};
    tap.offer(frame, stamp_at(1), CaptureDirection::In);
    EXPECT_FALSE(tap.active());
    tap.open();
    EXPECT_EQ(tap.front(), nullptr);
    EXPECT_EQ(tap.lost(), 0u);
}

TEST(CaptureTap, KeepsOrderBytesAndStamps) {
    CaptureTap tap("eth0", "", CaptureLink::Ethernet);
    tap.open();
    for (std::uint8_t i = 0; i < 3; ++i) {
        const std::array<std::uint8_t, 2> frame{i, 7};
        tap.offer(frame, stamp_at(100 + i), CaptureDirection::Out);
    }
    for (std::uint8_t i = 0; i < 3; ++i) {
        const CaptureSlot* slot = tap.front();
        ASSERT_NE(slot, nullptr);
        EXPECT_EQ(slot->time.ns(), 100 + i);
        EXPECT_EQ(slot->length, 2u);
        EXPECT_EQ(slot->captured, 2u);
        EXPECT_EQ(slot->bytes[0], i);
        EXPECT_EQ(slot->source, TimestampSource::Kernel);
        EXPECT_EQ(slot->direction, CaptureDirection::Out);
        tap.pop();
    }
    EXPECT_EQ(tap.front(), nullptr);
}

TEST(CaptureTap, CutsLongPacketsAndKeepsTheirLength) {
    CaptureTap tap("eth0", "", CaptureLink::Ethernet);
    tap.open();
    const std::vector<std::uint8_t> frame(1500, 0x55);
    tap.offer(frame, stamp_at(1), CaptureDirection::In);
    ASSERT_NE(tap.front(), nullptr);
    EXPECT_EQ(tap.front()->length, 1500u);
    EXPECT_EQ(tap.front()->captured, CaptureSlot::kSnapLength);
}

TEST(CaptureTap, CountsWhatAFullRingCannotHold) {
    CaptureTap tap("eth0", "", CaptureLink::Ethernet);
    tap.open();
    const std::array<std::uint8_t, 1> frame{1};
    for (std::size_t i = 0; i < CaptureTap::kSlots + 5; ++i) {
        tap.offer(frame, stamp_at(static_cast<std::int64_t>(i)), CaptureDirection::In);
    }
    EXPECT_EQ(tap.lost(), 5u);
    EXPECT_EQ(tap.front()->time.ns(), 0);
    tap.close();
    tap.open();
    EXPECT_EQ(tap.lost(), 0u);
    EXPECT_EQ(tap.front(), nullptr);
}

TEST(CaptureTap, MakesUpHeadersForDatagrams) {
    CaptureTap tap("worker", "", CaptureLink::Ip);
    tap.open();
    const std::vector<std::uint8_t> payload(48, 0x23);
    const SocketAddress client{*IpAddress::parse("192.0.2.1"), 40000};
    tap.offer_datagram(client, SocketAddress{IpAddress(), 123}, payload, stamp_at(5),
                       CaptureDirection::In);
    const CaptureSlot* slot = tap.front();
    ASSERT_NE(slot, nullptr);
    const UdpParse parsed = parse_ip_udp({slot->bytes.data(), slot->captured});
    ASSERT_TRUE(parsed.packet.has_value());
    EXPECT_EQ(parsed.packet->source, client);
    EXPECT_EQ(parsed.packet->destination.ip, IpAddress::any(IpAddress::Family::V4));
    EXPECT_EQ(parsed.packet->destination.port, 123);
    EXPECT_EQ(parsed.packet->payload.size(), 48u);
}

TEST(CaptureTap, LosesNoPacketUncounted_BetweenTwoThreads) {
    CaptureTap tap("eth0", "", CaptureLink::Ethernet);
    tap.open();
    constexpr std::int64_t kPackets = 50'000;
    std::thread owner([&tap] {
        const std::array<std::uint8_t, 60> frame{};
        for (std::int64_t i = 1; i <= kPackets; ++i) {
            tap.offer(frame, stamp_at(i), CaptureDirection::In);
        }
    });
    std::int64_t taken = 0;
    std::int64_t last = 0;
    const auto drain = [&] {
        while (const CaptureSlot* slot = tap.front()) {
            EXPECT_GT(slot->time.ns(), last);
            last = slot->time.ns();
            ++taken;
            tap.pop();
        }
    };
    for (int i = 0; i < 1000; ++i) drain();
    owner.join();
    drain();
    EXPECT_EQ(taken + static_cast<std::int64_t>(tap.lost()), kPackets);
}

TEST(CaptureTaps, SelectsByPortAndMakesEachTapOnce) {
    CaptureTaps taps;
    CaptureTap& first = taps.tap("eth1/0", "queue 0", CaptureLink::Ethernet);
    taps.tap("eth1/1", "queue 1", CaptureLink::Ethernet);
    taps.tap("eth10", "", CaptureLink::Ethernet);
    EXPECT_EQ(&taps.tap("eth1/0", "", CaptureLink::Ethernet), &first);
    EXPECT_EQ(taps.select("").size(), 3u);
    EXPECT_EQ(taps.select("eth1").size(), 2u);
    EXPECT_EQ(taps.select("eth1/1").size(), 1u);
    EXPECT_TRUE(taps.select("eth2").empty());
}

}  // namespace
}  // namespace gnomon
