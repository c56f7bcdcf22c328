#include <gtest/gtest.h>

#include "tests/unit/dataplane/frame/frame_fixture.h"

#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmp.h"

namespace gnomon {
namespace {

using namespace gnomon::testing;
using Kind = NeighbourSighting::Kind;

constexpr MacAddress kSolicitedMac{0x33, 0x33, 0xff, 0, 0, 1};

Bytes arp(bool reply, const char* sender, const char* target, FrameOptions options = {}) {
    if (!reply && options.to == kOurMac) options.to = kBroadcastMac;
    ArpPacket packet;
    packet.reply = reply;
    packet.sender_mac = options.from;
    packet.sender_ip = ip(sender);
    packet.target_ip = ip(target);
    Bytes data(kArpSize);
    EXPECT_EQ(build_arp(packet, data), kArpSize);
    return ethernet_frame(options, kEtherTypeArp, data);
}

Bytes neighbour(const NeighbourMessage& message, FrameOptions options = {}) {
    Bytes data(72);
    data.resize(build_neighbour(message, data));
    return ethernet_frame(options, kEtherTypeIpv6, data);
}

NeighbourMessage solicitation(const char* source = "fe80::2", const char* target = "2001:db8::1") {
    NeighbourMessage message;
    message.source = ip(source);
    message.target = ip(target);
    message.destination = solicited_node(message.target);
    if (!message.source.is_any()) message.link_layer = kTheirMac;
    return message;
}

TEST(FrameServer, AnswersArpForItsAddressesByteForByte) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    const Bytes request = hex(
        "ff ff ff ff ff ff  02 00 00 00 00 02  08 06"
        "00 01 08 00 06 04 00 01  02 00 00 00 00 02  c0 00 02 07  00 00 00 00 00 00  c0 00 02 01");
    ASSERT_EQ(request.size(), 42U);
    Bytes answer = hex(
        "02 00 00 00 00 02  02 00 00 00 00 01  08 06"
        "00 01 08 00 06 04 00 02  02 00 00 00 00 01  c0 00 02 01  02 00 00 00 00 02  c0 00 02 07");
    answer.resize(60);  // padded
    EXPECT_EQ(bench.answer(request), answer);
    EXPECT_EQ(bench.frame.verdict, FrameVerdict::Answered);
    EXPECT_EQ(bench.server.counters().arp_answers.get(), 1U);
    ASSERT_EQ(bench.server.sightings().size(), 1U);
    const NeighbourSighting& seen = bench.server.sightings()[0];
    EXPECT_EQ(seen.kind, Kind::Request);
    EXPECT_EQ(seen.ip, ip("192.0.2.7"));
    EXPECT_EQ(seen.mac, kTheirMac);
    EXPECT_EQ(seen.vlan, 0);
    bench.receive(udp_frame(ntp_request()));
    EXPECT_TRUE(bench.server.sightings().empty());
}

TEST(FrameServer, DefendsItsAddressAgainstArpProbesAndKeepsTags) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    options.tags = {{kEtherTypeVlan, 0x2007}};
    const Bytes answer = bench.answer(arp(false, "0.0.0.0", "198.51.100.1", options));
    const auto header = parse_ethernet(answer);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->tags[0].control, 0x2007);
    const auto packet = parse_arp(std::span(answer).subspan(18));
    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->reply);
    EXPECT_EQ(packet->sender_ip, ip("198.51.100.1"));
    EXPECT_TRUE(bench.server.sightings().empty());
}

