/// Polled ports in the appliance: who serves, what the kernel's sockets ignore, which way requests go.

#include "mgmt/runtime/polled_ports.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include "mgmt/runtime/polled_network.h"
#include "mgmt/runtime/socket_network.h"
#include "tests/unit/mgmt/runtime/fake_dataplane.h"

namespace gnomon {
namespace {

class CountingRandom final : public RandomSource {
public:
    std::uint64_t next() override { return ++last_; }

private:
    std::uint64_t last_ = 0;
};

struct Recorder final : EventSink, DatagramSink, PolledPortSink {
    void on_event(const Event& event) override { events.push_back(event); }
    void on_datagram(SocketHandle socket, const RxDatagram&) override { heard.push_back(socket); }
    void on_transmit_stamp(SocketHandle socket, const TxStampReport& report) override {
        stamps.emplace_back(socket, report.cookie);
    }
    void on_socket_error(SocketHandle) override {}
    void on_polled_datagram(std::uint16_t, const RxDatagram&) override {}
    void on_polled_stamp(std::uint16_t, const TxStampReport&) override {}

    std::vector<Event> events;
    std::vector<SocketHandle> heard;
    std::vector<std::pair<SocketHandle, std::uint64_t>> stamps;
};

class Ports : public ::testing::Test {
protected:
    Ports() : log_({}, 1), store_(ClientLogConfig{}.capacity()) {
        fake_world() = &world;
        config.ports.push_back(DataplanePortConfig{});
        config.ports[0].device = "af_packet:fake0";
    }

    void open() {
        ports = std::make_unique<PolledPorts>(
            config, PolledPorts::Surroundings{
                        loop, random, recorder,
                        [this](bool corrected) {
                            corrections += corrected ? 1 : 0;
                            return CounterLine{};
                        },
                        [this](std::vector<int> interfaces) -> SysResult<void> {
                            ignored.push_back(interfaces);
                            world.calls.push_back(interfaces.empty() ? "hear" : "ignore");
                            return {};
                        }});
        ports->begin(log_, store_);
        ports->set_sink(recorder);
        ASSERT_TRUE(ports->open(kFakeModule));
    }
    void pass(Duration time) {
        const MonoTime end = now + time;
        while (now < end) {
            now = now + Duration::from_ms(50);
            ports->handle_timeout(now);
        }
    }

