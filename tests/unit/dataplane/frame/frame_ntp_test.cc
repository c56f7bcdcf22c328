#include <gtest/gtest.h>

#include "tests/unit/dataplane/frame/frame_fixture.h"

#include "dataplane/wire/checksum.h"

namespace gnomon {
namespace {

using namespace gnomon::testing;

UdpParse parse_answer(const Bytes& frame) {
    const auto header = parse_ethernet(frame);
    if (!header) return {};
    return parse_ip_udp(std::span(frame).subspan(header->size()));
}

TEST(FrameServer, AnswersARequestInPlaceByteForByte) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    config.dscp = 46;
    FrameBench bench(config);
    const Bytes answer = bench.answer(udp_frame(ntp_request()));
    ASSERT_EQ(answer.size(), 90U);
    const Bytes headers =
        hex("02 00 00 00 00 02  02 00 00 00 00 01  08 00"
            "45 b8 00 4c 00 00 40 00 40 11 b5 e0  c0 00 02 01  c0 00 02 07"
            "00 7b 9c 40 00 38");
    EXPECT_EQ(Bytes(answer.begin(), answer.begin() + 40), headers);
    const UdpParse parsed = parse_answer(answer);
    ASSERT_TRUE(parsed.packet);
    EXPECT_FALSE(parsed.packet->unchecked);
    const NtpHeader header = decode_header(parsed.packet->payload.first<kNtpHeaderSize>());
    EXPECT_EQ(header.mode, Mode::Server);
    EXPECT_EQ(header.origin.bits(), 0x1234567890abcdefULL);
    EXPECT_EQ(bench.server.counters().replies.get(), 1U);
}

TEST(FrameServer, AnswersOverIpv6WithAChecksum) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    FrameOptions options;
    options.source = "2001:db8:1::7";
    options.destination = "2001:db8::1";
    const Bytes answer = bench.answer(udp_frame(ntp_request(), options));
    ASSERT_EQ(answer.size(), 110U);
    const Bytes headers =
        hex("02 00 00 00 00 02  02 00 00 00 00 01  86 dd"
            "60 00 00 00 00 38 11 40"
            "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
            "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 07"
            "00 7b 9c 40 00 38");
    EXPECT_EQ(Bytes(answer.begin(), answer.begin() + 60), headers);
    const UdpParse parsed = parse_answer(answer);
    ASSERT_TRUE(parsed.packet);
    EXPECT_FALSE(parsed.packet->unchecked);
}

TEST(FrameServer, KeepsOneOrTwoVlanTags) {
    for (const bool twice : {false, true}) {
        FrameBench bench(frame_config(DataplaneMode::Exclusive));
        FrameOptions options;
        options.destination = "198.51.100.1";
        options.tags = {{kEtherTypeVlan, 0x6007}};
        if (twice) options.tags.insert(options.tags.begin(), VlanTag{kEtherTypeQinQ, 0x0064});
        const Bytes answer = bench.answer(udp_frame(ntp_request(), options));
        const auto header = parse_ethernet(answer);
        ASSERT_TRUE(header);
        ASSERT_EQ(header->tag_count, options.tags.size());
        EXPECT_EQ(header->tags[0].protocol, options.tags[0].protocol);
        EXPECT_EQ(header->tags[0].control, options.tags[0].control);
        EXPECT_EQ(header->tags[header->tag_count - 1].control, 0x6007);
        EXPECT_TRUE(parse_answer(answer).packet);
    }
}

TEST(FrameServer, KnowsTheVlanOfAStrippedTagAndTakesPrioritiesForUntagged) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    FrameOptions options;
    options.destination = "198.51.100.1";
    bench.frame.stripped_tag = 0x2007;
    EXPECT_EQ(bench.answer(udp_frame(ntp_request(), options)).size(), 90U);
    EXPECT_EQ(bench.frame.stripped_tag, 0x2007U);
    bench.frame.stripped_tag = Frame::kNoTag;
    options.destination = "192.0.2.1";
    options.tags = {{kEtherTypeVlan, 0xE000}};
    EXPECT_EQ(bench.answer(udp_frame(ntp_request(), options)).size(), 94U);
    options.destination = "198.51.100.1";
    options.tags = {{kEtherTypeQinQ, 7}, {kEtherTypeVlan, 0xE000}};
    EXPECT_EQ(bench.answer(udp_frame(ntp_request(), options)).size(), 98U);
}

