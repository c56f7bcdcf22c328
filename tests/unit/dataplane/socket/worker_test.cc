#include "dataplane/socket/worker.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "dataplane/socket/socket_port.h"
#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

constexpr int kPatienceMs = 2000;

class Workers : public ::testing::Test {
protected:
    Workers() : log({}, 1), store(ClientLogConfig{}.capacity()) {
        ServerState initial;
        initial.synchronised = true;
        initial.stratum = 3;
        initial.leap = Leap::Normal;
        state.store(initial);
        tables = std::make_shared<ServerTables>();
        AccessTable access;
        access.allow({IpAddress{}, 0});
        tables->access = AccessIndex(access);
    }

    void start(unsigned threads) {
        WorkerPoolConfig config;
        config.threads = threads;
        SocketOptions v4;
        v4.local = {IpAddress::loopback(IpAddress::Family::V4), 0};
        SocketOptions v6;
        v6.local = {IpAddress::loopback(IpAddress::Family::V6), 0};
        config.sockets = {v4, v6};
        auto started = WorkerPool::start(config, state, tables, log, store, random);
        ASSERT_TRUE(started) << started.error().message();
        pool = std::move(started).value();
        ASSERT_EQ(pool->size(), threads);
    }

    std::unique_ptr<SocketPort> connect() {
        SocketOptions options;
        options.remote = {IpAddress::loopback(IpAddress::Family::V4), pool->port()};
        return std::move(SocketPort::open(options)).value();
    }

    /// One exchange; the origin and receive fields are those of `previous`.
    static std::optional<NtpHeader> ask(SocketPort& client, NtpHeader header) {
        const auto request = Server::request(header);
        TxDatagram datagram;
        datagram.payload = request;
        if (client.send(std::span(&datagram, 1)) != 1) return std::nullopt;
        pollfd fd{client.fd(), POLLIN, 0};
        if (poll(&fd, 1, kPatienceMs) != 1) return std::nullopt;
        std::array<RxDatagram, 1> received;
        if (client.receive(received) != 1) return std::nullopt;
        return decode_header(received[0].payload.first<kNtpHeaderSize>());
    }

    SeqLock<ServerState> state;
    std::shared_ptr<ServerTables> tables;
    ClientLog log;
    TimestampStore store;
    SeededRandom random{11};
    std::unique_ptr<WorkerPool> pool;
};

TEST_F(Workers, WorkerPool_AnswersFromKernelStampsWithPlausibleTimes) {
    start(1);
    auto client = connect();
    for (int i = 0; i < 20; ++i) {
        const UtcTime before = UtcTime::from_ns(read_realtime_clock().ns());
        const auto answer = ask(*client, Server::client_header());
        const UtcTime after = UtcTime::from_ns(read_realtime_clock().ns());
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->stratum, 3);
        EXPECT_GE(answer->receive.resolve(before) - before, Duration::from_us(-1));
        EXPECT_LE(answer->receive.resolve(before), answer->transmit.resolve(before));
        // T3 is a prediction: it may be late by its error, not by more.
        EXPECT_LE(answer->transmit.resolve(before) - after, Duration::from_ms(1));
    }
}

TEST_F(Workers, WorkerPool_InterleavesAcrossWorkersAndPorts) {
    start(2);
    NtpHeader previous;
    int interleaved = 0;
    for (std::uint64_t i = 0; i < 20; ++i) {
        auto client = connect();  // a new port each time: the kernel chooses the worker
        NtpHeader header = Server::client_header(0x5000 + 4 * i);
        header.origin = previous.receive;
        header.receive = NtpTimestamp::from_bits(0x5002 + 4 * i);
        const auto answer = ask(*client, header);
        ASSERT_TRUE(answer);
        if (answer->origin == header.receive) ++interleaved;
        previous = *answer;
    }
    EXPECT_EQ(interleaved, 18);
}

TEST_F(Workers, WorkerPool_ObeysTablesFromTheMomentTheyArePublished) {
    start(2);
    auto client = connect();
    ASSERT_TRUE(ask(*client, Server::client_header()));
    pool->publish(std::make_shared<ServerTables>());
    const auto request = Server::request(Server::client_header());
    TxDatagram datagram;
    datagram.payload = request;
    ASSERT_EQ(client->send(std::span(&datagram, 1)), 1U);
    auto reopened = std::make_shared<ServerTables>(*tables);
    // The refused request has been handled when the counter says so.
    ServerStats stats;
    for (int i = 0; i < 20000 && stats.drops[static_cast<int>(Drop::AccessDenied)] == 0; ++i) {
        std::this_thread::yield();
        stats = ServerStats{};
        pool->add_to(stats);
    }
    EXPECT_EQ(stats.drops[static_cast<int>(Drop::AccessDenied)], 1U);
    pool->publish(reopened);
    EXPECT_TRUE(ask(*client, Server::client_header()));
}