    FakeDataplaneWorld world;
    DataplaneConfig config;
    EventLoop loop;
    CountingRandom random;
    Recorder recorder;
    std::unique_ptr<PolledPorts> ports;
    std::vector<std::vector<int>> ignored;
    int corrections = 0;
    MonoTime now;

private:
    ClientLog log_;
    TimestampStore store_;
};

TEST_F(Ports, TheKernelGoesDeafOnlyWhileTheCopyingPortServes) {
    const int loopback = static_cast<int>(if_nametoindex("lo"));
    world.interfaces = {loopback};
    open();
    pass(Duration::from_s(1));
    ASSERT_EQ(ignored, (std::vector<std::vector<int>>{{loopback}}));
    world.health = {PortHealth::Stalled};
    pass(Duration::from_s(1));
    ASSERT_EQ(ignored.size(), 2u);
    EXPECT_TRUE(ignored[1].empty());
    world.health = {PortHealth::Healthy};
    pass(Duration::from_s(3));
    EXPECT_EQ(ignored.size(), 3u);
    ports->close();
    EXPECT_EQ(world.calls, (std::vector<std::string>{"take 0", "ignore", "hear", "give 0", "take 0",
                                                     "ignore", "hear", "give 0", "end"}))
        << "whoever takes over is there before the other one goes";
}

TEST_F(Ports, AnInterfaceWhosePacketsDoNotReachTheKernelIsNotFiltered) {
    config.ports[0].device = "af_xdp:fake0";
    world.interfaces = {static_cast<int>(if_nametoindex("lo"))};
    open();
    pass(Duration::from_s(1));
    EXPECT_TRUE(ignored.empty());
    EXPECT_EQ(world.calls, (std::vector<std::string>{"take 0"}));
}

TEST_F(Ports, EveryChangeIsToldOnceWithWhoServesNow) {
    world.interfaces = {1};
    open();
    pass(Duration::from_s(1));
    world.health = {PortHealth::LinkDown};
    pass(Duration::from_s(5));
    ASSERT_EQ(recorder.events.size(), 2u);
    const auto& event = std::get<PolledPortChanged>(recorder.events[1]);
    EXPECT_EQ(event.device, "af_packet:fake0");
    EXPECT_EQ(event.health, PortHealth::LinkDown);
    EXPECT_FALSE(event.serving);
    EXPECT_TRUE(event.kernel_under);
}

TEST_F(Ports, TheCounterIsMeasuredTwentyTimesASecondAndAfterEveryCorrection) {
    open();
    const int before = world.counter_lines;
    pass(Duration::from_s(2));
    EXPECT_GE(world.counter_lines - before, 40);
    corrections = 0;
    ServerState state;
    ports->publish(state);
    EXPECT_EQ(corrections, 0) << "the same clock";
    state.clock.offset = Duration::from_us(3);
    ports->publish(state);
    EXPECT_EQ(corrections, 1);
    state.root_delay_s = 0.1;
    ports->publish(state);
    EXPECT_EQ(corrections, 1) << "something else";
}

TEST_F(Ports, ReportsOfOneMomentFitTogetherAndCountTakeovers) {
    open();
    pass(Duration::from_s(1));
    EXPECT_TRUE(ports->polled_ports()[0].serving);
    world.health = {PortHealth::Stalled};
    ports->handle_timeout(now);
    EXPECT_EQ(ports->polled_ports()[0].report.health, PortHealth::Healthy) << "too soon for news";
    pass(Duration::from_s(1));
    const PolledPortState& state = ports->polled_ports()[0];
    EXPECT_EQ(state.report.health, PortHealth::Stalled);
    EXPECT_FALSE(state.serving);
    EXPECT_FALSE(state.kernel_under);
    EXPECT_EQ(state.report.takeovers, 1u);
    ServerStats stats;
    ports->add_to(stats);
    EXPECT_EQ(stats.ntp_hits, 7u);
}

TEST_F(Ports, NothingIsAskedOfPortsThatDoNotServe) {
    world.health = {PortHealth::LinkDown};
    open();
    pass(Duration::from_s(1));
    EXPECT_FALSE(ports->reaches(*IpAddress::parse("192.0.2.1")));
    EXPECT_FALSE(ports->send(TxDatagram{}, 123));
    ports->close();
    EXPECT_FALSE(world.alive);
    EXPECT_TRUE(ports->polled_ports().empty());
    EXPECT_EQ(ports->next_timeout(), MonoTime::max());
}

/// The same with the network in front of real sockets on the loopback interface.
class Way : public Ports {
protected:
    void open_way() {
        open();
        pass(Duration::from_s(1));
        network = std::make_unique<PolledNetwork>(appliance, *ports, recorder, random);
        sockets =
            std::make_unique<SocketNetwork>(loop, appliance, *network, SocketNetwork::Options{});
        network->set_sockets(*sockets);
        ports->set_sink(*network);
    }
    ~Way() override {
        sockets.reset();
        network.reset();
    }
    TxDatagram request(std::uint64_t cookie) const {
        TxDatagram datagram;
        datagram.payload = bytes;
        datagram.remote = remote;
        datagram.cookie = cookie;
        return datagram;
    }
    Forwarded reply(std::uint16_t port) const {
        Forwarded item;
        item.kind = Forwarded::Kind::Datagram;
        item.size = 48;
        item.local_port = port;
        item.datagram.remote = remote;
        return item;
    }