TEST(FrameServer, AnAddressIsOursInItsVlanOnly) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    config.strangers_to_kernel = false;
    FrameBench bench(config);
    FrameOptions options;
    options.tags = {{kEtherTypeVlan, 7}};
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::NotForUs);
    options.tags = {{kEtherTypeVlan, 8}};
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::UnknownVlan);
    EXPECT_EQ(bench.drops(FrameDrop::NotForUs), 1U);
    EXPECT_EQ(bench.drops(FrameDrop::UnknownVlan), 1U);
}

/// The IPv4 packet of `frame` with four bytes of options.
Bytes with_options(const Bytes& frame) {
    Bytes out(frame.begin(), frame.begin() + 34);
    out.insert(out.end(), {1, 1, 1, 0});
    out.insert(out.end(), frame.begin() + 34, frame.end());
    out[14] = 0x46;
    out[17] = static_cast<std::uint8_t>(out[17] + 4);
    out[24] = out[25] = 0;
    store_sum(&out[24], static_cast<std::uint16_t>(~fold_sum(sum_words(0, &out[14], 24))));
    return out;
}

TEST(FrameServer, AnswersOptionsWithAPlainHeader) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    const Bytes answer = bench.answer(with_options(udp_frame(ntp_request())));
    ASSERT_EQ(answer.size(), 90U);
    EXPECT_EQ(answer[14], 0x45);
    ASSERT_TRUE(parse_answer(answer).packet);
    FrameBench plain(frame_config(DataplaneMode::Shared));
    EXPECT_EQ(answer, plain.answer(udp_frame(ntp_request())));
}

Bytes with_extension_header(const Bytes& frame, const Bytes& header, std::uint8_t next) {
    Bytes out(frame.begin(), frame.begin() + 54);
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), frame.begin() + 54, frame.end());
    out[20] = next;
    out[19] = static_cast<std::uint8_t>(out[19] + header.size());
    return out;
}

TEST(FrameServer, LeavesExtensionHeadersOutOfTheAnswer) {
    FrameOptions options;
    options.source = "2001:db8:1::7";
    options.destination = "2001:db8::1";
    const Bytes request = udp_frame(ntp_request(), options);
    const Bytes padding{17, 0, 1, 4, 0, 0, 0, 0};
    FrameBench bench(frame_config(DataplaneMode::Shared));
    const Bytes answer = bench.answer(with_extension_header(request, padding, 60));
    FrameBench plain(frame_config(DataplaneMode::Shared));
    EXPECT_EQ(answer, plain.answer(request));
    ASSERT_EQ(answer.size(), 110U);
    // Only a stop on the way of a routing header.
    const Bytes routing{17, 0, 0, 1, 0, 0, 0, 0};
    EXPECT_EQ(bench.receive(with_extension_header(request, routing, 43)).verdict,
              FrameVerdict::ToKernel);
}

TEST(FrameServer, DropsFragmentsOfNtpAndPassesOthersOn) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    const auto fragment = [](Bytes frame, std::uint8_t flags, std::uint8_t offset) {
        frame[20] = flags;
        frame[21] = offset;
        frame[24] = frame[25] = 0;
        store_sum(&frame[24], static_cast<std::uint16_t>(~fold_sum(sum_words(0, &frame[14], 20))));
        return frame;
    };
    EXPECT_EQ(bench.receive(fragment(udp_frame(ntp_request()), 0x20, 0)).drop, FrameDrop::Fragment);
    EXPECT_EQ(bench.receive(fragment(udp_frame(ntp_request()), 0x00, 1)).verdict,
              FrameVerdict::ToKernel);
    FrameOptions dns;
    dns.destination_port = 53;
    EXPECT_EQ(bench.receive(fragment(udp_frame(ntp_request(), dns), 0x20, 0)).verdict,
              FrameVerdict::ToKernel);
    FrameOptions v6;
    v6.source = "2001:db8:1::7";
    v6.destination = "2001:db8::1";
    const Bytes header{17, 0, 0, 1, 0, 0, 0, 9};
    EXPECT_EQ(bench.receive(with_extension_header(udp_frame(ntp_request(), v6), header, 44)).drop,
              FrameDrop::Fragment);
}

