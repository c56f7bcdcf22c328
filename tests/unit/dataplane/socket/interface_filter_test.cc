#include "dataplane/socket/interface_filter.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <numeric>

#include "dataplane/socket/socket_port.h"

namespace gnomon::testing {
namespace {

class InterfaceFilter : public ::testing::TestWithParam<IpAddress::Family> {
protected:
    void SetUp() override {
        SocketOptions options;
        options.local = {IpAddress::loopback(GetParam()), 0};
        auto opened = SocketPort::open(options);
        if (!opened) GTEST_SKIP() << opened.error().message();
        server = std::move(opened).value();
        SocketOptions to_server;
        to_server.remote = server->local().value();
        client = std::move(SocketPort::open(to_server)).value();
    }

    /// Whether a datagram arrives. It is in the queue when the call that sends it returns.
    bool arrives() {
        const std::array<std::uint8_t, 48> bytes{};
        TxDatagram datagram;
        datagram.payload = bytes;
        EXPECT_EQ(client->send({&datagram, 1}), 1u);
        std::array<RxDatagram, 4> received;
        return server->receive(received) == 1;
    }

    const int loopback = static_cast<int>(if_nametoindex("lo"));
    std::unique_ptr<SocketPort> server;
    std::unique_ptr<SocketPort> client;
};

TEST_P(InterfaceFilter, HearsNothingFromIgnoredInterfacesAndAllWhenTheyAreIgnoredNoMore) {
    ASSERT_TRUE(arrives());
    const std::vector<int> others{loopback + 100, loopback + 101};
    ASSERT_TRUE(ignore_interfaces(server->fd(), others));
    EXPECT_TRUE(arrives()) << "came in elsewhere";
    const std::vector<int> three{loopback + 100, loopback, loopback + 101};
    ASSERT_TRUE(ignore_interfaces(server->fd(), three));
    EXPECT_FALSE(arrives());
    ASSERT_TRUE(ignore_interfaces(server->fd(), {}));
    EXPECT_TRUE(arrives());
    EXPECT_TRUE(ignore_interfaces(server->fd(), {})) << "twice is no error";
}

TEST_P(InterfaceFilter, AsManyInterfacesAsAllowedAndNotOneMore) {
    std::vector<int> many(kMaxIgnoredInterfaces);
    std::iota(many.begin(), many.end(), loopback + 1 - static_cast<int>(many.size()));
    ASSERT_TRUE(ignore_interfaces(server->fd(), many));
    EXPECT_FALSE(arrives()) << "the last one";
    many.push_back(9999);
    EXPECT_FALSE(ignore_interfaces(server->fd(), many));
}

TEST_P(InterfaceFilter, ADeafSocketHearsNothing) {
    ASSERT_TRUE(ignore_everything(server->fd()));
    EXPECT_FALSE(arrives());
}

TEST_P(InterfaceFilter, ASocketIsBornDeafIfItsOptionsSaySo) {
    SocketOptions options;
    options.local = {IpAddress::loopback(GetParam()), 0};
    options.ignored_interfaces = {loopback};
    server = std::move(SocketPort::open(options)).value();
    SocketOptions to_server;
    to_server.remote = server->local().value();
    client = std::move(SocketPort::open(to_server)).value();
    EXPECT_FALSE(arrives());
}

INSTANTIATE_TEST_SUITE_P(Families, InterfaceFilter,
                         ::testing::Values(IpAddress::Family::V4, IpAddress::Family::V6));

}  // namespace
}  // namespace gnomon::testing
