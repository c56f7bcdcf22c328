#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "mgmt/runtime/command_server.h"
#include "mgmt/runtime/socket_network.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

using Family = IpAddress::Family;

/// A client of the Unix socket with a path of its own anywhere.
class UnixClient {
public:
    UnixClient(const std::string& own, const std::string& server) {
        fd_ = socket(AF_UNIX, SOCK_DGRAM, 0);
        const sockaddr_un local = address(own);
        const sockaddr_un remote = address(server);
        connected_ = bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0 &&
                     connect(fd_, reinterpret_cast<const sockaddr*>(&remote), sizeof remote) == 0;
    }
    ~UnixClient() { close(fd_); }
    bool connected() const { return connected_; }
    void send(const std::string& text) const {
        EXPECT_EQ(::send(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    }
    std::string receive() const {
        char buffer[1024];
        const ssize_t count = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        return count < 0 ? "" : std::string(buffer, static_cast<std::size_t>(count));
    }

private:
    static sockaddr_un address(const std::string& path) {
        sockaddr_un result{};
        result.sun_family = AF_UNIX;
        memcpy(result.sun_path, path.c_str(), path.size() + 1);
        return result;
    }
    int fd_ = -1;
    bool connected_ = false;
};

TEST(CommandServer, UnixSocket_AnswersAnyBoundPeerAndIsRemovedAtTheEnd) {
    const TemporaryDirectory directory;
    EventLoop loop;
    CommandConfig config;
    config.socket_path = directory.path() + "/run/daemon.sock";
    ASSERT_TRUE(prepare_socket_directory(config.socket_path, geteuid(), getegid()));
    {
        CommandServer server(loop, config,
                             [](std::span<const std::uint8_t> request, const CommandClient& client,
                                std::span<std::uint8_t> reply) -> std::size_t {
                                 EXPECT_TRUE(client.is_unix());
                                 if (request[0] == '-') return 0;
                                 memcpy(reply.data(), "pong", 4);
                                 return 4;
                             });
        ASSERT_TRUE(server.open_unix());
        const UnixClient client(directory.path() + "/anywhere.sock", config.socket_path);
        ASSERT_TRUE(client.connected());
        client.send("ping");
        EXPECT_EQ(*loop.wait(Duration::from_s(2)), EventLoop::Wake::Ready);
        EXPECT_EQ(client.receive(), "pong");
        client.send("-");
        EXPECT_EQ(*loop.wait(Duration::from_s(2)), EventLoop::Wake::Ready);
        EXPECT_EQ(client.receive(), "");
        // Longer than any request: arrives recognisably too long instead of cut to a valid length.
        client.send(std::string(4000, 'x'));
        EXPECT_EQ(*loop.wait(Duration::from_s(2)), EventLoop::Wake::Ready);
    }
    struct stat status {};
    EXPECT_NE(stat(config.socket_path.c_str(), &status), 0);
}

TEST(CommandServer, SocketDirectory_ThatOthersCanEnterIsRefused) {
    const TemporaryDirectory directory;
    const std::string run = directory.path() + "/run";
    ASSERT_EQ(mkdir(run.c_str(), 0700), 0);
    ASSERT_EQ(chmod(run.c_str(), 0775), 0);
    EXPECT_FALSE(prepare_socket_directory(run + "/daemon.sock", geteuid(), getegid()));
    ASSERT_EQ(chmod(run.c_str(), 0750), 0);
    EXPECT_TRUE(prepare_socket_directory(run + "/daemon.sock", geteuid(), getegid()));
}

struct Received : DatagramSink {
    void on_datagram(SocketHandle socket, const RxDatagram& datagram) override {
        last_socket = socket;
        last_remote = datagram.remote;
        last_text.assign(datagram.payload.begin(), datagram.payload.end());
        if (close_on_receive != nullptr) close_on_receive->close(socket);
    }
    void on_transmit_stamp(SocketHandle, const TxStampReport& report) override {
        ++stamps;
        last_cookie = report.cookie;
    }
    void on_socket_error(SocketHandle) override { ++errors; }

    SocketHandle last_socket = kNoSocket;
    SocketAddress last_remote;
    std::string last_text;
    int stamps = 0;
    std::uint64_t last_cookie = 0;
    int errors = 0;
    SocketNetwork* close_on_receive = nullptr;
};

class SocketNetworkTest : public testing::Test {
protected:
    SocketNetworkTest() {
        config_.server.bind_address_v4 = IpAddress::loopback(Family::V4);
        // A port of this process's own, so that tests can run side by side.
        config_.server.port = static_cast<std::uint16_t>(20000 + getpid() % 20000);
        server_address_ = {IpAddress::loopback(Family::V4), config_.server.port};
    }
    static TxDatagram datagram(std::string_view text, const SocketAddress& remote) {
        TxDatagram result;
        result.payload = std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        result.remote = remote;
        return result;
    }
    void turn() {
        const auto wake = loop_.wait(Duration::from_s(2));
        ASSERT_TRUE(wake);
        ASSERT_EQ(*wake, EventLoop::Wake::Ready);
    }
    void turn_until_received(const std::string& text) {
        for (int i = 0; i < 20 && received_.last_text != text; ++i) turn();
        EXPECT_EQ(received_.last_text, text);
    }

    EventLoop loop_;
    Config config_;
    Received received_;
    SocketAddress server_address_;
};

TEST_F(SocketNetworkTest, RequestAndReply_TravelThroughTheirHandles) {
    SocketNetwork network(loop_, config_, received_, {});
    ASSERT_TRUE(network.open_server(Family::V4));
    EXPECT_TRUE(network.open_server(Family::V4)) << "opening what is open is a no-op";
    const auto client = network.open_client(server_address_);
    ASSERT_TRUE(client);
    ASSERT_TRUE(network.send(*client, datagram("request", server_address_)));
    turn_until_received("request");
    EXPECT_EQ(received_.last_socket, kServerSocket);

    received_.close_on_receive = &network;
    ASSERT_TRUE(network.send_from_server(datagram("reply", received_.last_remote)));
    turn_until_received("reply");
    EXPECT_EQ(received_.last_socket, *client);
    network.release_closed();
    EXPECT_FALSE(network.send(*client, datagram("late", server_address_)));

    network.close_server(Family::V4);
    EXPECT_FALSE(network.send_from_server(datagram("reply", server_address_)));
}

TEST_F(SocketNetworkTest, TransmitStamp_ComesBackWithItsCookie) {
    SocketNetwork network(loop_, config_, received_, {});
    ASSERT_TRUE(network.open_server(Family::V4));
    const auto client = network.open_client(server_address_);
    ASSERT_TRUE(client);
    // As long as an NTP packet: the port recognises what it sent by its timestamps.
    const std::string packet(48, 'p');
    TxDatagram request = datagram(packet, server_address_);
    request.want_stamp = true;
    request.cookie = 0x1234;
    ASSERT_TRUE(network.send(*client, request));
    for (int i = 0; i < 20 && received_.stamps == 0; ++i) turn();
    EXPECT_EQ(received_.stamps, 1);
    EXPECT_EQ(received_.last_cookie, 0x1234u);
}

TEST_F(SocketNetworkTest, ClosedServerPort_ReportsAnErrorOnce) {
    SocketNetwork network(loop_, config_, received_, {});
    const auto client = network.open_client(server_address_);
    ASSERT_TRUE(client);
    ASSERT_TRUE(network.send(*client, datagram("request", server_address_)));
    for (int i = 0; i < 20 && received_.errors == 0; ++i) turn();
    EXPECT_EQ(received_.errors, 1);
    // The error is off the socket: the loop does not spin.
    while (*loop_.wait(Duration::from_ms(20)) == EventLoop::Wake::Ready) {
        ASSERT_LE(received_.errors, 1);
    }
}

TEST_F(SocketNetworkTest, AcquisitionPort_IsSharedByAllClients) {
    config_.client.acquisition_port = 0;
    SocketNetwork network(loop_, config_, received_, {});
    const auto first = network.open_client(server_address_);
    const auto second = network.open_client({*IpAddress::parse("127.0.0.2"), 123});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first, *second);
    network.close(*first);
    network.close(*second);
    network.release_closed();
    ASSERT_TRUE(network.open_server(Family::V4));
    const auto third = network.open_client(server_address_);
    EXPECT_EQ(*third, *first) << "the permanent socket survives its users";
    ASSERT_TRUE(network.send(*third, datagram("request", server_address_)));
    turn_until_received("request");
}

TEST_F(SocketNetworkTest, AcquisitionPortOfTheServer_MeansTheServersSocket) {
    config_.client.acquisition_port = config_.server.port;
    SocketNetwork network(loop_, config_, received_, {});
    const auto client = network.open_client({*IpAddress::parse("127.0.0.2"), 123});
    ASSERT_TRUE(client);
    EXPECT_EQ(*client, kServerSocket);
    network.close_server(Family::V4);
    EXPECT_TRUE(network.send(*client, datagram("loop", server_address_)));
    turn_until_received("loop");
}

TEST_F(SocketNetworkTest, Family_CanBeSwitchedOff) {
    SocketNetwork::Options options;
    options.family = Family::V6;
    SocketNetwork network(loop_, config_, received_, options);
    EXPECT_FALSE(network.family_enabled(Family::V4));
    const auto client = network.open_client(server_address_);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, EAFNOSUPPORT);
    EXPECT_FALSE(network.is_connectable(server_address_));
    EXPECT_TRUE(network.open_server(Family::V4)) << "a missing family is no error";
}

TEST_F(SocketNetworkTest, PortInUse_IsAnErrorThatNamesIt) {
    SocketNetwork first(loop_, config_, received_, {});
    SocketNetwork second(loop_, config_, received_, {});
    ASSERT_TRUE(first.open_server(Family::V4));
    const auto result = second.open_server(Family::V4);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, EADDRINUSE);
    EXPECT_NE(result.error().message().find(std::to_string(config_.server.port)),
              std::string::npos);
}

}  // namespace
}  // namespace gnomon
