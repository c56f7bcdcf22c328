#include "mgmt/engine/engine.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "mgmt/command/wire.h"
#include "tests/unit/mgmt/engine/fakes.h"

namespace gnomon::test_engine {
namespace {

constexpr const char* kServer = "local stratum 1\nallow\n";

TEST(Engine, ClientSelectsTheServerAndSteersItsClockToIt) {
    TestWorld world;
    TestNode& server = world.add({kServer});
    TestNode& client = world.add({"server 10.0.0.1\n", 50e-6, 0.1});
    server.start();
    client.start();

    world.run_until(125.0);
    EXPECT_FALSE(client.engine->server_state().synchronised) << "before the third sample";
    world.run_until(140.0);
    EXPECT_TRUE(client.engine->server_state().synchronised);
    ASSERT_EQ(client.events_of<SourceSelected>().size(), 1U);
    EXPECT_EQ(client.events_of<SourceSelected>()[0].source.to_string(), "10.0.0.1");

    world.run_until(1000.0);
    EXPECT_LT(std::fabs(client.ntp_error_s()), 1e-4);
    EXPECT_LT(std::fabs(client.clock.error_s()), 1e-3);
    EXPECT_EQ(client.clock.steps(), 0);
    EXPECT_EQ(client.engine->server_state().stratum, 2);
    EXPECT_EQ(client.engine->server_state().ref_id.value, 0x0A000001U);
}

TEST(Engine, FirstRequestLeavesAFifthOfASecondAfterStart) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode& client = world.add({"server 10.0.0.1\n"});
    client.start();
    world.run_until(10.0);
    ASSERT_EQ(client.sent_at_s.size(), 1U);
    EXPECT_NEAR(client.sent_at_s[0], 0.2, 0.01);
}

TEST(Engine, InitialBurstSetsTheClockWithinSeconds) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode& client = world.add({"server 10.0.0.1 iburst\nmakestep 0.01 1\n", 100e-6, 1.0});
    client.start();
    world.run_until(8.0);
    EXPECT_EQ(client.clock.steps(), 1);
    EXPECT_LT(std::fabs(client.clock.error_s()), 1e-3);
    ASSERT_EQ(client.events_of<ClockStepped>().size(), 1U);
    EXPECT_NEAR(client.events_of<ClockStepped>()[0].offset_s, -1.0, 0.01);
}

TEST(Engine, RequestsToDifferentServersKeepTheirDistance) {
    TestWorld world;
    std::string config;
    for (int i = 0; i < 4; ++i) {
        world.add({kServer}).start();
        config += "server " + TestWorld::address_of(i).to_string() + " iburst\n";
    }
    TestNode& client = world.add({config});
    client.start();
    world.run_until(30.0);
    ASSERT_GT(client.sent_at_s.size(), 12U);
    for (std::size_t i = 1; i < client.sent_at_s.size(); ++i) {
        EXPECT_GT(client.sent_at_s[i] - client.sent_at_s[i - 1], 0.18);
    }
}

TEST(Engine, FalsetickerIsFoundAmongThree) {
    TestWorld world;
    for (int i = 0; i < 3; ++i) {
        TestNode::Model model{kServer};
        model.offset_s = i == 1 ? 5.0 : 0.0;
        world.add(std::move(model)).start();
    }
    TestNode& client =
        world.add({"server 10.0.0.1 iburst\nserver 10.0.0.2 iburst\nserver 10.0.0.3 iburst\n"});
    client.start();
    world.run_until(300.0);
    ASSERT_FALSE(client.events_of<FalsetickerDetected>().empty());
    EXPECT_EQ(client.events_of<FalsetickerDetected>()[0].source.to_string(), "10.0.0.2");
    EXPECT_LT(std::fabs(client.ntp_error_s()), 1e-3);
}

