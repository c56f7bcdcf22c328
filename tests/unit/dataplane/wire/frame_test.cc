#include <algorithm>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Ethernet, SurvivesBuildingAndParsingWithAnyNumberOfTags) {
    for (std::size_t tags = 0; tags <= 2; ++tags) {
        EthernetHeader header;
        header.destination = {1, 2, 3, 4, 5, 6};
        header.source = {7, 8, 9, 10, 11, 12};
        header.tag_count = tags;
        header.tags[0] = {tags == 2 ? kEtherTypeQinQ : kEtherTypeVlan, 0x6064};
        header.tags[1] = {kEtherTypeVlan, 0x0001};
        header.ether_type = kEtherTypeIpv6;
        Bytes frame(header.size());
        ASSERT_EQ(build_ethernet(header, frame), 14 + 4 * tags);
        const auto back = parse_ethernet(frame);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->destination, header.destination);
        EXPECT_EQ(back->source, header.source);
        EXPECT_EQ(back->tag_count, tags);
        EXPECT_EQ(back->ether_type, kEtherTypeIpv6);
        if (tags > 0) {
            EXPECT_EQ(back->tags[0].id(), 0x64);
        }
        frame.pop_back();
        EXPECT_FALSE(parse_ethernet(frame));
        EXPECT_EQ(build_ethernet(header, frame), 0U);
    }
}

TEST(Ethernet, RefusesLengthFramesAndThreeTags) {
    Bytes frame(64, 0);
    frame[13] = 46;
    EXPECT_FALSE(parse_ethernet(frame));
    for (std::size_t at = 12; at <= 20; at += 4) frame[at] = 0x81, frame[at + 1] = 0;
    frame[24] = 0x08;
    EXPECT_FALSE(parse_ethernet(frame));
}

UdpPacket example(bool v6, std::span<const std::uint8_t> payload) {
    UdpPacket packet;
    packet.source = {*IpAddress::parse(v6 ? "2001:db8::1" : "192.0.2.1"), 123};
    packet.destination = {*IpAddress::parse(v6 ? "2001:db8::2" : "198.51.100.7"), 4567};
    packet.hop_limit = 61;
    packet.traffic_class = 0xB8;
    packet.payload = payload;
    return packet;
}

TEST(IpUdp, SurvivesBuildingAndParsing) {
    for (const bool v6 : {false, true}) {
        for (const std::size_t size : {0, 1, 47, 48, 1100}) {
            Bytes payload(size, 0xA7);
            const UdpPacket packet = example(v6, payload);
            Bytes out(1400, 0xEE);
            const std::size_t length = build_ip_udp(packet, out);
            ASSERT_EQ(length, ip_udp_header_size(packet.source.ip.family()) + size);
            // What follows the packet is padding of the frame.
            const UdpParse parsed = parse_ip_udp(std::span(out).first(length + 10));
            ASSERT_TRUE(parsed.packet) << static_cast<int>(parsed.error);
            EXPECT_EQ(parsed.packet->source, packet.source);
            EXPECT_EQ(parsed.packet->destination, packet.destination);
            EXPECT_EQ(parsed.packet->hop_limit, 61);
            EXPECT_EQ(parsed.packet->traffic_class, 0xB8);
            EXPECT_TRUE(std::equal(payload.begin(), payload.end(), parsed.packet->payload.begin(),
                                   parsed.packet->payload.end()));
            for (std::size_t cut = 0; cut < length; ++cut) {
                EXPECT_FALSE(parse_ip_udp(std::span(out).first(cut)).packet) << cut;
            }
        }
    }
}

TEST(IpUdp, DetectsEveryChangedBitThatTheChecksumsCover) {
    for (const bool v6 : {false, true}) {
        const Bytes payload(48, 0x3C);
        Bytes out(200);
        const std::size_t length = build_ip_udp(example(v6, payload), out);
        const std::size_t udp = length - 56;
        for (std::size_t bit = (udp + 8) * 8; bit < length * 8; ++bit) {
            Bytes damaged(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length));
            damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
            EXPECT_EQ(parse_ip_udp(damaged).error, IpError::BadChecksum) << bit;
            EXPECT_TRUE(parse_ip_udp(damaged, ChecksumPolicy::Trust).packet);
        }
    }
}