TEST(FrameServer, ChecksWhatTheDeviceHasNotChecked) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    Bytes request = udp_frame(ntp_request());
    request[60] ^= 1;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
    bench.frame.l4_checksum = ChecksumState::Good;
    EXPECT_EQ(bench.receive(request).verdict, FrameVerdict::Reply);
    request[60] ^= 1;
    bench.frame.l4_checksum = ChecksumState::Bad;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
    bench.frame.l4_checksum = ChecksumState::Unknown;
    request[22] ^= 1;  // hop limit
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
    bench.frame.ip_checksum = ChecksumState::Good;
    EXPECT_EQ(bench.receive(request).verdict, FrameVerdict::Reply);
    bench.frame.ip_checksum = ChecksumState::Bad;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
}

TEST(FrameServer, TakesTheSumOfThePseudoHeaderOnlyWhereToldTo) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    Bytes request = udp_frame(ntp_request());
    // c000 + 0201 + c000 + 0207 + 0011 + 0038, not complemented.
    request[40] = 0x84;
    request[41] = 0x52;
    FrameBench strict(config);
    EXPECT_EQ(strict.receive(request).drop, FrameDrop::BadChecksum);
    config.partial_checksums = true;
    FrameBench bench(config);
    const Bytes answer = bench.answer(request);
    ASSERT_TRUE(parse_answer(answer).packet);
    request[41] ^= 1;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
}

TEST(FrameServer, AnswersUncheckedRequestsOverIpv4Only) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    Bytes request = udp_frame(ntp_request());
    request[40] = request[41] = 0;
    const Bytes answer = bench.answer(request);
    ASSERT_TRUE(parse_answer(answer).packet);
    EXPECT_FALSE(parse_answer(answer).packet->unchecked);
    FrameOptions options;
    options.source = "2001:db8:1::7";
    options.destination = "2001:db8::1";
    request = udp_frame(ntp_request(), options);
    request[60] = request[61] = 0;
    EXPECT_EQ(bench.receive(request).drop, FrameDrop::BadChecksum);
}

TEST(FrameServer, AChecksumThatComesToZeroIsSentAsAllOnes) {
    const std::uint64_t transmit = 0x1234567890ab0000ULL;
    FrameBench first(frame_config(DataplaneMode::Shared));
    const Bytes answer = first.answer(udp_frame(ntp_request(transmit)));
    // The last word of the transmit timestamp comes back as that of the origin: it fills up the sum.
    const std::uint64_t missing = static_cast<std::uint64_t>(answer[40] << 8 | answer[41]);
    FrameBench second(frame_config(DataplaneMode::Shared));
    const Bytes full = second.answer(udp_frame(ntp_request(transmit | missing)));
    EXPECT_EQ(Bytes(full.begin() + 40, full.begin() + 42), hex("ff ff"));
    EXPECT_TRUE(parse_answer(full).packet);
}

TEST(FrameServer, LinksOfTwoHostsHaveNoBroadcastAddress) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    config.addresses = {address("203.0.113.4", 31), address("203.0.113.9", 32)};
    FrameBench bench(config);
    FrameOptions options;
    options.source = "203.0.113.5";
    options.destination = "203.0.113.4";
    EXPECT_EQ(bench.answer(udp_frame(ntp_request(), options)).size(), 90U);
    options.source = "203.0.113.9";
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::BadSource);
}

