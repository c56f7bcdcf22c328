#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "mgmt/command/wire.h"
#include "mgmt/engine/source_commands.h"
#include "tests/unit/mgmt/engine/fakes.h"

namespace gnomon::test_engine {
namespace {

using command::Status;

class EngineCommands : public ::testing::Test {
protected:
    EngineCommands()
        : server_(world_.add({"local stratum 1\nallow\n"})),
          client_(world_.add({"server 10.0.0.1 iburst\nallow 10.0.0.0/8\nmanual\n", 30e-6, 0.01})) {
        server_.start();
        client_.start();
    }

    command::CommandHandlers handlers() { return client_.engine->handlers(); }
    UtcTime utc() const { return client_.engine->utc(client_.clock.now()); }
    IpAddress source() const { return TestWorld::address_of(0); }

    TestWorld world_;
    TestNode& server_;
    TestNode& client_;
};

TEST_F(EngineCommands, TrackingTellsSourceAndFrequency) {
    world_.run_until(1000.0);
    const auto report = handlers().monitoring.tracking(utc());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->address, source());
    EXPECT_EQ(report->stratum, 2);
    EXPECT_EQ(report->leap, Leap::Normal);
    EXPECT_NEAR(report->frequency_ppm, 30.0, 1.0) << "the clock is fast";
    EXPECT_LT(std::fabs(report->system_offset_s), 1e-3);
    EXPECT_GT(report->root_delay_s, 1e-4);
    EXPECT_LT(report->root_delay_s, 1e-3);
}

TEST_F(EngineCommands, TrackingIsUnsynchronisedAtFirst) {
    const auto report = handlers().monitoring.tracking(utc());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->stratum, 0);
    EXPECT_EQ(report->leap, Leap::Unsynchronised);
    EXPECT_EQ(report->ref_id.value, 0U);
}

TEST_F(EngineCommands, SourceReportsAgree) {
    world_.run_until(300.0);
    ASSERT_EQ(handlers().monitoring.source_count(), 1U);
    const auto report = handlers().monitoring.source(0, utc());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->state, command::SourceState::Selected);
    EXPECT_EQ(report->stratum, 1);
    EXPECT_EQ(report->poll, 6);
    EXPECT_LT(report->last_sample_ago_s, 70U);
    const auto statistics = handlers().monitoring.source_stats(0, utc());
    ASSERT_TRUE(statistics);
    EXPECT_GE(statistics->samples, 4U);
    const auto select = handlers().monitoring.select(0, utc());
    ASSERT_TRUE(select);
    EXPECT_EQ(select->state, '*');
    EXPECT_LE(select->offset_low_s, select->offset_high_s);
    const auto ntp = handlers().monitoring.ntp(source());
    ASSERT_TRUE(ntp);
    EXPECT_EQ(ntp->tests, 0x3ff);
    EXPECT_EQ(ntp->total_tx, ntp->total_rx);
    EXPECT_EQ(ntp->tx_timestamp_source, 'K');
    EXPECT_FALSE(handlers().monitoring.source(1, utc()));
    EXPECT_FALSE(handlers().monitoring.ntp(TestWorld::address_of(5)));
}

TEST_F(EngineCommands, ServerCountsItsClients) {
    world_.run_until(300.0);
    const auto statistics = server_.engine->handlers().monitoring.server_stats();
    ASSERT_TRUE(statistics);
    EXPECT_EQ(statistics->ntp_hits, client_.sent);
    const auto clients =
        server_.engine->handlers().monitoring.clients(command::ClientRange{0, 8, 0, false}, utc());
    ASSERT_TRUE(clients);
    EXPECT_GT(clients->indices, 0U);
}