TEST(IpUdp, RefusesIpv4FragmentsAndSkipsOptions) {
    const Bytes payload(48, 1);
    Bytes out(100);
    const std::size_t length = build_ip_udp(example(false, payload), out);
    Bytes fragment(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length));
    fragment[6] = 0x20;
    EXPECT_EQ(parse_ip_udp(fragment, ChecksumPolicy::Trust).error, IpError::Fragment);
    fragment[6] = 0;
    fragment[7] = 1;
    EXPECT_EQ(parse_ip_udp(fragment, ChecksumPolicy::Trust).error, IpError::Fragment);

    Bytes options(out.begin(), out.begin() + 20);
    options.insert(options.end(), {1, 1, 1, 1});
    options.insert(options.end(), out.begin() + 20,
                   out.begin() + static_cast<std::ptrdiff_t>(length));
    options[0] = 0x46;
    options[3] = static_cast<std::uint8_t>(length + 4);
    options[10] = options[11] = 0;
    const std::uint16_t sum = checksum_finish(checksum_add(0, std::span(options).first(24)));
    options[10] = static_cast<std::uint8_t>(sum >> 8);
    options[11] = static_cast<std::uint8_t>(sum);
    const UdpParse parsed = parse_ip_udp(options);
    ASSERT_TRUE(parsed.packet);
    EXPECT_EQ(parsed.packet->payload.size(), 48U);
    options[21] ^= 1;
    EXPECT_EQ(parse_ip_udp(options).error, IpError::BadChecksum);
}

Bytes with_extension_headers(const std::vector<std::uint8_t>& types) {
    const Bytes payload(48, 1);
    Bytes plain(200);
    plain.resize(build_ip_udp(example(true, payload), plain));
    Bytes out(plain.begin(), plain.begin() + 40);
    for (std::size_t i = 0; i < types.size(); ++i) {
        (i == 0 ? out[6] : out[out.size() - 8]) = types[i];
        out.insert(out.end(), {kProtocolUdp, 0, 0, 0, 0, 0, 0, 0});
    }
    out.insert(out.end(), plain.begin() + 40, plain.end());
    out[4] = static_cast<std::uint8_t>((out.size() - 40) >> 8);
    out[5] = static_cast<std::uint8_t>(out.size() - 40);
    return out;
}

TEST(IpUdp, SkipsIpv6ExtensionHeadersButNotFragments) {
    EXPECT_TRUE(parse_ip_udp(with_extension_headers({0, 60, 43})).packet);
    EXPECT_EQ(parse_ip_udp(with_extension_headers({44})).error, IpError::Fragment);
    EXPECT_EQ(parse_ip_udp(with_extension_headers({6})).error, IpError::NotUdp);
    EXPECT_EQ(parse_ip_udp(with_extension_headers(Bytes(9, 60))).error, IpError::BadHeader);
    Bytes truncated = with_extension_headers({60});
    truncated[41] = 200;
    EXPECT_EQ(parse_ip_udp(truncated).error, IpError::Truncated);
}

TEST(IpUdp, AcceptsMissingChecksumOverIpv4Only) {
    for (const bool v6 : {false, true}) {
        const Bytes payload(48, 1);
        Bytes out(200);
        out.resize(build_ip_udp(example(v6, payload), out));
        const std::size_t checksum = out.size() - 48 - 2;
        out[checksum] = out[checksum + 1] = 0;
        const UdpParse parsed = parse_ip_udp(out);
        EXPECT_EQ(parsed.packet.has_value(), !v6);
        if (parsed.packet) {
            EXPECT_TRUE(parsed.packet->unchecked);
        }
    }
}

TEST(IpUdp, DoesNotMixFamilies) {
    UdpPacket packet = example(false, {});
    packet.destination.ip = IpAddress::loopback(IpAddress::Family::V6);
    Bytes out(200);
    EXPECT_EQ(build_ip_udp(packet, out), 0U);
    packet.source.ip = IpAddress();
    packet.destination.ip = IpAddress();
    EXPECT_EQ(build_ip_udp(packet, out), 0U);
}

}  // namespace
}  // namespace gnomon