TEST(FrameServer, LeavesChecksumsToDevicesThatComputeThem) {
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    config.offload_ip_checksum = config.offload_udp_checksum = true;
    FrameBench bench(config);
    const Bytes answer = bench.answer(udp_frame(ntp_request()));
    EXPECT_EQ(answer[24], 0);
    EXPECT_EQ(answer[25], 0);
    // c000 + 0201 + c000 + 0207 + 0011 + 0038, not complemented.
    EXPECT_EQ(Bytes(answer.begin() + 40, answer.begin() + 42), hex("84 52"));
    EXPECT_EQ(bench.frame.l3_offset, 14);
    EXPECT_EQ(bench.frame.l4_offset, 34);
}

TEST(FrameServer, RefusesSourcesThatNoReplyMayGoTo) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    for (const char* source :
         {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.1.1", "239.1.2.3", "255.255.255.255",
          "192.0.2.1", "192.0.2.255", "198.51.100.1", "198.51.100.255"}) {
        options.source = source;
        EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::BadSource)
            << source;
    }
    options.destination = "2001:db8::1";
    for (const char* source :
         {"::", "::1", "ff02::1", "2001:db8::1", "fe80::1", "::ffff:192.0.2.7"}) {
        options.source = source;
        EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::BadSource)
            << source;
    }
    for (const char* source : {"fe80::2", "2001:db8::2", "::2:0:0:0:1"}) {
        options.source = source;
        EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).verdict, FrameVerdict::Reply)
            << source;
    }
    FrameOptions group;
    group.from = {0x03, 0, 0, 0, 0, 1};
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), group)).drop, FrameDrop::BadSource);
    group.from = kOurMac;
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), group)).drop, FrameDrop::BadSource);
}

TEST(FrameServer, DoesNotAnswerGroups) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    FrameOptions options;
    options.to = {0x01, 0x00, 0x5e, 0, 1, 1};
    options.destination = "224.0.1.1";
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::GroupDestination);
    options.to = kBroadcastMac;
    options.destination = "192.0.2.255";
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::GroupDestination);
    options.destination = "192.0.2.1";
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::GroupDestination);
    options.destination = "224.0.1.1";
    options.to = kOurMac;
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::GroupDestination);
    EXPECT_EQ(bench.drops(FrameDrop::GroupDestination), 4U);
    options.to = {0x02, 0, 0, 0, 0, 9};
    options.destination = "192.0.2.1";
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::NotForUs);
}

TEST(FrameServer, AnswersClientsOnThePortOfServers) {
    FrameBench bench(frame_config(DataplaneMode::Shared));
    FrameOptions options;
    options.source_port = 123;
    EXPECT_EQ(bench.answer(udp_frame(ntp_request(), options)).size(), 90U);
    options.source_port = 0;
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).drop, FrameDrop::Refused);
}

TEST(FrameServer, EveryTruncationIsCountedAndNothingIsAnswered) {
    const Bytes request = udp_frame(ntp_request());
    FrameBench bench(frame_config(DataplaneMode::Shared));
    for (std::size_t length = 0; length < request.size(); ++length) {
        bench.receive({request.begin(), request.begin() + static_cast<std::ptrdiff_t>(length)});
        EXPECT_EQ(bench.frame.drop, FrameDrop::Truncated) << length;
    }
    EXPECT_EQ(bench.drops(FrameDrop::Truncated), request.size());
}

