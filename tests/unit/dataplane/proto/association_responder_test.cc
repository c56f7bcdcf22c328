/// An association against the real responder: rate limiting, kisses of death and the interleaved
/// mode, with the numbers of packets that chrony's own client and server come to.

#include <gtest/gtest.h>

#include "dataplane/proto/responder.h"
#include "tests/unit/dataplane/proto/association_bench.h"

namespace gnomon {
namespace {

using test::AssociationBench;
using test::bits_of;
using test::SeededRandom;

/// The server at the other end of a bench.
class RealServer {
public:
    explicit RealServer(const RateLimit& limit = {}, bool log_clients = true)
        : log_(log_config(limit, log_clients), 1),
          store_(log_clients ? 4096 : 0),
          responder_(log_, store_, random_) {
        state_.synchronised = true;
        state_.leap = Leap::Normal;
        state_.stratum = 1;
        state_.precision = -25;
        state_.ref_id = RefId::from_text("GPS");
        AccessTable access;
        access.allow(Subnet{});
        tables_.access = AccessIndex(access);
    }

    /// Takes the bench's last request; true when it was answered.
    bool answer(AssociationBench& bench) {
        const auto& request = bench.requests.back();
        RxDatagram datagram;
        datagram.payload = request;
        datagram.remote = {IpAddress::v4(0xC0000263), 40000};
        datagram.local = IpAddress::v4(0xC0000201);
        datagram.stamp.time = system(bench.sent_s + bench.delay_s / 2);
        state_.reference_time = bench.utc(bench.sent_s - 1.0);
        Drop verdict = Drop::None;
        responder_.prepare_burst({&datagram, 1}, state_, tables_, replies_.all(), {&verdict, 1});
        if (verdict != Drop::None) return false;
        ::gnomon::Reply& reply = replies_[0];
        const SystemTime leaves = datagram.stamp.time + Duration::from_us(10);
        reply.finish(leaves, 0);
        const AssociationBench::Datagram bytes(reply.bytes().begin(), reply.bytes().end());
        TxStampReport report;
        report.payload = bytes;
        report.stamp = {leaves + Duration::from_us(5), TimestampSource::Kernel, 0.0};
        responder_.on_transmit_stamp(report);
        ++answers;
        bench.now_s = std::max(bench.now_s, bench.sent_s + bench.delay_s + 15e-6);
        bench.deliver(bytes);
        return true;
    }

    int answers = 0;

private:
    static ClientLogConfig log_config(const RateLimit& limit, bool enabled) {
        ClientLogConfig config;
        config.enabled = enabled;
        config.limits[static_cast<std::size_t>(Service::Ntp)] = limit;
        return config;
    }
    static SystemTime system(double seconds) {
        return SystemTime::from_ns(AssociationBench::utc(seconds).ns());
    }

    SeededRandom random_{7};
    ClientLog log_;
    TimestampStore store_;
    Responder responder_;
    ServerState state_;
    ServerTables tables_;
    ReplyArray replies_{1};
};

RateLimit slow_limit(int kod) {
    RateLimit limit;
    limit.enabled = true;
    limit.interval = 6;
    limit.burst = 2;
    limit.leak = 4;
    limit.kod = kod;
    return limit;
}

void run_limited(AssociationBench& bench, RealServer& server) {
    bench.start();
    while (bench.run_to_request() && bench.now_s < 10000.0) server.answer(bench);
}

AssociationConfig every_8_s() {
    AssociationConfig config;
    config.min_poll = config.max_poll = 3;
    return config;
}

TEST(AssociationAndResponder, KeepAskingALimitedServer) {
    AssociationBench bench(every_8_s());
    RealServer server(slow_limit(0));
    run_limited(bench, server);
    EXPECT_GE(bench.requests.size(), 1200U);
    EXPECT_LE(bench.requests.size(), 1300U);
    EXPECT_GE(server.answers, 180);
    EXPECT_LE(server.answers, 220);
}

TEST(AssociationAndResponder, KissesOfDeathReduceTheRate) {
    AssociationBench bench(every_8_s());
    RealServer server(slow_limit(2));
    run_limited(bench, server);
    EXPECT_GE(bench.requests.size(), 700U);
    EXPECT_LE(bench.requests.size(), 850U);
    EXPECT_GE(server.answers, 350);
    EXPECT_LE(server.answers, 450);
    EXPECT_GE(bench.kods, 100);
    EXPECT_LE(bench.kods, 140);
}

int count_rows(const AssociationBench& bench, const std::string& bits, bool interleaved) {
    return static_cast<int>(
        std::count_if(bench.replies.begin(), bench.replies.end(), [&](const ReplyRecord& record) {
            return bits_of(record) == bits && record.interleaved == interleaved;
        }));
}

TEST(AssociationAndResponder, BurstsKeepTheMeanIntervalWhenThreeOfFourRepliesAreLost) {
    AssociationConfig config;
    config.burst = true;
    config.poll_target = 1;
    AssociationBench bench(config);
    bench.prediction_error_s = 1e-6;
    RealServer server;
    bench.start();
    while (bench.run_to_request() && bench.now_s < 10000.0) {
        if (bench.requests.size() % 4 == 0) server.answer(bench);
    }
    const auto& times = bench.request_times;
    double shortest_s = 1e9;
    for (std::size_t i = 1; i < times.size(); ++i) {
        shortest_s = std::min(shortest_s, times[i] - times[i - 1]);
    }
    EXPECT_LE(shortest_s, 2.2);
    EXPECT_GE((times.back() - times.front()) / static_cast<double>(times.size() - 1), 150.0);
}

TEST(AssociationAndResponder, InterleaveAfterTwoBasicExchanges) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    RealServer server;
    bench.start();
    for (int i = 0; i < 50; ++i) {
        bench.run_to_request();
        ASSERT_TRUE(server.answer(bench));
    }
    EXPECT_EQ(count_rows(bench, "111 111 1111", false), 2);
    EXPECT_EQ(count_rows(bench, "111 111 0111", true), 1);
    EXPECT_EQ(count_rows(bench, "111 111 1111", true), 47);
    ASSERT_FALSE(bench.measurements.empty());
    // The transmit time is the kernel's of the previous reply, 5 us later than the daemon's.
    EXPECT_NEAR(bench.measurements.back().measurement.peer_delay_s(), bench.delay_s, 1e-6);
}

TEST(AssociationAndResponder, StayBasicWhenTheServerKeepsNoStamps) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    RealServer server({}, false);
    bench.start();
    for (int i = 0; i < 20; ++i) {
        bench.run_to_request();
        ASSERT_TRUE(server.answer(bench));
    }
    EXPECT_EQ(count_rows(bench, "111 111 1111", false), 20);
}

}  // namespace
}  // namespace gnomon
