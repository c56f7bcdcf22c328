#include "dataplane/socket/socket_port.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>

#include "dataplane/wire/ip.h"
#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

constexpr int kPatienceMs = 2000;

bool wait_for(const SocketPort& port, short events) {
    pollfd fd{port.fd(), events, 0};
    return poll(&fd, 1, kPatienceMs) == 1;
}

SocketOptions loopback(IpAddress::Family family) {
    SocketOptions options;
    options.local = {IpAddress::loopback(family), 0};
    return options;
}

class SocketPortLoopback : public ::testing::TestWithParam<IpAddress::Family> {
protected:
    void SetUp() override {
        auto opened = SocketPort::open(loopback(GetParam()));
        if (!opened) GTEST_SKIP() << opened.error().message();
        server = std::move(opened).value();
        server_address = server->local().value();
        SocketOptions options;
        options.remote = server_address;
        options.always_transmit_stamps = true;
        auto connected = SocketPort::open(options);
        ASSERT_TRUE(connected) << connected.error().message();
        client = std::move(connected).value();
    }

    std::size_t send(SocketPort& port, std::span<const std::uint8_t> payload, TxDatagram datagram) {
        datagram.payload = payload;
        return port.send(std::span(&datagram, 1));
    }

    std::unique_ptr<SocketPort> server;
    std::unique_ptr<SocketPort> client;
    SocketAddress server_address;
    std::array<RxDatagram, 64> received{};
    std::array<TxStampReport, 64> reports{};
};

TEST_P(SocketPortLoopback, SocketPort_StampsReceptionInTheKernelAndKnowsTheAskedAddress) {
    const auto request = Server::request(Server::client_header());
    // Stamping is switched on for the whole system asynchronously: the first packets may lack it.
    TimestampSource source = TimestampSource::Daemon;
    for (int i = 0; i < 200 && source == TimestampSource::Daemon; ++i) {
        const SystemTime before = read_realtime_clock();
        ASSERT_EQ(send(*client, request, {}), 1U);
        ASSERT_TRUE(wait_for(*server, POLLIN));
        ASSERT_EQ(server->receive(received), 1U);
        const SystemTime after = read_realtime_clock();
        EXPECT_EQ(received[0].local, server_address.ip);
        EXPECT_EQ(received[0].remote, client->local().value());
        EXPECT_TRUE(std::equal(request.begin(), request.end(), received[0].payload.begin(),
                               received[0].payload.end()));
        EXPECT_GT(received[0].interface_index, 0);
        EXPECT_GE(received[0].stamp.time, before);
        EXPECT_LE(received[0].stamp.time, after);
        source = received[0].stamp.source;
    }
    EXPECT_EQ(source, TimestampSource::Kernel);
}

TEST_P(SocketPortLoopback, SocketPort_ReportsTransmitStampsWithPayloadAndCookie) {
    const auto payload = Server::request(Server::client_header());
    TxDatagram datagram;
    datagram.want_stamp = true;
    datagram.cookie = 0xabc;
    datagram.remote = client->local().value();
    datagram.local = server_address.ip;
    for (SocketPort* port : {server.get(), client.get()}) {
        const SystemTime before = read_realtime_clock();
        ASSERT_EQ(send(*port, payload, datagram), 1U);
        ASSERT_TRUE(wait_for(*port, POLLPRI));
        ASSERT_EQ(port->transmit_stamps(reports), 1U);
        EXPECT_EQ(reports[0].cookie, 0xabcU);
        EXPECT_EQ(reports[0].stamp.source, TimestampSource::Kernel);
        EXPECT_GE(reports[0].stamp.time, before);
        EXPECT_LE(reports[0].stamp.time, read_realtime_clock());
        EXPECT_EQ(reports[0].payload.size(), payload.size());
        EXPECT_EQ(reports[0].remote,
                  port == server.get() ? client->local().value() : server_address);
    }
}