TEST(FrameServer, PassesOtherArpOnAndTellsOfIt) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    const Bytes reply = arp(true, "192.0.2.7", "192.0.2.1");
    EXPECT_EQ(bench.receive(reply).verdict, FrameVerdict::ToKernel);
    EXPECT_TRUE(std::equal(reply.begin(), reply.end(), bench.buffer.begin()));
    ASSERT_EQ(bench.server.sightings().size(), 1U);
    EXPECT_EQ(bench.server.sightings()[0].kind, Kind::Reply);
    bench.receive(arp(false, "192.0.2.9", "192.0.2.9"));  // gratuitous
    EXPECT_EQ(bench.frame.verdict, FrameVerdict::ToKernel);
    ASSERT_EQ(bench.server.sightings().size(), 1U);
    EXPECT_EQ(bench.server.sightings()[0].kind, Kind::Unsolicited);
    bench.receive(arp(false, "192.0.2.9", "192.0.2.10"));
    EXPECT_EQ(bench.frame.verdict, FrameVerdict::ToKernel);
    EXPECT_TRUE(bench.server.sightings().empty());
    // The address is ours in another VLAN.
    EXPECT_EQ(bench.receive(arp(false, "192.0.2.9", "198.51.100.1")).verdict,
              FrameVerdict::ToKernel);
}

TEST(FrameServer, CountsWhoClaimsItsAddresses) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    EXPECT_EQ(bench.receive(arp(false, "192.0.2.1", "192.0.2.1")).verdict, FrameVerdict::ToKernel);
    NeighbourMessage claim;
    claim.advertisement = true;
    claim.source = claim.target = ip("2001:db8::1");
    claim.destination = all_nodes();
    EXPECT_EQ(bench.receive(neighbour(claim)).drop, FrameDrop::BadSource);
    claim.source = ip("fe80::2");
    EXPECT_EQ(bench.receive(neighbour(claim)).verdict, FrameVerdict::ToKernel);
    EXPECT_EQ(bench.server.counters().address_conflicts.get(), 3U);
    EXPECT_TRUE(bench.server.sightings().empty());
}

TEST(FrameServer, IgnoresArpThatIsNone) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    const Bytes good = arp(false, "192.0.2.7", "192.0.2.1");
    for (const std::size_t at : {14, 16, 18, 19, 20, 22}) {
        Bytes bad = good;
        bad[at] ^= 1;
        EXPECT_EQ(bench.receive(bad).drop, FrameDrop::BadNeighbour) << at;
    }
    EXPECT_EQ(bench.receive({good.begin(), good.begin() + 41}).drop, FrameDrop::BadNeighbour);
    EXPECT_EQ(bench.receive(arp(false, "224.0.0.1", "192.0.2.1")).drop, FrameDrop::BadSource);
    EXPECT_EQ(bench.receive(arp(false, "192.0.2.255", "192.0.2.1")).drop, FrameDrop::BadSource);
}

TEST(FrameServer, AnswersNeighbourSolicitationsByteForByte) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    options.to = kSolicitedMac;
    const Bytes answer = bench.answer(neighbour(solicitation(), options));
    const Bytes expected =
        hex("02 00 00 00 00 02  02 00 00 00 00 01  86 dd"
            "60 00 00 00 00 20 3a ff"
            "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
            "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
            "88 00 b9 ab 60 00 00 00"
            "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
            "02 01 02 00 00 00 00 01");
    EXPECT_EQ(answer, expected);
    const auto message = parse_neighbour(std::span(answer).subspan(14));
    ASSERT_TRUE(message);  // its checksum holds
    ASSERT_EQ(bench.server.sightings().size(), 1U);
    EXPECT_EQ(bench.server.sightings()[0].kind, Kind::Request);
    EXPECT_EQ(bench.server.sightings()[0].ip, ip("fe80::2"));
    EXPECT_EQ(bench.server.counters().nd_answers.get(), 1U);
}

