#include "mgmt/command/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "mgmt/command/wire.h"

namespace gnomon::command {
namespace {

using ::testing::_;
using ::testing::Return;

const UtcTime kNow = UtcTime::from_ns(1'800'000'000'000'000'000);

class Reports : public MonitoringReports {
public:
    MOCK_METHOD(ReportResult<TrackingReport>, tracking, (UtcTime), (override));
    MOCK_METHOD(ReportResult<ServerStatsReport>, server_stats, (), (override));
    MOCK_METHOD(ReportResult<NtpReport>, ntp, (const IpAddress&), (override));
    MOCK_METHOD(ReportResult<ClientAccessReport>, clients, (const ClientRange&, UtcTime),
                (override));
};
class Clock : public ClockCommands {
public:
    MOCK_METHOD(Status, adjust_offset, (double), (override));
    MOCK_METHOD(Status, manual_reset, (), (override));
};
class AccessTable : public AccessCommands {
public:
    MOCK_METHOD(bool, is_allowed, (Port, const IpAddress&), (override));
};
class Sources : public SourceCommands {
public:
    MOCK_METHOD(Status, add_source, (const AddSourceRequest&), (override));
};

class Dispatcher : public ::testing::Test {
protected:
    Dispatcher() {
        ON_CALL(reports_, server_stats).WillByDefault([] {
            return ReportResult<ServerStatsReport>(Unexpected(Status::NotEnabled));
        });
    }
    std::vector<std::uint8_t> request(Command command, const RequestBody& body = NoArguments{}) {
        RequestHeader header;
        header.command = static_cast<std::uint16_t>(command);
        header.sequence = 77;
        std::vector<std::uint8_t> packet(kMaxRequestSize);
        packet.resize(encode_request(header, body, packet));
        return packet;
    }
    Result<std::size_t, CommandDrop> handle(const std::vector<std::uint8_t>& packet,
                                            Origin origin = Origin::UnixSocket) {
        reply_.assign(kMaxReplySize, 0);
        return handle_command(packet, origin, open_, kNow, handlers_, reply_);
    }
    Status status_of(const std::vector<std::uint8_t>& packet, Origin origin = Origin::UnixSocket) {
        EXPECT_TRUE(handle(packet, origin).has_value());
        const auto header = decode_reply_header(reply_);
        EXPECT_EQ((*header).sequence, 77U);
        EXPECT_EQ((*header).version, kProtocolVersion);
        return (*header).status;
    }

    ::testing::NiceMock<Reports> reports_;
    ::testing::NiceMock<Sources> sources_;
    ::testing::NiceMock<Clock> clock_;
    ::testing::NiceMock<AccessTable> access_;
    DaemonCommands daemon_;
    CommandSet open_ = CommandSet::defaults();
    CommandHandlers handlers_{reports_, sources_, clock_, access_, daemon_};
    std::vector<std::uint8_t> reply_;
};

TEST_F(Dispatcher, AnswersTrackingFromTheNetwork) {
    TrackingReport report;
    report.stratum = 3;
    EXPECT_CALL(reports_, tracking(kNow)).WillOnce(Return(report));
    const auto size = handle(request(Command::Tracking), Origin::AllowedHost);
    ASSERT_TRUE(size.has_value());
    EXPECT_EQ(*size, 104U);
    const auto body = decode_reply_body(*decode_reply_header(reply_), reply_);
    EXPECT_EQ(std::get<TrackingReport>(*body).stratum, 3);
}

TEST_F(Dispatcher, OtherHostsGetNoAnswer) {
    const auto result = handle(request(Command::Tracking), Origin::OtherHost);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), CommandDrop::NotAllowed);
}

TEST_F(Dispatcher, TheNetworkMayNotChangeAnything) {
    EXPECT_CALL(clock_, adjust_offset(_)).Times(0);
    const auto packet = request(Command::Doffset, NumberArgument{1.0});
    EXPECT_EQ(status_of(packet, Origin::Loopback), Status::Unauthorised);
    EXPECT_EQ(status_of(request(Command::Accheck, AddressArgument{}), Origin::Loopback),
              Status::Unauthorised);
}

TEST_F(Dispatcher, ClosedReportsNeedTheUnixSocket) {
    EXPECT_EQ(status_of(request(Command::ServerStats), Origin::Loopback), Status::Unauthorised);
    EXPECT_EQ(status_of(request(Command::ServerStats)), Status::NotEnabled);
    open_.add_report("serverstats");
    EXPECT_EQ(status_of(request(Command::ServerStats), Origin::Loopback), Status::NotEnabled);
}

TEST_F(Dispatcher, AFailedReportIsAShortReplyWithItsStatus) {
    EXPECT_CALL(reports_, tracking(_)).WillOnce(Return(Unexpected(Status::Failed)));
    const auto size = handle(request(Command::Tracking));
    EXPECT_EQ(*size, kReplyHeaderSize);
    EXPECT_EQ((*decode_reply_header(reply_)).status, Status::Failed);
}

TEST_F(Dispatcher, VersionsAreToldApart) {
    auto packet = request(Command::Tracking);
    packet[0] = 7;
    EXPECT_EQ(status_of(packet), Status::BadPacketVersion);
    packet[0] = 5;
    EXPECT_EQ(status_of(packet), Status::BadPacketVersion);
    packet[0] = 4;
    EXPECT_EQ(handle(packet).error(), CommandDrop::UnknownVersion);
}

TEST_F(Dispatcher, UnknownAndRetiredCommandsAreInvalid) {
    auto packet = request(Command::Tracking);
    for (const int code : {0, 12, 75, 255}) {
        packet[5] = static_cast<std::uint8_t>(code);
        EXPECT_EQ(status_of(packet), Status::Invalid) << code;
    }
}

