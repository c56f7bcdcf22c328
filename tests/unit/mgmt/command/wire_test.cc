#include "mgmt/command/wire.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace gnomon::command {
namespace {

using Bytes = std::vector<std::uint8_t>;

const IpAddress kV4 = *IpAddress::parse("192.0.2.1");
const IpAddress kV6 = *IpAddress::parse("2001:db8::1");

Bytes encoded(Command command, const RequestBody& body) {
    RequestHeader header;
    header.command = static_cast<std::uint16_t>(command);
    header.sequence = 0x01020304;
    Bytes packet(kMaxRequestSize);
    packet.resize(encode_request(header, body, packet));
    return packet;
}

template <typename Body>
Body round_trip(Command command, const Body& body) {
    const Bytes packet = encoded(command, body);
    const auto decoded =
        decode_request_body(*find_command(static_cast<std::uint16_t>(command)), packet);
    EXPECT_TRUE(decoded.has_value());
    return std::get<Body>(*decoded);
}

template <typename Report>
Report reply_round_trip(const Report& report) {
    Bytes packet(kMaxReplySize);
    packet.resize(encode_reply(ReplyHeader{}, report, packet));
    const auto header = decode_reply_header(packet);
    EXPECT_TRUE(header.has_value());
    EXPECT_EQ(packet.size(), reply_size((*header).type));
    const auto body = decode_reply_body(*header, packet);
    EXPECT_TRUE(body.has_value());
    return std::get<Report>(*body);
}

Bytes reply_bytes(const ReplyBody& body) {
    Bytes packet(kMaxReplySize);
    packet.resize(encode_reply(ReplyHeader{}, body, packet));
    return packet;
}

std::uint32_t word(const Bytes& packet, std::size_t at) {
    return std::uint32_t{packet.at(at)} << 24 | std::uint32_t{packet.at(at + 1)} << 16 |
           std::uint32_t{packet.at(at + 2)} << 8 | packet.at(at + 3);
}

TEST(Protocol, LengthsAreThoseOfTheTable) {
    struct Row {
        Command command;
        std::size_t total;
        std::size_t padding;
    };
    for (const Row& row :
         {Row{Command::Online, 60, 0}, Row{Command::Burst, 68, 0}, Row{Command::Dump, 28, 4},
          Row{Command::Settime, 40, 8}, Row{Command::SourceCount, 32, 12},
          Row{Command::SourceData, 76, 52}, Row{Command::Tracking, 104, 84},
          Row{Command::ManualList, 416, 396}, Row{Command::ModifyMakestep, 28, 0},
          Row{Command::ServerStats, 196, 176}, Row{Command::NtpData, 172, 132},
          Row{Command::AddSource, 372, 0}, Row{Command::NtpSourceName, 284, 244},
          Row{Command::AuthData, 52, 12}, Row{Command::ClientAccesses, 520, 484},
          Row{Command::Local, 48, 0}, Row{Command::ModifySelectopts, 52, 0},
          Row{Command::ModifyOffset, 48, 0}}) {
        const CommandInfo& info = *find_command(static_cast<std::uint16_t>(row.command));
        EXPECT_EQ(padding_size(info), row.padding) << static_cast<int>(row.command);
        EXPECT_EQ(info.request_size + padding_size(info), row.total)
            << static_cast<int>(row.command);
    }
}

TEST(Protocol, NoRequestIsShorterThanItsReply) {
    for (std::uint16_t code = 0; code < 200; ++code) {
        const CommandInfo* info = find_command(code);
        if (info == nullptr) continue;
        EXPECT_GE(info->request_size + padding_size(*info),
                  reply_size(static_cast<std::uint16_t>(info->reply)));
        EXPECT_LE(info->request_size + padding_size(*info), kMaxRequestSize);
    }
}

TEST(Protocol, RetiredCodesAreUnknown) {
    for (const int code : {0, 10, 12, 27, 28, 32, 38, 39, 40, 55, 56, 58, 59, 60, 61, 75}) {
        EXPECT_EQ(find_command(static_cast<std::uint16_t>(code)), nullptr) << code;
    }
    for (const int type : {0, 4, 8, 9, 10, 11, 14, 15, 22, 27}) {
        EXPECT_EQ(reply_size(static_cast<std::uint16_t>(type)), 0U) << type;
    }
}

TEST(Protocol, DefaultOpenCommandsAreTheDocumentedOnes) {
    const CommandSet open = CommandSet::defaults();
    EXPECT_TRUE(open.contains(Command::Tracking));
    EXPECT_TRUE(open.contains(Command::SourceCount));
    EXPECT_TRUE(open.contains(Command::ManualList));
    EXPECT_FALSE(open.contains(Command::ServerStats));
    EXPECT_FALSE(open.contains(Command::NtpData));
    EXPECT_FALSE(open.contains(Command::Online));
    CommandSet set;
    EXPECT_TRUE(set.add_report("NTPData"));
    EXPECT_TRUE(set.contains(Command::SourceCount));
    EXPECT_FALSE(set.add_report("online"));
}

TEST(RequestCodec, HeaderHasTheGoldenBytes) {
    const Bytes packet = encoded(Command::ModifyMinpoll, SourceInteger{kV4, -2});
    const Bytes expected = {
        6,    1,    0,    0,   0, 4, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0,  // header
        192,  0,    2,    1,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,  // address
        0xff, 0xff, 0xff, 0xfe};
    EXPECT_EQ(packet, expected);
}

TEST(RequestCodec, RefusesABodyOfAnotherShape) {
    EXPECT_TRUE(encoded(Command::Tracking, SourceInteger{kV4, 1}).empty());
    EXPECT_TRUE(encoded(Command::ModifyMinpoll, NoArguments{}).empty());
}

TEST(RequestCodec, Version5GoesWithoutPadding) {
    RequestHeader header;
    header.version = 5;
    header.command = static_cast<std::uint16_t>(Command::Tracking);
    Bytes packet(kMaxRequestSize);
    EXPECT_EQ(encode_request(header, NoArguments{}, packet), kRequestHeaderSize);
}

TEST(RequestCodec, AddSourceSurvivesTheWay) {
    AddSourceRequest request;
    request.kind = SourceKind::Pool;
    request.name = "pool.example.net";
    request.minpoll = -4;
    request.max_delay_s = 0.25;
    request.asymmetry = -0.5;
    request.max_unreach = 7;
    request.cert_set = 3;
    request.select.trust = true;
    request.online = false;
    request.nts = true;
    request.ipv6_only = true;
    request.ef_net_correction = true;
    const AddSourceRequest back = round_trip(Command::AddSource, request);
    EXPECT_EQ(back.kind, SourceKind::Pool);
    EXPECT_EQ(back.name, request.name);
    EXPECT_EQ(back.minpoll, -4);
    EXPECT_EQ(back.max_delay_s, 0.25);
    EXPECT_EQ(back.asymmetry, -0.5);
    EXPECT_EQ(back.max_unreach, 7);
    EXPECT_EQ(back.cert_set, 3U);
    EXPECT_EQ(back.select, request.select);
    EXPECT_FALSE(back.online);
    EXPECT_TRUE(back.nts && back.ipv6_only && back.ef_net_correction);
    EXPECT_FALSE(back.iburst || back.ipv4_only || back.copy);
    // nts, trust, ipv6 and net correction.
    EXPECT_EQ(word(encoded(Command::AddSource, request), 352), 0x5220U);
}

TEST(RequestCodec, ANameWithoutEndIsAnInvalidName) {
    Bytes packet = encoded(Command::AddSource, AddSourceRequest{});
    packet[24 + 255] = 'x';
    const auto body = decode_request_body(*find_command(64), packet);
    ASSERT_FALSE(body.has_value());
    EXPECT_EQ(body.error(), ParseError::InvalidName);
}

TEST(RequestCodec, SelectOptionsHaveTwoEncodings) {
    SelectOptionsRequest request;
    request.ref_id = RefId::from_text("GPS");
    request.mask = {true, true, false, false};
    request.options = {false, true, false, false};
    const Bytes packet = encoded(Command::ModifySelectopts, request);
    EXPECT_EQ(word(packet, 40), 0x47505300U);
    EXPECT_EQ(word(packet, 44), 0x3U);
    EXPECT_EQ(word(packet, 48), 0x8U);
    const auto back = round_trip(Command::ModifySelectopts, request);
    EXPECT_EQ(back.mask, request.mask);
    EXPECT_EQ(back.options, request.options);
}

TEST(RequestCodec, EveryTruncationIsTooShort) {
    for (std::uint16_t code = 0; code < kCommandCodes; ++code) {
        const CommandInfo* info = find_command(code);
        if (info == nullptr) continue;
        const Bytes packet(info->request_size);
        for (std::size_t size = 0; size < packet.size(); ++size) {
            EXPECT_FALSE(decode_request_body(*info, std::span(packet).first(size)).has_value());
        }
        EXPECT_TRUE(decode_request_body(*info, packet).has_value());
    }
}

TEST(ReplyCodec, TrackingKeepsOurSignsAndSendsTheProtocols) {
    TrackingReport report;
    report.ref_id = RefId{0x7F7F0101};
    report.address = kV6;
    report.stratum = 2;
    report.leap = Leap::InsertSecond;
    report.reference_time = UtcTime::from_ns(1'800'000'000'123'456'789);
    report.system_offset_s = 0.5;
    report.last_offset_s = 0.5;
    const Bytes packet = reply_bytes(report);
    EXPECT_EQ(word(packet, 28), 0x7F7F0101U);
    EXPECT_EQ(word(packet, 32), 0x20010db8U);
    EXPECT_EQ(word(packet, 48), 0x00020000U);
    EXPECT_EQ(word(packet, 52), 0x00020001U);
    EXPECT_EQ(word(packet, 56), 0U);
    EXPECT_EQ(word(packet, 60), 1'800'000'000U);
    EXPECT_EQ(word(packet, 64), 123'456'789U);
    EXPECT_EQ(word(packet, 68), encode_float(0.5));
    EXPECT_EQ(word(packet, 72), encode_float(-0.5));
    const TrackingReport back = reply_round_trip(report);
    EXPECT_EQ(back.address, kV6);
    EXPECT_EQ(back.reference_time, report.reference_time);
    EXPECT_EQ(back.last_offset_s, 0.5);
}

TEST(ReplyCodec, SourceOffsetsAreNegatedOnTheWire) {
    SourceReport report;
    report.address = kV4;
    report.poll = -3;
    report.measured_offset_s = 0.25;
    report.adjusted_offset_s = -2.0;
    const Bytes packet = reply_bytes(report);
    EXPECT_EQ(word(packet, 64), encode_float(-0.25));
    EXPECT_EQ(word(packet, 68), encode_float(2.0));
    const SourceReport back = reply_round_trip(report);
    EXPECT_EQ(back.poll, -3);
    EXPECT_EQ(back.measured_offset_s, 0.25);
    EXPECT_EQ(back.adjusted_offset_s, -2.0);
    EXPECT_EQ(back.last_sample_ago_s, kNever);
}

TEST(ReplyCodec, SelectLimitsSwapWithTheSign) {
    SelectReport report;
    report.offset_low_s = -1.0;
    report.offset_high_s = 3.0;
    report.configured.require = true;
    const Bytes packet = reply_bytes(report);
    EXPECT_EQ(word(packet, 68), encode_float(-3.0));
    EXPECT_EQ(word(packet, 72), encode_float(1.0));
    const SelectReport back = reply_round_trip(report);
    EXPECT_EQ(back.offset_low_s, -1.0);
    EXPECT_EQ(back.offset_high_s, 3.0);
    EXPECT_EQ(back.configured, report.configured);
}

TEST(ReplyCodec, NtpDataKeepsTestsAndFlagsApart) {
    NtpReport report;
    report.remote_address = kV4;
    report.tests = 0x3ff;
    report.authenticated = true;
    report.tx_timestamp_source = 'K';
    report.precision = -23;
    report.total_hardware_rx_timestamps = 9;
    const Bytes packet = reply_bytes(report);
    EXPECT_EQ(word(packet, 120) >> 16, 0x83ffU);
    EXPECT_EQ(word(packet, 156), 0xffffffffU);
    const NtpReport back = reply_round_trip(report);
    EXPECT_EQ(back.tests, 0x3ff);
    EXPECT_TRUE(back.authenticated);
    EXPECT_FALSE(back.interleaved);
    EXPECT_EQ(back.tx_timestamp_source, 'K');
    EXPECT_EQ(back.precision, -23);
    EXPECT_EQ(back.total_hardware_rx_timestamps, 9U);
}

TEST(ReplyCodec, ServosComeBackAndTheNinthIsCut) {
    ServosReport report;
    report.address = kV4;
    report.servos.assign(9, ServoReport{"regression", true, -1e-6, 2e-7, 3.5, 0.25, 77, 4e-6});
    report.servos[1].name = "a-name-longer-than-fifteen";
    const ServosReport back = reply_round_trip(report);
    ASSERT_EQ(back.servos.size(), 8U);
    EXPECT_EQ(back.address, kV4);
    EXPECT_EQ(back.servos[0].name, "regression");
    EXPECT_EQ(back.servos[1].name, "a-name-longer-t");
    EXPECT_TRUE(back.servos[7].known);
    EXPECT_NEAR(back.servos[7].offset_s, -1e-6, 1e-13);
    EXPECT_EQ(back.servos[7].frequency_ppm, 3.5);
    EXPECT_EQ(back.servos[7].predictions, 77U);
}

TEST(RequestCodec, CaptureArgumentsComeBack) {
    CaptureRequest request;
    request.file = "/var/log/a.pcapng";
    request.port = "eth1/0";
    request.limit_mb = 5;
    request.limit_s = 6;
    request.limit_packets = 7;
    const CaptureRequest back = round_trip(Command::CaptureStart, request);
    EXPECT_EQ(back.file, request.file);
    EXPECT_EQ(back.port, request.port);
    EXPECT_EQ(back.limit_mb, 5U);
    EXPECT_EQ(back.limit_s, 6U);
    EXPECT_EQ(back.limit_packets, 7U);
}

TEST(ReplyCodec, CaptureStatusComesBack) {
    CaptureReport report;
    report.state = CaptureReport::State::DiskFull;
    report.error = 28;
    report.packets = 0x1'0000'0001;
    report.lost = 2;
    report.path = std::string(300, 'p');
    report.port = "eth1";
    const CaptureReport back = reply_round_trip(report);
    EXPECT_EQ(back.state, report.state);
    EXPECT_EQ(back.error, 28U);
    EXPECT_EQ(back.packets, report.packets);
    EXPECT_EQ(back.lost, 2U);
    EXPECT_EQ(back.path, std::string(255, 'p'));
    EXPECT_EQ(back.port, "eth1");
}

TEST(ReplyCodec, TopClientsComeBackAndTheNinthIsCut) {
    TopReport report;
    report.known = 100;
    report.total_rate = 8.0;
    report.sampling = 16;
    TopClient client;
    client.address = kV6;
    client.rate = 2.5;
    client.abuse = 50.0;
    client.poll = -4;
    client.port = 40000;
    client.has_mac = client.interleaved = true;
    report.clients.assign(9, client);
    const TopReport back = reply_round_trip(report);
    EXPECT_EQ(back.known, 100U);
    EXPECT_EQ(back.sampling, 16U);
    ASSERT_EQ(back.clients.size(), kMaxHeavyClientsPerReply);
    EXPECT_EQ(back.clients[7].address, kV6);
    EXPECT_EQ(back.clients[7].rate, 2.5);
    EXPECT_EQ(back.clients[7].abuse, 50.0);
    EXPECT_EQ(back.clients[7].poll, -4);
    EXPECT_EQ(back.clients[7].port, 40000);
    EXPECT_TRUE(back.clients[7].has_mac);
    EXPECT_FALSE(back.clients[7].has_nts);
    EXPECT_TRUE(back.clients[7].interleaved);
}

TEST(ReplyCodec, AnalyticsComeBack) {
    AnalyticsReport report;
    report.observed = 0x1'0000'0003;
    report.version[4] = 7.0;
    report.poll[25] = 3.0;
    report.size[7] = 2.0;
    report.outcome[3] = 1.0;
    report.interleaved = 5.0;
    report.measured[25] = 9.0;
    const AnalyticsReport back = reply_round_trip(report);
    EXPECT_EQ(back.observed, report.observed);
    EXPECT_EQ(back.version, report.version);
    EXPECT_EQ(back.poll, report.poll);
    EXPECT_EQ(back.size, report.size);
    EXPECT_EQ(back.outcome, report.outcome);
    EXPECT_EQ(back.interleaved, 5.0);
    EXPECT_EQ(back.measured, report.measured);
}

TEST(ReplyCodec, EveryPartOfTheDataplaneComesBackInAReplyOfTheSameSize) {
    DataplaneReport report;
    report.ports = 2;
    report.workers = 3;
    report.drops = 40;
    report.port = {"af_xdp:eth1",
                   "net_af_xdp",
                   "rx-checksum",
                   DataplaneMode::Exclusive,
                   PortHealth::NoBuffers,
                   true,
                   false,
                   true,
                   10000,
                   1,
                   2,
                   3,
                   4,
                   1.5e-6};
    report.worker.queue = 2;
    report.worker.core = -1;
    report.worker.rx_frames = 0x1'0000'0001;
    report.worker.rx_stamps = {1, 2, 3};
    report.worker.mean_burst = 31.5;
    report.worker.latency_log2_ns[31] = 77;
    report.dropped.assign(13, DataplaneDrop{"rate-limited", 5});

    report.part = DataplanePart::Port;
    EXPECT_EQ(reply_bytes(report).size(), 440u);
    DataplaneReport back = reply_round_trip(report);
    EXPECT_EQ(back.workers, 3u);
    EXPECT_EQ(back.port.device, "af_xdp:eth1");
    EXPECT_EQ(back.port.mode, DataplaneMode::Exclusive);
    EXPECT_EQ(back.port.health, PortHealth::NoBuffers);
    EXPECT_TRUE(back.port.kernel_under);
    EXPECT_FALSE(back.port.serving);
    EXPECT_EQ(back.port.takeovers, 4u);
    EXPECT_NEAR(back.port.queueing_s, 1.5e-6, 1e-12);

    report.part = DataplanePart::Worker;
    EXPECT_EQ(reply_bytes(report).size(), 440u);
    back = reply_round_trip(report);
    EXPECT_EQ(back.worker.core, -1);
    EXPECT_EQ(back.worker.rx_frames, 0x1'0000'0001U);
    EXPECT_EQ(back.worker.rx_stamps[2], 3u);
    EXPECT_EQ(back.worker.mean_burst, 31.5);
    EXPECT_EQ(back.worker.latency_log2_ns[31], 77u);

    report.part = DataplanePart::Drops;
    EXPECT_EQ(reply_bytes(report).size(), 440u);
    back = reply_round_trip(report);
    EXPECT_EQ(back.drops, 40u);
    ASSERT_EQ(back.dropped.size(), kMaxDropsPerReply) << "the others are asked for";
    EXPECT_EQ(back.dropped[11].reason, "rate-limited");
}

TEST(ReplyCodec, ServerStatsEndInReservedOnes) {
    ServerStatsReport report;
    report.ntp_hits = 0x1'0000'0002;
    report.ntp_hardware_tx_timestamps = 17;
    const Bytes packet = reply_bytes(report);
    EXPECT_EQ(word(packet, 28), 1U);
    EXPECT_EQ(word(packet, 32), 2U);
    EXPECT_EQ(word(packet, 192), 0xffffffffU);
    EXPECT_EQ(reply_round_trip(report).ntp_hardware_tx_timestamps, 17U);
}

TEST(ReplyCodec, ListsAreCutAtTheirFields) {
    ClientAccessReport clients;
    clients.clients.resize(20);
    EXPECT_EQ(reply_round_trip(clients).clients.size(), kMaxClientsPerReply);
    ManualReport manual;
    manual.samples.resize(40);
    EXPECT_EQ(reply_round_trip(manual).samples.size(), kMaxManualSamples);
    Bytes packet = reply_bytes(clients);
    packet[36] = 0xff;
    const auto header = decode_reply_header(packet);
    const auto body = decode_reply_body(*header, packet);
    EXPECT_EQ(std::get<ClientAccessReport>(*body).clients.size(), kMaxClientsPerReply);
}

TEST(ReplyCodec, OldTimesWithoutHighWordAreRead) {
    Bytes packet = reply_bytes(RtcReport{});
    const Bytes time = {0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    std::copy(time.begin(), time.end(), packet.begin() + 28);
    const auto body = decode_reply_body(*decode_reply_header(packet), packet);
    EXPECT_EQ(std::get<RtcReport>(*body).reference_time.ns(),
              0x80000000LL * 1'000'000'000 + 999'999'999);
}

TEST(ReplyCodec, RefusesWhatIsNoReply) {
    Bytes packet = reply_bytes(ActivityReport{});
    EXPECT_FALSE(decode_reply_header(std::span(packet).first(27)).has_value());
    const auto header = decode_reply_header(packet);
    EXPECT_FALSE(decode_reply_body(*header, std::span(packet).first(47)).has_value());
    packet[1] = 1;
    EXPECT_FALSE(decode_reply_header(packet).has_value());
}

}  // namespace
}  // namespace gnomon::command