TEST(FrameServer, TellsAllNodesWhoProbesForItsAddress) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    options.to = kSolicitedMac;
    const Bytes answer = bench.answer(neighbour(solicitation("::"), options));
    const auto header = parse_ethernet(answer);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->destination, (MacAddress{0x33, 0x33, 0, 0, 0, 1}));
    EXPECT_EQ(header->source, kOurMac);
    const auto message = parse_neighbour(std::span(answer).subspan(14));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->destination, all_nodes());
    EXPECT_FALSE(message->solicited);
    EXPECT_TRUE(message->override_known);
    EXPECT_EQ(message->link_layer, kOurMac);
    EXPECT_TRUE(bench.server.sightings().empty());
    // The probe is shorter than the answer.
    const Bytes probe = neighbour(solicitation("::"), options);
    ASSERT_LT(probe.size(), answer.size());
    std::copy(probe.begin(), probe.end(), bench.buffer.begin());
    bench.frame.length = bench.frame.capacity = static_cast<std::uint16_t>(probe.size());
    bench.server.receive({&bench.frame, 1}, bench.state, bench.tables);
    EXPECT_EQ(bench.frame.drop, FrameDrop::NoRoom);
}

TEST(FrameServer, PassesOtherNeighbourDiscoveryOnAndTellsOfIt) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    EXPECT_EQ(bench.receive(neighbour(solicitation("fe80::2", "2001:db8::5"))).verdict,
              FrameVerdict::ToKernel);
    EXPECT_TRUE(bench.server.sightings().empty());
    NeighbourMessage advertisement;
    advertisement.advertisement = advertisement.solicited = true;
    advertisement.source = advertisement.target = ip("2001:db8::5");
    advertisement.destination = ip("2001:db8::1");
    EXPECT_EQ(bench.receive(neighbour(advertisement)).verdict, FrameVerdict::ToKernel);
    ASSERT_EQ(bench.server.sightings().size(), 1U);
    EXPECT_EQ(bench.server.sightings()[0].kind, Kind::Reply);
    EXPECT_EQ(bench.server.sightings()[0].mac, kTheirMac);
}

void put_icmpv6_checksum(Bytes& frame) {
    frame[56] = frame[57] = 0;
    std::uint64_t sum = sum_words(0, &frame[22], 32);
    const auto size = static_cast<std::uint16_t>(frame[18] << 8 | frame[19]);
    sum += sum_order(size) + sum_order(58);
    store_sum(&frame[56], static_cast<std::uint16_t>(~fold_sum(sum_words(sum, &frame[54], size))));
}

TEST(FrameServer, IgnoresNeighbourDiscoveryThatIsForged) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    const Bytes good = neighbour(solicitation());
    const auto refused = [&](Bytes bad) {
        put_icmpv6_checksum(bad);
        return bench.receive(bad).drop;
    };
    Bytes bad = good;
    bad[21] = 254;  // has been routed
    EXPECT_EQ(refused(bad), FrameDrop::BadNeighbour);
    bad = good;
    bad[55] = 1;  // code
    EXPECT_EQ(refused(bad), FrameDrop::BadNeighbour);
    bad = good;
    bad[62] = 0xff;  // target is a group
    EXPECT_EQ(refused(bad), FrameDrop::BadNeighbour);
    bad = good;
    bad[79] = 0;  // option without length
    EXPECT_EQ(refused(bad), FrameDrop::BadNeighbour);
    bad = good;
    bad[79] = 2;  // option beyond the end
    EXPECT_EQ(refused(bad), FrameDrop::BadNeighbour);
    bad = good;
    bad[84] ^= 1;
    EXPECT_EQ(bench.receive(bad).drop, FrameDrop::BadNeighbour);  // checksum
    NeighbourMessage probe = solicitation("::");
    probe.destination = ip("2001:db8::1");
    EXPECT_EQ(bench.receive(neighbour(probe)).drop, FrameDrop::BadNeighbour);
    probe = solicitation("::");
    probe.link_layer = kTheirMac;
    EXPECT_EQ(bench.receive(neighbour(probe)).drop, FrameDrop::BadNeighbour);
    EXPECT_EQ(bench.receive(neighbour(solicitation("ff02::1"))).drop, FrameDrop::BadSource);
    EXPECT_EQ(refused(good), FrameDrop::None);
}