TEST_F(EngineCommands, OfflineStopsPollingAndOnlineResumesIt) {
    world_.run_until(100.0);
    EXPECT_EQ(handlers().sources.set_offline({}), Status::Success);
    const auto sent = client_.sent;
    world_.run_until(400.0);
    EXPECT_EQ(client_.sent, sent);
    EXPECT_EQ(handlers().monitoring.activity()->offline, 1U);
    EXPECT_EQ(handlers().sources.set_online({}), Status::Success);
    EXPECT_EQ(handlers().monitoring.activity()->offline, 0U);
    world_.run_until(420.0);
    EXPECT_GE(client_.sent, sent + 4) << "iburst is repeated";
    EXPECT_EQ(client_.events_of<OnlineChanged>().size(), 2U);
}

TEST_F(EngineCommands, CommandsForUnknownSourcesFail) {
    const IpAddress nobody = TestWorld::address_of(9);
    EXPECT_EQ(handlers().sources.modify_minpoll(nobody, 5), Status::NoSuchSource);
    EXPECT_EQ(handlers().sources.delete_source(nobody), Status::NoSuchSource);
    EXPECT_EQ(handlers().sources.set_offline({IpAddress(), nobody}), Status::NoSuchSource);
    EXPECT_EQ(handlers().sources.modify_offset({nobody, {}, 1.0}), Status::NoSuchSource);
}

TEST_F(EngineCommands, SourcesAreAddedAndDeleted) {
    command::AddSourceRequest request;
    request.name = "10.0.0.1";
    EXPECT_EQ(handlers().sources.add_source(request), Status::SourceAlreadyKnown);
    request.ipv6_only = true;
    EXPECT_EQ(handlers().sources.add_source(request), Status::InvalidAddressFamily);
    request.ipv6_only = false;
    request.name = "10.0.0.7";
    EXPECT_EQ(handlers().sources.add_source(request), Status::Success);
    EXPECT_EQ(handlers().monitoring.source_count(), 2U);
    request.name = "no such name";
    EXPECT_EQ(handlers().sources.add_source(request), Status::InvalidName);
    EXPECT_EQ(handlers().sources.delete_source(TestWorld::address_of(6)), Status::Success);
    EXPECT_EQ(handlers().sources.delete_source(source()), Status::Success);
    EXPECT_EQ(handlers().monitoring.source_count(), 0U);
    world_.run_until(100.0);
}

TEST_F(EngineCommands, SelectOptionsTakeEffect) {
    world_.run_until(300.0);
    command::SelectOptionsRequest request;
    request.address = source();
    request.mask.noselect = true;
    request.options.noselect = true;
    EXPECT_EQ(handlers().sources.modify_select_options(request), Status::Success);
    EXPECT_EQ(handlers().sources.reselect(), Status::Success);
    EXPECT_EQ(handlers().monitoring.select(0, utc())->state, 'N');
}

TEST_F(EngineCommands, OffsetCorrectionMovesTheClock) {
    world_.run_until(300.0);
    EXPECT_EQ(handlers().sources.modify_offset({source(), {}, 0.5}), Status::Success);
    world_.run_until(1500.0);
    EXPECT_NEAR(client_.clock.error_s(), 0.5, 0.01);
}

TEST_F(EngineCommands, ResetForgetsAllMeasurements) {
    world_.run_until(300.0);
    EXPECT_EQ(handlers().sources.reset_sources(utc()), Status::Success);
    EXPECT_EQ(handlers().monitoring.source_stats(0, utc())->samples, 0U);
    EXPECT_EQ(handlers().monitoring.tracking(utc())->stratum, 0);
    world_.run_until(1000.0);
    EXPECT_EQ(handlers().monitoring.tracking(utc())->stratum, 2);
}

TEST_F(EngineCommands, DoffsetIsSlewedAndMakestepStepsTheRest) {
    EXPECT_EQ(handlers().clock.adjust_offset(0.25), Status::Success);
    EXPECT_NEAR(handlers().monitoring.tracking(utc())->system_offset_s, 0.25, 0.01);
    EXPECT_EQ(handlers().clock.make_step(), Status::Success);
    EXPECT_EQ(client_.clock.steps(), 1);
    EXPECT_NEAR(client_.clock.error_s(), 0.26, 0.001);
}