TEST(FrameServer, GivesTheControlLoopWhatBelongsToAssociations) {
    ListenedPorts ports;
    FrameServerConfig config = frame_config(DataplaneMode::Shared);
    config.listened = &ports;
    config.interface_index = 3;
    FrameBench bench(config);
    bench.tables.forwarded = {ip("192.0.2.7"), ip("2001:db8::9")};
    NtpHeader header = Server::client_header();
    header.mode = Mode::Server;
    const Bytes response = Server::request(header);
    FrameOptions options;
    options.source_port = 123;
    ASSERT_EQ(bench.receive(udp_frame(response, options)).verdict, FrameVerdict::ToControl);
    const RxDatagram& datagram = bench.server.datagram(bench.frame);
    EXPECT_EQ(datagram.remote, (SocketAddress{ip("192.0.2.7"), 123}));
    EXPECT_EQ(datagram.local, ip("192.0.2.1"));
    EXPECT_EQ(datagram.interface_index, 3);
    EXPECT_EQ(datagram.frame_length, 90);
    EXPECT_EQ(datagram.stamp.time, at_ns(0));
    EXPECT_EQ(Bytes(datagram.payload.begin(), datagram.payload.end()), response);
    EXPECT_EQ(bench.frame.local_port, 123);
    // Requests are served, whoever asks; what strangers answer is refused.
    EXPECT_EQ(bench.receive(udp_frame(ntp_request(), options)).verdict, FrameVerdict::Reply);
    options.source = "192.0.2.8";
    EXPECT_EQ(bench.receive(udp_frame(response, options)).drop, FrameDrop::Refused);
    options.destination_port = 45678;
    EXPECT_EQ(bench.receive(udp_frame(response, options)).verdict, FrameVerdict::ToKernel);
    ports.add(45678);
    EXPECT_EQ(bench.receive(udp_frame(response, options)).verdict, FrameVerdict::ToControl);
    EXPECT_EQ(bench.frame.local_port, 45678);
    ports.remove(45678);
    EXPECT_EQ(bench.receive(udp_frame(response, options)).verdict, FrameVerdict::ToKernel);
    EXPECT_EQ(bench.server.counters().to_control.get(), 2U);
}

TEST(FrameServer, ServesABurstOfManyKinds) {
    FrameBench bench(frame_config(DataplaneMode::Exclusive));
    bench.tables.forwarded = {ip("192.0.2.7")};
    NtpHeader header = Server::client_header();
    header.mode = Mode::Server;
    FrameOptions v6;
    v6.source = "2001:db8:1::7";
    v6.destination = "2001:db8::1";
    FrameOptions group;
    group.to = kBroadcastMac;
    std::vector<Bytes> frames;
    for (std::size_t i = 0; i < FrameServer::kMaxBurst; ++i) {
        switch (i % 4) {
            case 0: frames.push_back(udp_frame(ntp_request(i))); break;
            case 1: frames.push_back(udp_frame(Server::request(header))); break;
            case 2: frames.push_back(udp_frame(ntp_request(i), v6)); break;
            default: frames.push_back(udp_frame(ntp_request(i), group)); break;
        }
    }
    std::vector<Frame> burst(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        burst[i].data = frames[i].data();
        burst[i].length = burst[i].capacity = static_cast<std::uint16_t>(frames[i].size());
        burst[i].stamp.time = at_ns(static_cast<std::int64_t>(i));
    }
    bench.server.receive(burst, bench.state, bench.tables);
    for (std::size_t i = 0; i < burst.size(); ++i) {
        if (i % 4 != 1) continue;
        ASSERT_EQ(burst[i].verdict, FrameVerdict::ToControl);
        EXPECT_EQ(bench.server.datagram(burst[i]).stamp.time, at_ns(static_cast<std::int64_t>(i)));
    }
    std::reverse(burst.begin(), burst.end());
    bench.server.finish(burst, at_ns(1000));
    for (const Frame& frame : burst) {
        const std::size_t i = static_cast<std::size_t>(frame.stamp.time.ns() - kBaseNs);
        if (i % 4 == 3) {
            EXPECT_EQ(frame.drop, FrameDrop::GroupDestination);
        }
        if (i % 2 == 1) continue;
        ASSERT_EQ(frame.verdict, FrameVerdict::Reply);
        const UdpParse parsed = parse_answer(frames[i]);
        ASSERT_TRUE(parsed.packet);
        EXPECT_EQ(decode_header(parsed.packet->payload.first<kNtpHeaderSize>()).origin.bits(), i);
    }
}

}  // namespace
}  // namespace gnomon