Bytes echo_v4(std::size_t data_size, FrameOptions options = {}) {
    Bytes packet(28 + data_size, 0x5A);
    const Bytes header = hex("45 00 00 00 12 34 00 00 33 01 00 00");
    std::copy(header.begin(), header.end(), packet.begin());
    packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
    packet[3] = static_cast<std::uint8_t>(packet.size());
    const auto source = ip(options.source).bytes();
    const auto destination = ip(options.destination).bytes();
    std::copy_n(source.begin(), 4, packet.begin() + 12);
    std::copy_n(destination.begin(), 4, packet.begin() + 16);
    store_sum(&packet[10], static_cast<std::uint16_t>(~fold_sum(sum_words(0, &packet[0], 20))));
    const Bytes icmp = hex("08 00 00 00 77 66 00 01");
    std::copy(icmp.begin(), icmp.end(), packet.begin() + 20);
    store_sum(&packet[22],
              static_cast<std::uint16_t>(~fold_sum(sum_words(0, &packet[20], packet.size() - 20))));
    return ethernet_frame(options, kEtherTypeIpv4, packet);
}

TEST(FrameServer, AnswersPings) {
    for (const std::size_t size : {0, 1, 18, 56, 1472}) {
        FrameBench bench(frame_config(DataplaneMode::Exclusive));
        const Bytes request = echo_v4(size);
        const Bytes answer = bench.answer(request);
        ASSERT_EQ(answer.size(), std::max<std::size_t>(42 + size, 60));
        EXPECT_EQ(Bytes(answer.begin(), answer.begin() + 14),
                  hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00"));
        EXPECT_EQ(fold_sum(sum_words(0, &answer[14], 20)), 0xffff);
        EXPECT_EQ(fold_sum(sum_words(0, &answer[34], 8 + size)), 0xffff);
        EXPECT_EQ(Bytes(answer.begin() + 26, answer.begin() + 34), hex("c0 00 02 01 c0 00 02 07"));
        EXPECT_EQ(answer[22], 64);
        EXPECT_EQ(answer[34], 0);
        EXPECT_TRUE(std::equal(answer.begin() + 38, answer.end(), request.begin() + 38));
    }
}

TEST(FrameServer, PadsAnswersAndLeavesOutWhatFollowsThePacket) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    Bytes ping = echo_v4(0);
    ping.resize(42);  // as virtual interfaces hand it over
    Bytes answer = bench.answer(ping);
    ASSERT_EQ(answer.size(), 60U);
    EXPECT_EQ(Bytes(answer.begin() + 42, answer.end()), Bytes(18, 0));
    ping = echo_v4(56);
    ping.resize(ping.size() + 20, 0x77);
    EXPECT_EQ(bench.answer(ping).size(), 98U);
    Bytes request = udp_frame(ntp_request());
    request.resize(request.size() + 20, 0x77);
    EXPECT_EQ(bench.answer(request).size(), 90U);
}

TEST(FrameServer, AnswersPingsOverIpv6) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    Bytes request = neighbour(solicitation("2001:db8:1::7"));
    const auto own = ip("2001:db8::1").bytes();
    std::copy(own.begin(), own.end(), request.begin() + 38);
    request[54] = kIcmpv6Echo;
    request[21] = 9;
    put_icmpv6_checksum(request);
    Bytes answer = bench.answer(request);
    ASSERT_EQ(answer.size(), request.size());
    EXPECT_EQ(answer[54], kIcmpv6EchoReply);
    EXPECT_EQ(answer[21], 64);
    EXPECT_TRUE(
        icmpv6_checksum_holds(std::span(answer).subspan(14), std::span(answer).subspan(54)));
    EXPECT_TRUE(std::equal(own.begin(), own.end(), answer.begin() + 22));
    request[60] ^= 1;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
}