TEST_P(SocketPortLoopback, SocketPort_ShowsWhatItReceivesAndSendsToItsTap) {
    CaptureTap tap("server/0", "", CaptureLink::Ip);
    SocketPort::Options options;
    options.tap = &tap;
    auto opened = SocketPort::open(loopback(GetParam()), options);
    ASSERT_TRUE(opened) << opened.error().message();
    SocketPort& port = **opened;
    const SocketAddress own = port.local().value();
    const SocketAddress peer = server_address;
    const auto payload = Server::request(Server::client_header());
    TxDatagram datagram;
    datagram.remote = peer;
    ASSERT_EQ(send(port, payload, datagram), 1U);
    EXPECT_EQ(tap.front(), nullptr);
    tap.open();
    ASSERT_EQ(send(port, payload, datagram), 1U);
    datagram.remote = own;
    ASSERT_EQ(send(*server, payload, datagram), 1U);
    ASSERT_TRUE(wait_for(port, POLLIN));
    ASSERT_EQ(port.receive(received), 1U);
    for (const CaptureDirection direction : {CaptureDirection::Out, CaptureDirection::In}) {
        const CaptureSlot* slot = tap.front();
        ASSERT_NE(slot, nullptr);
        EXPECT_EQ(slot->direction, direction);
        const auto udp = parse_ip_udp({slot->bytes.data(), slot->captured}).packet;
        ASSERT_TRUE(udp.has_value());
        const bool out = direction == CaptureDirection::Out;
        EXPECT_EQ(udp->source, out ? own : peer);
        EXPECT_EQ(udp->destination, out ? peer : own);
        EXPECT_TRUE(
            std::equal(payload.begin(), payload.end(), udp->payload.begin(), udp->payload.end()));
        EXPECT_LE(abs(slot->time - read_realtime_clock()), Duration::from_s(1));
        tap.pop();
    }
    EXPECT_EQ(tap.front(), nullptr);
}

// The payload is too short to be told from others: only the number can bring the cookie back.
TEST_P(SocketPortLoopback, SocketPort_TransmitStampsAreFoundByTheirNumberWhereTheKernelCan) {
    SocketOptions numbered = loopback(GetParam());
    numbered.transmit_ids = true;
    SocketPort::Options options;
    options.transmit_buffers = 2;
    auto opened = SocketPort::open(numbered, options);
    ASSERT_TRUE(opened) << opened.error().message();
    SocketPort& port = **opened;
    bool found = false;
    for (std::uint8_t i = 1; i <= 6; ++i) {
        const std::array<std::uint8_t, 8> payload{i, 2, 3};
        TxDatagram datagram;
        datagram.want_stamp = true;
        datagram.cookie = 0x100U + i;
        datagram.remote = client->local().value();
        // Kernels that know no numbers refuse them once and get the datagram without.
        ASSERT_EQ(send(port, payload, datagram), 1U);
        ASSERT_TRUE(wait_for(port, POLLPRI));
        ASSERT_EQ(port.transmit_stamps(reports), 1U);
        EXPECT_EQ(reports[0].payload.size(), payload.size());
        EXPECT_EQ(reports[0].payload[0], i);
        if (reports[0].cookie == 0) continue;
        EXPECT_EQ(reports[0].cookie, 0x100U + i);
        EXPECT_EQ(reports[0].remote, datagram.remote);
        found = true;
    }
    if (!found) GTEST_SKIP() << "this kernel does not number transmit stamps";
}

TEST_P(SocketPortLoopback, SocketPort_RefusedDatagramDoesNotEndTheNumberingOfOthers) {
    SocketOptions numbered = loopback(GetParam());
    numbered.transmit_ids = true;
    SocketPort::Options options;
    options.transmit_buffers = 8;
    auto opened = SocketPort::open(numbered, options);
    ASSERT_TRUE(opened) << opened.error().message();
    SocketPort& port = **opened;
    const std::array<std::uint8_t, 8> payload{1, 2, 3};
    std::array<TxDatagram, 2> datagrams;
    for (TxDatagram& datagram : datagrams) {
        datagram.payload = payload;
        datagram.want_stamp = true;
        datagram.remote = client->local().value();
    }
    const auto cookie_of_report = [&] {
        EXPECT_TRUE(wait_for(port, POLLPRI));
        EXPECT_EQ(port.transmit_stamps(reports), 1U);
        return reports[0].cookie;
    };
    datagrams[0].cookie = 0x101;
    ASSERT_EQ(port.send(std::span(datagrams).first(1)), 1U);
    if (cookie_of_report() == 0) GTEST_SKIP() << "this kernel does not number transmit stamps";
    datagrams[0].remote.port = 0;
    EXPECT_EQ(port.send(datagrams), 0U);
    EXPECT_EQ(port.last_send_error(), EINVAL);
    EXPECT_EQ(port.send(std::span(datagrams).first(1)), 0U);
    datagrams[1].cookie = 0x102;
    ASSERT_EQ(port.send(std::span(datagrams).last(1)), 1U);
    EXPECT_EQ(cookie_of_report(), 0x102U);
    std::swap(datagrams[0], datagrams[1]);
    datagrams[0].cookie = 0x103;
    EXPECT_EQ(port.send(datagrams), 1U);  // the second is refused
    EXPECT_EQ(port.last_send_error(), EINVAL);
    EXPECT_EQ(cookie_of_report(), 0x103U);
}