TEST(Engine, PoolKeepsAsManySourcesAsWantedAndReplacesDeadOnes) {
    TestWorld world;
    std::vector<IpAddress> all;
    for (int i = 0; i < 6; ++i) {
        world.add({kServer}).start();
        all.push_back(TestWorld::address_of(i));
    }
    world.names["pool.example"] = all;
    TestNode& client = world.add({"pool pool.example maxsources 2 minpoll 4 maxpoll 4\n"});
    client.start();
    world.run_until(60.0);
    EXPECT_EQ(client.engine->handlers().monitoring.source_count(), 2U);

    const auto first = client.engine->handlers().monitoring.source(0, UtcTime());
    ASSERT_TRUE(first);
    const IpAddress dead = first->address;
    world.lost = [dead](const IpAddress&, const IpAddress& to) { return to == dead; };
    world.run_until(60.0 + 16.0 * 12 + 7.0 * 512);
    EXPECT_FALSE(client.events_of<SourceReplaced>().empty());
    const auto sources = client.engine->handlers().monitoring.source_count();
    EXPECT_EQ(sources, 2U);
    for (std::uint32_t i = 0; i < sources; ++i) {
        EXPECT_NE(client.engine->handlers().monitoring.source(i, UtcTime())->address, dead);
    }
}

TEST(Engine, WithoutNetworkItKeepsTryingAndServesItsLocalReference) {
    TestWorld world;
    TestNode& node = world.add({"server ntp.example\nserver 10.0.0.9\nlocal stratum 8\nallow\n"});
    node.has_network = false;
    node.start();
    world.run_until(500.0);
    EXPECT_EQ(node.engine->server_state().stratum, 8);
    auto activity = node.engine->handlers().monitoring.activity();
    ASSERT_TRUE(activity);
    EXPECT_EQ(activity->unresolved, 1U);

    world.add({kServer}).start();
    world.names["ntp.example"] = {TestWorld::address_of(1)};
    node.has_network = true;
    world.run_until(500.0 + 3600.0);
    EXPECT_EQ(node.engine->handlers().monitoring.activity()->unresolved, 0U);
    EXPECT_EQ(node.engine->server_state().stratum, 2);
}

TEST(Engine, ForeignStepIsNoticedAndCorrected) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode& client = world.add({"server 10.0.0.1 iburst\nmakestep 1 -1\n"});
    client.start();
    world.run_until(300.0);
    client.clock.jump(100.0);
    world.run_until(1500.0);
    EXPECT_EQ(client.events_of<TimeJumpDetected>().size(), 1U);
    EXPECT_LT(std::fabs(client.clock.error_s()), 1e-3);
}

TEST(Engine, ShutdownWritesTheDriftFileThatTheNextStartReads) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode& client = world.add({"server 10.0.0.1 iburst\ndriftfile /drift\n", 50e-6});
    client.start();
    world.run_until(1000.0);
    client.stop();
    ASSERT_EQ(client.files.count("/drift"), 1U);
    EXPECT_NEAR(std::stod(client.files["/drift"]), 50.0, 1.0);

    TestNode::Model again{"driftfile /drift\n", 50e-6};
    again.files = client.files;
    TestNode& next = world.add(std::move(again));
    next.start();
    ASSERT_EQ(next.events_of<FrequencyRead>().size(), 1U);
    EXPECT_NEAR(next.events_of<FrequencyRead>()[0].frequency_ppm, 50.0, 1.0);
    EXPECT_NEAR(next.clock.frequency()->ppm(), -50.0, 1.0);
}

TEST(Engine, DumpFilesSetTheClockAfterARestart) {
    TestWorld world;
    world.add({kServer}).start();
    const std::string config = "server 10.0.0.1 iburst\ndumpdir /dump\n";
    TestNode& client = world.add({config});
    client.start();
    world.run_until(600.0);
    client.stop();
    ASSERT_EQ(client.files.count("/dump/10.0.0.1.dat"), 1U);

    TestNode::Model again{config};
    again.files = client.files;
    again.options.reload_samples = true;
    TestNode& next = world.add(std::move(again));
    next.clock.advance(world.now_s());
    next.start();
    ASSERT_EQ(next.events_of<DumpFileLoaded>().size(), 1U);
    EXPECT_TRUE(next.events_of<DumpFileLoaded>()[0].ok);
    EXPECT_TRUE(next.engine->server_state().synchronised);
    EXPECT_EQ(next.files.count("/dump/10.0.0.1.dat"), 0U) << "removed after the start";
}

TEST(Engine, SetOnceStepsTheClockAndAsksToExit) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode::Model model{"server 10.0.0.1 iburst\n"};
    model.offset_s = -2.0;
    model.options.mode = EngineOptions::Mode::SetOnce;
    TestNode& client = world.add(std::move(model));
    client.start();
    EXPECT_FALSE(client.engine->exit_status());
    world.run_until(15.0);
    EXPECT_EQ(client.engine->exit_status(), 0);
    EXPECT_LT(std::fabs(client.clock.error_s()), 1e-3);
}