TEST(FrameServer, LimitsPings) {
    FrameServerConfig config = frame_config(DataplaneMode::Exclusive);
    config.echo_per_second = 100;
    FrameBench bench(config);
    const Bytes ping = echo_v4(56);
    int answered = 0;
    for (int i = 0; i < 50; ++i) answered += bench.answer(ping, at_ns(0)).empty() ? 0 : 1;
    EXPECT_EQ(answered, 10);
    EXPECT_EQ(bench.drops(FrameDrop::EchoLimited), 40U);
    for (int i = 0; i < 1000; ++i) {
        answered += bench.answer(ping, at_ns(i * 1'000'000)).empty() ? 0 : 1;
    }
    EXPECT_EQ(answered, 10 + 99);
    // A clock set back does not stop them for long.
    answered = 0;
    for (int i = 0; i < 1000; ++i) {
        const SystemTime when = at_ns(-3'000'000'000'000 + i * 1'000'000);
        answered += bench.answer(ping, when).empty() ? 0 : 1;
    }
    EXPECT_GE(answered, 99);
    config.echo_per_second = 0;
    FrameBench none(config);
    EXPECT_TRUE(none.answer(ping).empty());
}

TEST(FrameServer, DoesNotAnswerPingsOfGroupsOrForgedOnes) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    options.to = kBroadcastMac;
    EXPECT_EQ(bench.receive(echo_v4(56, options)).verdict, FrameVerdict::ToKernel);
    options.to = kOurMac;
    options.source = "192.0.2.255";
    EXPECT_EQ(bench.receive(echo_v4(56, options)).drop, FrameDrop::BadSource);
    options.source = "192.0.2.1";
    EXPECT_EQ(bench.receive(echo_v4(56, options)).drop, FrameDrop::BadSource);
    Bytes damaged = echo_v4(56);
    damaged[60] ^= 4;
    EXPECT_EQ(bench.receive(damaged).drop, FrameDrop::BadChecksum);
    damaged = echo_v4(56);
    damaged[22] ^= 4;
    EXPECT_EQ(bench.receive(damaged).drop, FrameDrop::BadChecksum);
}

TEST(FrameServer, CountsPacketsThatWereTooBigAndPassesTheMessageOn) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    Bytes frame = echo_v4(56);
    frame[34] = 3;
    frame[35] = 4;
    EXPECT_EQ(bench.receive(frame).verdict, FrameVerdict::ToKernel);
    EXPECT_EQ(bench.server.counters().too_big.get(), 1U);
    Bytes six = neighbour(solicitation());
    const auto own = ip("2001:db8::1").bytes();
    std::copy(own.begin(), own.end(), six.begin() + 38);
    six[54] = 2;
    EXPECT_EQ(bench.receive(six).verdict, FrameVerdict::ToKernel);
    EXPECT_EQ(bench.server.counters().too_big.get(), 2U);
}

TEST(FrameServer, PassesEverythingElseToTheKernelUnchanged) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    Bytes tcp = udp_frame(ntp_request());
    tcp[23] = 6;
    FrameOptions lldp;
    lldp.to = {0x01, 0x80, 0xc2, 0, 0, 0x0e};
    FrameOptions other;
    other.destination_port = 53;
    FrameOptions tagged;
    tagged.tags = {{kEtherTypeQinQ, 5}, {kEtherTypeVlan, 6}};
    Bytes length_frame(60, 0x42);
    length_frame[0] = 0x01;
    length_frame[6] = 0x02;
    length_frame[12] = 0;
    length_frame[13] = 38;
    for (const Bytes& frame :
         {tcp, ethernet_frame(lldp, 0x88cc, Bytes(50, 1)), udp_frame(ntp_request(), other),
          udp_frame(ntp_request(), tagged), length_frame}) {
        EXPECT_EQ(bench.receive(frame).verdict, FrameVerdict::ToKernel);
        EXPECT_EQ(bench.frame.length, frame.size());
        EXPECT_TRUE(std::equal(frame.begin(), frame.end(), bench.buffer.begin()));
    }
    EXPECT_EQ(bench.server.counters().to_kernel.get(), 5U);
}