TEST_F(EngineCommands, SettimeSetsTheClockOnlyWhenManualInputIsOn) {
    const auto report = handlers().clock.set_time(utc() + Duration::from_s(2), utc());
    ASSERT_TRUE(report);
    EXPECT_NEAR(report->offset_s, 2.0, 1e-6);
    EXPECT_EQ(handlers().monitoring.manual_samples()->samples.size(), 1U);
    EXPECT_EQ(handlers().clock.manual_disable(), Status::Success);
    EXPECT_FALSE(handlers().clock.set_time(utc(), utc()));
    EXPECT_EQ(handlers().clock.manual_delete(3), Status::BadSample);
}

TEST_F(EngineCommands, LocalReferenceIsSwitchedOnAndOff) {
    command::LocalRequest request;
    request.enabled = true;
    request.stratum = 7;
    EXPECT_EQ(handlers().sources.set_offline({}), Status::Success);
    EXPECT_EQ(handlers().clock.set_local(request), Status::Success);
    EXPECT_EQ(handlers().monitoring.tracking(utc())->stratum, 7);
    EXPECT_EQ(handlers().monitoring.tracking(utc())->ref_id, RefId::local());
    request.enabled = false;
    EXPECT_EQ(handlers().clock.set_local(request), Status::Success);
    EXPECT_EQ(handlers().monitoring.tracking(utc())->stratum, 0);
}

TEST_F(EngineCommands, AccessRulesOpenAndCloseTheServer) {
    auto& access = handlers().access;
    const auto port = command::AccessCommands::Port::Ntp;
    EXPECT_TRUE(access.is_allowed(port, *IpAddress::parse("10.1.2.3")));
    EXPECT_EQ(access.deny(port, {IpAddress(), 0}, true), Status::Success);
    EXPECT_FALSE(access.is_allowed(port, *IpAddress::parse("10.1.2.3")));
    EXPECT_EQ(access.allow(port, {*IpAddress::parse("1.2.3.4"), 33}, false), Status::BadSubnet);
}

TEST_F(EngineCommands, RequestsAreAnsweredByTheirOrigin) {
    world_.run_until(200.0);
    std::array<std::uint8_t, command::kMaxRequestSize> request{};
    std::array<std::uint8_t, command::kMaxReplySize> reply{};
    command::RequestHeader header;
    header.command = static_cast<std::uint16_t>(command::Command::Tracking);
    const std::size_t size = command::encode_request(header, command::NoArguments{}, request);
    ASSERT_GT(size, 0U);
    const std::span<const std::uint8_t> bytes(request.data(), size);
    const Now now = client_.now();
    EXPECT_GT(client_.engine->handle_command(bytes, CommandClient{}, now, reply), 0U);
    EXPECT_GT(client_.engine->handle_command(bytes, CommandClient{*IpAddress::parse("127.0.0.1")},
                                             now, reply),
              0U);
    EXPECT_EQ(client_.engine->handle_command(bytes, CommandClient{*IpAddress::parse("10.0.0.5")},
                                             now, reply),
              0U)
        << "not in cmdallow";
    EXPECT_EQ(handlers().monitoring.server_stats()->cmd_hits, 2U);
}

TEST(SourceRange, MasksDecideBitByBit) {
    const auto ip = [](const char* text) { return *IpAddress::parse(text); };
    EXPECT_TRUE(is_in_range(ip("10.0.0.1"), {}));
    EXPECT_TRUE(is_in_range(ip("10.0.0.1"), {ip("255.255.255.0"), ip("10.0.0.99")}));
    EXPECT_FALSE(is_in_range(ip("10.0.1.1"), {ip("255.255.255.0"), ip("10.0.0.99")}));
    EXPECT_TRUE(is_in_range(IpAddress::id(3), {IpAddress(), IpAddress::id(3)}));
    EXPECT_FALSE(is_in_range(IpAddress::id(4), {IpAddress(), IpAddress::id(3)}));
    EXPECT_FALSE(is_in_range(ip("::1"), {ip("255.0.0.0"), ip("10.0.0.1")}));
}

}  // namespace
}  // namespace gnomon::test_engine