TEST_P(SocketPortLoopback, SocketPort_StampsOnlyWhatAskedForIt) {
    const auto payload = Server::request(Server::client_header());
    TxDatagram datagram;
    datagram.remote = client->local().value();
    ASSERT_EQ(send(*server, payload, datagram), 1U);
    ASSERT_TRUE(wait_for(*client, POLLIN));
    EXPECT_EQ(server->transmit_stamps(reports), 0U);
}

class CountingFinisher final : public TxFinisher {
public:
    void finish(SystemTime now, std::size_t position) noexcept override {
        times.push_back(now);
        positions.push_back(position);
    }
    std::vector<SystemTime> times;
    std::vector<std::size_t> positions;
};

TEST_P(SocketPortLoopback, SocketPort_FinishesEachSmallBatchJustBeforeItIsSent) {
    const auto payload = Server::request(Server::client_header());
    CountingFinisher finisher;
    TxDatagram datagram;
    datagram.payload = payload;
    datagram.remote = client->local().value();
    datagram.finisher = &finisher;
    const std::vector<TxDatagram> batch(20, datagram);
    EXPECT_EQ(server->send(batch), 20U);
    ASSERT_EQ(finisher.positions.size(), 20U);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(finisher.positions[i], i % 8);
    EXPECT_LT(finisher.times[7], finisher.times[8]);
    std::size_t count = 0;
    while (count < 20 && wait_for(*client, POLLIN)) count += client->receive(received);
    EXPECT_EQ(count, 20U);
}

TEST_P(SocketPortLoopback, SocketPort_DropsWhatIsLongerThanAnyNtpPacket) {
    const std::vector<std::uint8_t> huge(4000, 1);
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(send(*client, huge, {}), 1U);
    ASSERT_EQ(send(*client, request, {}), 1U);
    ASSERT_TRUE(wait_for(*server, POLLIN));
    std::size_t count = 0;
    for (int i = 0; i < 2 && count == 0; ++i) count = server->receive(received);
    ASSERT_EQ(count, 1U);
    EXPECT_EQ(received[0].payload.size(), request.size());
}

TEST_P(SocketPortLoopback, SocketPort_PendingErrorDoesNotStayForEver) {
    const auto payload = Server::request(Server::client_header());
    server.reset();
    ASSERT_EQ(send(*client, payload, {}), 1U);
    pollfd fd{client->fd(), POLLIN | POLLPRI, 0};
    for (int i = 0; i < 10; ++i) {
        if (poll(&fd, 1, i == 0 ? kPatienceMs : 0) == 0) break;
        if ((fd.revents & POLLIN) != 0) client->receive(received);
        if ((fd.revents & (POLLPRI | POLLERR)) != 0) client->transmit_stamps(reports);
    }
    EXPECT_EQ(poll(&fd, 1, 0), 0);
}

INSTANTIATE_TEST_SUITE_P(Families, SocketPortLoopback,
                         ::testing::Values(IpAddress::Family::V4, IpAddress::Family::V6),
                         [](const auto& parameter) {
                             return parameter.param == IpAddress::Family::V4 ? "IPv4" : "IPv6";
                         });

TEST(UdpSocket, UdpSocket_ErrorNamesTheAddressAndTheCause) {
    auto first = SocketPort::open(loopback(IpAddress::Family::V4));
    ASSERT_TRUE(first);
    SocketOptions options = loopback(IpAddress::Family::V4);
    options.local.port = (*first)->local().value().port;
    const auto second = open_udp_socket(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EADDRINUSE);
    EXPECT_EQ(second.error().what, "bind " + options.local.to_string() + " (in use)");
}

TEST(UdpSocket, UdpSocket_UnknownDeviceIsAnError) {
    SocketOptions options = loopback(IpAddress::Family::V4);
    options.device = "nosuchdev0";
    const auto socket = open_udp_socket(options);
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().what, "bind to device nosuchdev0");
}

TEST(UdpSocket, UdpSocket_ReusePortSharesAPort) {
    SocketOptions options = loopback(IpAddress::Family::V4);
    options.reuse_port = true;
    auto first = SocketPort::open(options);
    ASSERT_TRUE(first);
    options.local.port = (*first)->local().value().port;
    EXPECT_TRUE(open_udp_socket(options).has_value());
}

TEST(UdpSocket, UdpSocket_NeedsAFamily) {
    EXPECT_FALSE(open_udp_socket(SocketOptions{}).has_value());
}

}  // namespace
}  // namespace gnomon::testing