    const SocketAddress remote{IpAddress::loopback(IpAddress::Family::V4), 9};
    const std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(48);
    Config appliance;
    std::unique_ptr<PolledNetwork> network;
    std::unique_ptr<SocketNetwork> sockets;
};

TEST_F(Way, ARequestLeavesThroughThePortAndItsReplyAndStampComeBackUnderItsHandle) {
    open_way();
    const auto handle = network->open_client(remote);
    ASSERT_TRUE(handle);
    ASSERT_EQ(world.listened.size(), 1u);
    const std::uint16_t port = *world.listened.begin();
    ASSERT_TRUE(network->send(*handle, request(5)));
    ASSERT_EQ(world.sent.size(), 1u);
    EXPECT_EQ(world.sent[0].first, port);

    Forwarded stamp = reply(port);
    stamp.kind = Forwarded::Kind::TransmitStamp;
    stamp.report.cookie = 5;
    world.forward(stamp);
    world.forward(reply(port));
    Forwarded stranger = reply(port);
    stranger.datagram.remote.port = 10;
    world.forward(stranger);
    ASSERT_TRUE(loop.wait(Duration::from_s(1)));
    EXPECT_EQ(recorder.stamps, (std::vector<std::pair<SocketHandle, std::uint64_t>>{{*handle, 5}}));
    EXPECT_EQ(recorder.heard, (std::vector<SocketHandle>{*handle})) << "not from the other port";

    network->close(*handle);
    EXPECT_TRUE(world.listened.empty());
    world.forward(reply(port));
    ASSERT_TRUE(loop.wait(Duration::from_s(1)));
    EXPECT_EQ(recorder.heard.size(), 1u) << "too late";
}

TEST_F(Way, ThePortNumberIsTakenAsLongAsTheRequestIsUnderWay) {
    open_way();
    const auto handle = network->open_client(remote);
    ASSERT_TRUE(handle);
    SocketOptions options;
    options.local = {IpAddress::any(IpAddress::Family::V4), *world.listened.begin()};
    EXPECT_FALSE(open_udp_socket(options));
    network->close(*handle);
    EXPECT_TRUE(open_udp_socket(options));
}

TEST_F(Way, WhatThePortDoesNotTakeLeavesThroughASocketUnderTheSameHandle) {
    open_way();
    // A server that hears us.
    SocketOptions options;
    options.local = {IpAddress::loopback(IpAddress::Family::V4), 0};
    auto server = std::move(SocketPort::open(options)).value();
    const SocketAddress at = server->local().value();
    world.accepts = false;
    const auto handle = network->open_client(at);
    ASSERT_TRUE(handle);
    TxDatagram datagram = request(1);
    datagram.remote = at;
    ASSERT_TRUE(network->send(*handle, datagram));
    std::array<RxDatagram, 4> received;
    ASSERT_EQ(server->receive(received), 1u);
    TxDatagram answer;
    answer.payload = bytes;
    answer.remote = received[0].remote;
    ASSERT_EQ(server->send({&answer, 1}), 1u);
    for (int i = 0; i < 10 && recorder.heard.empty(); ++i) {
        ASSERT_TRUE(loop.wait(Duration::from_s(1)));
    }
    EXPECT_EQ(recorder.heard, (std::vector<SocketHandle>{*handle}));
    network->close(*handle);
}

TEST_F(Way, SocketsAreUsedWhenNoPortServesOrTheConfigurationNamesTheKernelsOwn) {
    open_way();
    world.health = {PortHealth::Stalled};
    pass(Duration::from_s(1));
    const auto without = network->open_client(remote);
    ASSERT_TRUE(without);
    EXPECT_LT(*without, kFirstPolledHandle);
    world.health = {PortHealth::Healthy};
    pass(Duration::from_s(3));
    const auto with = network->open_client(remote);
    ASSERT_TRUE(with);
    EXPECT_GE(*with, kFirstPolledHandle) << "back again";
    appliance.client.bind_address_v4 = IpAddress::loopback(IpAddress::Family::V4);
    const auto bound = network->open_client(remote);
    ASSERT_TRUE(bound);
    EXPECT_LT(*bound, kFirstPolledHandle);
}

TEST_F(Way, PacketsToPeersLeaveFromTheServersPortAndAnswersTheWayTheyCame) {
    open_way();
    EXPECT_TRUE(network->send_from_server(request(3)));
    ASSERT_EQ(world.sent.size(), 1u);
    EXPECT_EQ(world.sent[0].first, 123);
    world.forward(reply(123));
    ASSERT_TRUE(loop.wait(Duration::from_s(1)));
    EXPECT_EQ(recorder.heard, (std::vector<SocketHandle>{kServerSocket}));
}

}  // namespace
}  // namespace gnomon