TEST_F(Workers, WorkerPool_ForwardsWhatBelongsToConfiguredSources) {
    tables->forwarded = {IpAddress::loopback(IpAddress::Family::V4)};
    start(1);
    auto client = connect();
    EXPECT_TRUE(ask(*client, Server::client_header())) << "requests are served all the same";
    NtpHeader header = Server::client_header(0x77);
    header.mode = Mode::SymmetricActive;
    const auto packet = Server::request(header);
    TxDatagram datagram;
    datagram.payload = packet;
    ASSERT_EQ(client->send(std::span(&datagram, 1)), 1U);
    pollfd fd{pool->forward_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&fd, 1, kPatienceMs), 1);
    std::vector<Forwarded> out(4);
    ASSERT_EQ(pool->take_forwarded(out), 1U);
    EXPECT_EQ(out[0].datagram.remote, client->local().value());
    EXPECT_TRUE(std::equal(packet.begin(), packet.end(), out[0].datagram.payload.begin(),
                           out[0].datagram.payload.end()));
    EXPECT_EQ(pool->take_forwarded(out), 0U);
    EXPECT_EQ(poll(&fd, 1, 0), 0);
}

TEST_F(Workers, WorkerPool_SendsForTheControlLoopAndBringsItsTransmitStampBack) {
    tables->forwarded = {IpAddress::loopback(IpAddress::Family::V4)};
    start(2);
    auto peer = connect();
    NtpHeader header = Server::client_header(0x99);
    header.mode = Mode::SymmetricActive;
    const auto packet = Server::request(header);
    TxDatagram datagram;
    datagram.payload = packet;
    datagram.remote = peer->local().value();
    datagram.want_stamp = true;
    datagram.cookie = 4711;
    const SystemTime before = read_realtime_clock();
    ASSERT_TRUE(pool->send(datagram));

    pollfd arrival{peer->fd(), POLLIN, 0};
    ASSERT_EQ(poll(&arrival, 1, kPatienceMs), 1);
    std::array<RxDatagram, 1> received;
    ASSERT_EQ(peer->receive(received), 1U);
    EXPECT_EQ(received[0].remote.port, pool->port()) << "it comes from the server's port";

    pollfd fd{pool->forward_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&fd, 1, kPatienceMs), 1);
    std::vector<Forwarded> out(4);
    ASSERT_EQ(pool->take_forwarded(out), 1U);
    EXPECT_EQ(out[0].kind, Forwarded::Kind::TransmitStamp);
    EXPECT_EQ(out[0].report.cookie, 4711U);
    EXPECT_EQ(out[0].report.remote, datagram.remote);
    EXPECT_GE(out[0].report.stamp.time, before);
    datagram.remote.ip = IpAddress{};
    EXPECT_FALSE(pool->send(datagram)) << "no family, no socket";
}

TEST_F(Workers, WorkerPool_StandsLoadFromTwoThreadsWhileEverythingChanges) {
    start(2);
    std::atomic<bool> done{false};
    std::atomic<int> answered{0};
    auto load = [&](std::uint64_t salt) {
        auto client = connect();
        NtpHeader previous;
        for (std::uint64_t i = 0; !done; ++i) {
            NtpHeader header = Server::client_header(salt + 4 * i);
            header.origin = previous.receive;
            header.receive = NtpTimestamp::from_bits(salt + 4 * i + 2);
            if (const auto answer = ask(*client, header)) {
                previous = *answer;
                ++answered;
            }
        }
    };
    std::thread first(load, 1ULL << 40);
    std::thread second(load, 2ULL << 40);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(800);
    while (std::chrono::steady_clock::now() < end) {
        ServerState next = state.load();
        next.clock.offset += Duration::from_us(1);
        state.store(next);
        pool->publish(std::make_shared<ServerTables>(*tables));
        ServerStats stats;
        pool->add_to(stats);
        add_shared(stats, log, store);
        for (std::size_t i = 0; i < log.index_count(); i += 97) {
            log.report(i, 0, (i & 1) != 0, read_realtime_clock());
        }
        std::this_thread::yield();
    }
    done = true;
    first.join();
    second.join();
    pool->stop();
    ServerStats stats;
    pool->add_to(stats);
    EXPECT_GT(answered, 100);
    EXPECT_GE(stats.replies, static_cast<std::uint64_t>(answered.load()));
    EXPECT_GT(stats.ntp_interleaved_hits, 0U);
    EXPECT_GT(stats.ntp_rx_stamps[1], 0U);
}

TEST_F(Workers, WorkerPool_StopsAtOnceAndTwice) {
    start(2);
    pool->stop();
    pool->stop();
}

TEST_F(Workers, WorkerPool_SaysWhichAddressItCouldNotBind) {
    SocketOptions taken;
    taken.local = {IpAddress::loopback(IpAddress::Family::V4), 0};
    auto holder = SocketPort::open(taken);
    ASSERT_TRUE(holder);
    WorkerPoolConfig config;
    taken.local.port = (*holder)->local().value().port;
    config.sockets = {taken};
    const auto started = WorkerPool::start(config, state, tables, log, store, random);
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().what.find(taken.local.to_string()), std::string::npos);
}

}  // namespace
}  // namespace gnomon::testing