TEST_F(Dispatcher, ShortRequestsAreToldSoUnlessTheAnswerWouldBeLonger) {
    auto packet = request(Command::Tracking);
    packet.resize(103);
    EXPECT_EQ(status_of(packet), Status::BadPacketLength);
    packet.resize(27);
    EXPECT_EQ(handle(packet).error(), CommandDrop::TooShort);
    packet.resize(kMaxRequestSize + 1);
    EXPECT_EQ(handle(packet).error(), CommandDrop::TooLong);
}

TEST_F(Dispatcher, OlderClientsGetTheLayoutTheyAskedFor) {
    ServerStatsReport stats;
    stats.ntp_hits = 5'000'000'000;  // more than the old counter holds
    stats.ntp_span_s = 7;
    EXPECT_CALL(reports_, server_stats).WillRepeatedly(Return(stats));
    auto packet = request(Command::ServerStats);
    packet.resize(72);  // as chronyc 4.3 asks
    ASSERT_EQ(handle(packet).value_or(0), 72U);
    auto header = decode_reply_header(reply_);
    EXPECT_EQ((*header).type, 24);
    const auto old_stats = decode_reply_body(*header, reply_);
    EXPECT_EQ(std::get<LegacyServerStats>(*old_stats).report.ntp_hits, 0xffff'ffffU);
    EXPECT_EQ(std::get<LegacyServerStats>(*old_stats).report.ntp_span_s, 7U);

    NtpReport ntp;
    ntp.total_good_rx = 42;
    EXPECT_CALL(reports_, ntp).WillRepeatedly(Return(ntp));
    packet = request(Command::NtpData, AddressArgument{IpAddress::v4(0x0A000001)});
    packet.resize(152);
    ASSERT_EQ(handle(packet).value_or(0), 152U);
    header = decode_reply_header(reply_);
    EXPECT_EQ((*header).type, 16);
    const auto old_data = decode_reply_body(*header, reply_);
    EXPECT_EQ(std::get<LegacyNtpData>(*old_data).report.total_good_rx, 42U);

    packet.resize(151);
    EXPECT_EQ(status_of(packet), Status::BadPacketLength);
}

TEST_F(Dispatcher, RepliesAndReservedBytesAreDropped) {
    auto packet = request(Command::Tracking);
    packet[1] = 2;
    EXPECT_EQ(handle(packet).error(), CommandDrop::NotARequest);
    packet = request(Command::Tracking);
    packet[3] = 1;
    EXPECT_EQ(handle(packet).error(), CommandDrop::NotARequest);
}

TEST_F(Dispatcher, OffsetsOfCommandsTakeOurSign) {
    EXPECT_CALL(clock_, adjust_offset(-0.5)).WillOnce(Return(Status::Success));
    EXPECT_EQ(status_of(request(Command::Doffset, NumberArgument{0.5})), Status::Success);
}

TEST_F(Dispatcher, OptionsOutOfRangeAreInvalid) {
    EXPECT_CALL(clock_, manual_reset()).WillOnce(Return(Status::Success));
    EXPECT_EQ(status_of(request(Command::Manual, IntegerArgument{2})), Status::Success);
    EXPECT_EQ(status_of(request(Command::Manual, IntegerArgument{3})), Status::Invalid);
    EXPECT_CALL(sources_, add_source(_)).Times(0);
    AddSourceRequest add;
    add.kind = static_cast<SourceKind>(9);
    EXPECT_EQ(status_of(request(Command::AddSource, add)), Status::Invalid);
}

TEST_F(Dispatcher, AccessChecksAnswerByStatus) {
    const IpAddress address = *IpAddress::parse("192.0.2.1");
    EXPECT_CALL(access_, is_allowed(AccessCommands::Port::Ntp, address)).WillOnce(Return(true));
    EXPECT_CALL(access_, is_allowed(AccessCommands::Port::Command, address))
        .WillOnce(Return(false));
    EXPECT_EQ(status_of(request(Command::Accheck, AddressArgument{address})),
              Status::AccessAllowed);
    EXPECT_EQ(status_of(request(Command::CmdAccheck, AddressArgument{address})),
              Status::AccessDenied);
}

TEST_F(Dispatcher, ClientPagesAreLimited) {
    EXPECT_CALL(reports_, clients(_, kNow)).WillOnce([](const ClientRange& range, UtcTime) {
        EXPECT_EQ(range.count, kMaxClientsPerReply);
        EXPECT_TRUE(range.reset);
        return ReportResult<ClientAccessReport>(ClientAccessReport{});
    });
    EXPECT_EQ(status_of(request(Command::ClientAccesses, ClientRange{0, 1000, 0, true})),
              Status::Success);
}

TEST_F(Dispatcher, EveryCommandIsAnsweredByTheDefaults) {
    MonitoringReports reports;
    SourceCommands sources;
    ClockCommands clock;
    AccessCommands access;
    const CommandHandlers handlers{reports, sources, clock, access, daemon_};
    for (std::uint16_t code = 0; code < kCommandCodes; ++code) {
        const CommandInfo* info = find_command(code);
        if (info == nullptr) continue;
        std::vector<std::uint8_t> packet(info->request_size + padding_size(*info));
        packet[0] = kProtocolVersion;
        packet[1] = 1;
        packet[5] = static_cast<std::uint8_t>(code);
        reply_.assign(kMaxReplySize, 0);
        const auto size = handle_command(packet, Origin::UnixSocket, open_, kNow, handlers, reply_);
        EXPECT_TRUE(size.has_value()) << code;
    }
}

}  // namespace
}  // namespace gnomon::command