TEST(FrameServer, LeavesTheLinkToTheKernelOnSharedPorts) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    FrameBench bench(config);
    config.strangers_to_kernel = false;
    FrameBench alone(config);
    for (const Bytes& frame :
         {arp(false, "192.0.2.7", "192.0.2.1"), neighbour(solicitation()), echo_v4(56)}) {
        EXPECT_EQ(bench.receive(frame).verdict, FrameVerdict::ToKernel);
        EXPECT_EQ(alone.receive(frame).drop, FrameDrop::NotServed);
        EXPECT_TRUE(bench.server.sightings().empty());
    }
    EXPECT_EQ(bench.server.announcement_count(), 0U);
    EXPECT_TRUE(bench.server.multicast_groups().empty());
}

TEST(FrameServer, NoticesWhenRoutersAskForGroups) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    Bytes report(200);
    const IpAddress group = ip("ff02::1:ff00:1");
    report.resize(build_listener_report(ip("fe80::9"), {&group, 1}, report));
    EXPECT_EQ(bench.receive(ethernet_frame({}, kEtherTypeIpv6, report)).verdict,
              FrameVerdict::ToKernel);
    EXPECT_FALSE(bench.server.take_membership_query());
    report[48] = kIcmpv6ListenerQuery;
    EXPECT_EQ(bench.receive(ethernet_frame({}, kEtherTypeIpv6, report)).verdict,
              FrameVerdict::ToKernel);
    EXPECT_TRUE(bench.server.take_membership_query());
    EXPECT_FALSE(bench.server.take_membership_query());
}

TEST(FrameServer, AnnouncesItselfInEveryVlan) {
    FrameServerConfig config = frame_config(DataplaneMode::Exclusive);
    config.addresses.push_back(address("2001:db8:7::1", 64, 7));
    FrameBench bench(config);
    EXPECT_EQ(bench.server.multicast_groups(),
              (std::vector<MacAddress>{{0x33, 0x33, 0, 0, 0, 1}, kSolicitedMac}));
    std::vector<Bytes> frames;
    for (std::size_t i = 0; i < bench.server.announcement_count(); ++i) {
        Bytes frame(256, 0xEE);
        const std::size_t length = bench.server.announce(i, frame);
        ASSERT_GE(length, 60U);
        ASSERT_LE(length, frame.size());
        Bytes small(length - 1);
        EXPECT_EQ(bench.server.announce(i, small), 0U);
        frame.resize(length);
        frames.push_back(frame);
    }
    ASSERT_EQ(frames.size(), 2U + 5U);
    EXPECT_EQ(frames[0], hex("33 33 00 00 00 16  02 00 00 00 00 01  86 dd"
                             "60 00 00 00 00 24 00 01"
                             "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
                             "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 16"
                             "3a 00 05 02 00 00 01 00"
                             "8f 00 71 07 00 00 00 01"
                             "04 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 01"));
    EXPECT_TRUE(
        icmpv6_checksum_holds(std::span(frames[0]).subspan(14), std::span(frames[0]).subspan(62)));
    // No link-local address of ours in VLAN 7.
    EXPECT_EQ(Bytes(frames[1].begin() + 12, frames[1].begin() + 18), hex("81 00 00 07 86 dd"));
    EXPECT_EQ(Bytes(frames[1].begin() + 26, frames[1].begin() + 42), Bytes(16, 0));
    Bytes gratuitous = hex(
        "ff ff ff ff ff ff  02 00 00 00 00 01  08 06"
        "00 01 08 00 06 04 00 01  02 00 00 00 00 01  c0 00 02 01  00 00 00 00 00 00  c0 00 02 01");
    gratuitous.resize(60);
    EXPECT_EQ(frames[2], gratuitous);
    const auto message = parse_neighbour(std::span(frames[3]).subspan(14));
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->advertisement);
    EXPECT_FALSE(message->solicited);
    EXPECT_EQ(message->target, ip("2001:db8::1"));
    EXPECT_EQ(message->destination, all_nodes());
    // Whoever hears its own voice ignores it.
    for (const Bytes& frame : frames) {
        EXPECT_EQ(bench.receive(frame).drop, FrameDrop::BadSource);
    }
}

}  // namespace
}  // namespace gnomon
