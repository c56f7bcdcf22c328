#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr MacAddress kMac{2, 3, 4, 5, 6, 7};

/// As RFC 1071 says it, word by word.
std::uint16_t plain_sum(std::span<const std::uint8_t> data) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
        sum += i % 2 == 0 ? static_cast<std::uint32_t>(data[i]) << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

TEST(Checksum, EqualsTheSumByWordsForEveryLengthAndAlignment) {
    Bytes data(80);
    std::uint32_t state = 1;
    for (std::uint8_t& byte : data) {
        byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
    }
    for (std::size_t from = 0; from < 8; ++from) {
        for (std::size_t size = 0; from + size <= data.size(); ++size) {
            const auto part = std::span(data).subspan(from, size);
            const std::uint16_t word = fold_sum(sum_words(0, part.data(), size));
            EXPECT_EQ(sum_order(word), plain_sum(part)) << from << ' ' << size;
            EXPECT_EQ(checksum_finish(checksum_add(0, part)),
                      static_cast<std::uint16_t>(~plain_sum(part)));
        }
    }
    const Bytes ones(4096, 0xff);
    EXPECT_EQ(fold_sum(sum_words(0, ones.data(), ones.size())), 0xffff);
    // 2^56 - 1 is 255 modulo 2^16 - 1.
    EXPECT_EQ(fold_sum(sum_words(~std::uint64_t{0} >> 8, ones.data(), ones.size())), 255);
}

TEST(Arp, SurvivesBuildingAndParsing) {
    for (const bool reply : {false, true}) {
        ArpPacket packet;
        packet.reply = reply;
        packet.sender_mac = kMac;
        packet.sender_ip = *IpAddress::parse("192.0.2.1");
        packet.target_mac = {8, 9, 10, 11, 12, 13};
        packet.target_ip = *IpAddress::parse("192.0.2.2");
        Bytes out(kArpSize + 5);
        ASSERT_EQ(build_arp(packet, out), kArpSize);
        const auto back = parse_arp(out);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->reply, reply);
        EXPECT_EQ(back->sender_mac, packet.sender_mac);
        EXPECT_EQ(back->sender_ip, packet.sender_ip);
        EXPECT_EQ(back->target_mac, packet.target_mac);
        EXPECT_EQ(back->target_ip, packet.target_ip);
        EXPECT_FALSE(parse_arp(std::span(out).first(kArpSize - 1)));
        EXPECT_EQ(build_arp(packet, std::span(out).first(kArpSize - 1)), 0U);
        packet.target_ip = *IpAddress::parse("2001:db8::1");
        EXPECT_EQ(build_arp(packet, out), 0U);
    }
}

TEST(Arp, RefusesSendersThatAreNoStations) {
    ArpPacket packet;
    packet.sender_ip = packet.target_ip = *IpAddress::parse("192.0.2.1");
    Bytes out(kArpSize);
    for (const MacAddress& mac : {MacAddress{}, kBroadcastMac, MacAddress{1, 0, 0, 0, 0, 1}}) {
        packet.sender_mac = mac;
        ASSERT_EQ(build_arp(packet, out), kArpSize);
        EXPECT_FALSE(parse_arp(out));
    }
}

TEST(NeighbourDiscovery, SurvivesBuildingAndParsing) {
    for (int flags = 0; flags < 16; ++flags) {
        NeighbourMessage message;
        message.advertisement = (flags & 1) != 0;
        message.source = *IpAddress::parse("fe80::1");
        message.destination = *IpAddress::parse("fe80::2");
        message.target = *IpAddress::parse("2001:db8::1234:5678");
        message.from_router = message.advertisement && (flags & 2) != 0;
        message.solicited = message.advertisement && (flags & 4) != 0;
        message.override_known = message.advertisement && (flags & 2) == 0;
        if ((flags & 8) != 0) message.link_layer = kMac;
        Bytes out(72);
        const std::size_t size = build_neighbour(message, out);
        ASSERT_EQ(size, (flags & 8) != 0 ? 72U : 64U);
        const auto back = parse_neighbour(std::span(out).first(size));
        ASSERT_TRUE(back) << flags;
        EXPECT_EQ(back->advertisement, message.advertisement);
        EXPECT_EQ(back->source, message.source);
        EXPECT_EQ(back->destination, message.destination);
        EXPECT_EQ(back->target, message.target);
        EXPECT_EQ(back->from_router, message.from_router);
        EXPECT_EQ(back->solicited, message.solicited);
        EXPECT_EQ(back->override_known, message.override_known);
        EXPECT_EQ(back->link_layer, message.link_layer);
        EXPECT_EQ(build_neighbour(message, std::span(out).first(size - 1)), 0U);
        for (std::size_t cut = 0; cut < size; ++cut) {
            EXPECT_FALSE(parse_neighbour(std::span(out).first(cut)));
        }
    }
}

TEST(NeighbourDiscovery, AdvertisementsToGroupsAreNotSolicited) {
    NeighbourMessage message;
    message.advertisement = message.solicited = true;
    message.source = message.target = *IpAddress::parse("fe80::1");
    message.destination = all_nodes();
    Bytes out(64);
    ASSERT_EQ(build_neighbour(message, out), 64U);
    EXPECT_FALSE(parse_neighbour(out));
    message.solicited = false;
    ASSERT_EQ(build_neighbour(message, out), 64U);
    EXPECT_TRUE(parse_neighbour(out));
}

TEST(NeighbourDiscovery, KnowsItsGroups) {
    const IpAddress address = *IpAddress::parse("2001:db8::1234:5678");
    EXPECT_EQ(solicited_node(address).to_string(), "ff02::1:ff34:5678");
    EXPECT_EQ(multicast_mac(solicited_node(address)),
              (MacAddress{0x33, 0x33, 0xff, 0x34, 0x56, 0x78}));
    EXPECT_EQ(all_nodes().to_string(), "ff02::1");
    EXPECT_EQ(all_listener_routers().to_string(), "ff02::16");
    EXPECT_TRUE(is_multicast(*IpAddress::parse("239.255.0.1")));
    EXPECT_FALSE(is_multicast(*IpAddress::parse("240.0.0.1")));
    EXPECT_FALSE(is_multicast(address));
}

TEST(ListenerReport, DoesNotOverflowItsBuffer) {
    const std::vector<IpAddress> groups(3, *IpAddress::parse("ff02::1:ff00:1"));
    Bytes out(116);
    EXPECT_EQ(build_listener_report(*IpAddress::parse("fe80::1"), groups, out), 116U);
    EXPECT_TRUE(icmpv6_checksum_holds(out, std::span(out).subspan(48)));
    EXPECT_EQ(
        build_listener_report(*IpAddress::parse("fe80::1"), groups, std::span(out).first(115)), 0U);
}

TEST(IpAddress, IsSetFromThePacket) {
    const std::array<std::uint8_t, 16> bytes{0x20, 1,  0xd, 0xb8, 5,  6,  7,  8,
                                             9,    10, 11,  12,   13, 14, 15, 16};
    IpAddress address = *IpAddress::parse("2001:db8:ffff:ffff:ffff::1");
    address.set_v4(bytes.data());
    EXPECT_EQ(address, *IpAddress::parse("32.1.13.184"));
    address.set_v6(bytes.data());
    EXPECT_EQ(address, IpAddress::v6(bytes));
}

}  // namespace
}  // namespace gnomon