TEST(Engine, SetOnceGivesUpWhenNobodyAnswers) {
    TestWorld world;
    TestNode::Model model{"server 10.0.0.9 iburst\n"};
    model.options.mode = EngineOptions::Mode::SetOnce;
    TestNode& client = world.add(std::move(model));
    client.start();
    world.run_until(60.0);
    EXPECT_EQ(client.engine->exit_status(), 1);
}

TEST(Engine, ServerAnswersNobodyWhoIsNotAllowed) {
    TestWorld world;
    TestNode& server = world.add({"local stratum 1\nallow 192.168.0.0/16\n"});
    TestNode& client = world.add({"server 10.0.0.1 iburst\n"});
    server.start();
    client.start();
    world.run_until(60.0);
    EXPECT_EQ(server.sent, 0U);
    EXPECT_FALSE(client.engine->server_state().synchronised);
}

TEST(Engine, AllowedHostIsLookedUpByName) {
    TestWorld world;
    world.names["client.example"] = {TestWorld::address_of(1)};
    TestNode& server = world.add({"local stratum 1\nallow client.example\n"});
    TestNode& client = world.add({"server 10.0.0.1 iburst\n"});
    server.start();
    client.start();
    world.run_until(30.0);
    EXPECT_TRUE(server.engine->handlers().access.is_allowed(command::AccessCommands::Port::Ntp,
                                                            client.address));
    EXPECT_EQ(server.sent, client.sent);
    EXPECT_TRUE(client.engine->server_state().synchronised);
}

TEST(Engine, OrphansFollowTheOneWithTheSmallestReferenceId) {
    TestWorld world;
    std::string config = "local stratum 5 orphan waitunsynced 0\nallow\n";
    for (int i = 0; i < 3; ++i) {
        config += "server " + TestWorld::address_of(i).to_string() + " minpoll 4 maxpoll 4\n";
    }
    std::vector<TestNode*> nodes;
    for (int i = 0; i < 3; ++i) {
        TestNode::Model model{config};
        model.offset_s = 0.02 * i;
        nodes.push_back(&world.add(std::move(model)));
    }
    for (TestNode* node : nodes) node->start();
    world.run_until(1500.0);
    EXPECT_EQ(nodes[0]->engine->server_state().stratum, 5);
    EXPECT_EQ(nodes[1]->engine->server_state().stratum, 6);
    EXPECT_EQ(nodes[2]->engine->server_state().stratum, 6);
    EXPECT_LT(std::fabs(nodes[2]->ntp_error_s()), 1e-3);
}

TEST(Engine, PeersSynchroniseToEachOther) {
    TestWorld world;
    world.add({kServer}).start();
    TestNode& first = world.add({"server 10.0.0.1 minpoll 4\npeer 10.0.0.3 minpoll 4 maxpoll 4\n"});
    TestNode& second = world.add({"peer 10.0.0.2 minpoll 4 maxpoll 4\n", 20e-6, 0.05});
    first.start();
    second.start();
    world.run_until(1500.0);
    EXPECT_EQ(second.engine->server_state().stratum, 3);
    EXPECT_LT(std::fabs(second.ntp_error_s()), 1e-3);
}

TEST(Engine, ChangedSourceFileRemovesAndAddsWhatDiffers) {
    TestWorld world;
    TestNode::Model model{"sourcedir /sources\n"};
    model.files["/sources/a.sources"] = "server 10.0.0.7\nserver 10.0.0.8\n";
    TestNode& node = world.add(std::move(model));
    node.start();
    command::CommandHandlers handlers = node.engine->handlers();
    EXPECT_EQ(handlers.monitoring.source_count(), 2U);

    node.files["/sources/a.sources"] = "server 10.0.0.8\nserver 10.0.0.9\n";
    EXPECT_EQ(handlers.sources.reload_sources(), command::Status::Success);
    EXPECT_EQ(handlers.monitoring.source_count(), 2U);
    EXPECT_TRUE(handlers.monitoring.source_name(*IpAddress::parse("10.0.0.9")));
    EXPECT_FALSE(handlers.monitoring.source_name(*IpAddress::parse("10.0.0.7")));
}

}  // namespace
}  // namespace gnomon::test_engine
