#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

constexpr std::int64_t kMs = 1'000'000;

double difference_s(NtpTimestamp t, std::int64_t ns) {
    const auto expected = NtpTimestamp::from_utc(UtcTime::from_ns(kBaseNs + ns)).bits();
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(t.bits() - expected)), -32);
}

/// A client of RFC 9769: origin and receive of a request are taken from the last reply.
class InterleavedClient {
public:
    explicit InterleavedClient(Server& server) : server_(server) {}

    /// Asks at `ns`; the reply is finished 10 µs later and stamped `stamp_after_ns` after that.
    NtpHeader exchange(std::int64_t ns, std::int64_t stamp_after_ns, const char* from = "192.0.2.7",
                       std::uint16_t port = 40000) {
        NtpHeader header = Server::client_header(serial_ += 0x1000);
        header.origin = last_.receive;
        header.receive = NtpTimestamp::from_bits(serial_ + 0x10);
        EXPECT_EQ(server_.ask(Server::request(header), at_ns(ns), at_ns(ns + 10'000), from, port),
                  Drop::None);
        last_ = server_.answer();
        if (stamp_after_ns > 0) {
            TxStampReport report;
            report.payload = server_.reply.bytes();
            report.stamp = {at_ns(ns + 10'000 + stamp_after_ns), TimestampSource::Kernel, 0.0};
            server_.responder.on_transmit_stamp(report);
        }
        asked_ = header;
        return last_;
    }
    const NtpHeader& asked() const { return asked_; }

private:
    Server& server_;
    NtpHeader last_;
    NtpHeader asked_;
    std::uint64_t serial_ = 0x7000000000000000ULL;
};

TEST(Interleaved, Responder_InterleavesFromTheThirdReplyOnWithTheKernelsStamp) {
    Server server;
    InterleavedClient client(server);
    NtpHeader answer = client.exchange(0, 5000);
    EXPECT_EQ(answer.origin, client.asked().transmit);
    EXPECT_FALSE(server.reply.interleaved());
    answer = client.exchange(1000 * kMs, 6000);
    EXPECT_EQ(answer.origin, client.asked().transmit);
    EXPECT_FALSE(server.reply.interleaved());
    answer = client.exchange(2000 * kMs, 7000);
    EXPECT_TRUE(server.reply.interleaved());
    EXPECT_EQ(answer.origin, client.asked().receive);
    EXPECT_NEAR(difference_s(answer.transmit, 1000 * kMs + 16'000), 0.0, 1e-9);
    answer = client.exchange(3000 * kMs, 0);
    EXPECT_NEAR(difference_s(answer.transmit, 2000 * kMs + 17'000), 0.0, 1e-9);
    // No stamp came: the daemon's own estimate is better than nothing.
    answer = client.exchange(4000 * kMs, 0);
    EXPECT_NEAR(difference_s(answer.transmit, 3000 * kMs + 10'000), 0.0, 20e-6);
    EXPECT_EQ(server.responder.counters().interleaved.get(), 3U);
    EXPECT_EQ(server.responder.counters().transmit_stamps[1].get(), 2U);
}

TEST(Interleaved, Responder_MatchesByTimestampWhateverTheAddress) {
    Server server;
    InterleavedClient client(server);
    client.exchange(0, 5000, "192.0.2.7", 1111);
    client.exchange(1000 * kMs, 5000, "192.0.2.8", 2222);
    client.exchange(2000 * kMs, 5000, "198.51.100.1", 3333);
    EXPECT_TRUE(server.reply.interleaved());
}

TEST(Interleaved, Responder_AnswersAReplayInTheBasicMode) {
    Server server;
    InterleavedClient client(server);
    client.exchange(0, 5000);
    client.exchange(1000 * kMs, 5000);
    client.exchange(2000 * kMs, 5000);
    ASSERT_TRUE(server.reply.interleaved());
    const auto replayed = Server::request(client.asked());
    ASSERT_EQ(server.ask(replayed, at_ns(2001 * kMs), at_ns(2001 * kMs)), Drop::None);
    EXPECT_FALSE(server.reply.interleaved());
    EXPECT_EQ(server.answer().origin, client.asked().transmit);
}

TEST(Interleaved, Responder_StoresNothingForBasicClients) {
    Server server;
    for (std::uint64_t i = 0; i < 10; ++i) {
        NtpHeader header = Server::client_header();
        header.origin = NtpTimestamp::from_bits(i * 2);  // our transmit timestamps are even
        ASSERT_EQ(server.ask(Server::request(header), at_ns(0), at_ns(0)), Drop::None);
    }
    EXPECT_EQ(server.store.held().count, 0U);
}

TEST(Interleaved, Responder_NeedsVersion4AndDistinctTimestamps) {
    Server server;
    NtpHeader header = Server::client_header();
    header.origin = NtpTimestamp::from_bits(0x101);
    header.version = 3;
    ASSERT_EQ(server.ask(Server::request(header), at_ns(0), at_ns(0)), Drop::None);
    header.version = 4;
    header.receive = header.transmit;
    ASSERT_EQ(server.ask(Server::request(header), at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.store.held().count, 0U);
}

TEST(Interleaved, Responder_WithoutClientLogServesBasicModeOnly) {
    ClientLogConfig config;
    config.enabled = false;
    Server server(config);
    InterleavedClient client(server);
    for (int i = 0; i < 4; ++i) client.exchange(i * 1000 * kMs, 5000);
    EXPECT_FALSE(server.reply.interleaved());
}

TEST(Interleaved, Responder_ConvertsALateStampWithTheClockOfItsReceiveTimestamp) {
    Server server;
    InterleavedClient client(server);
    client.exchange(0, 5000);
    client.exchange(1000 * kMs, 0);
    TxStampReport report;
    report.payload = server.reply.bytes();
    report.stamp = {at_ns(1000 * kMs + 20'000), TimestampSource::Kernel, 0.0};
    // The clock is corrected by a second between reply and stamp.
    server.state.clock.offset = Duration::from_s(1);
    server.responder.on_transmit_stamp(report);
    const NtpHeader answer = client.exchange(2000 * kMs, 0);
    EXPECT_NEAR(difference_s(answer.transmit, 1000 * kMs + 20'000), 0.0, 1e-9);
}

TEST(Interleaved, Responder_ReceiveTimestampsOfOneInstantAreUnique) {
    Server server;
    std::vector<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 6; ++i) {
        NtpHeader header = Server::client_header(0x1000 + i);
        header.origin = NtpTimestamp::from_bits(0x101 + 2 * i);
        ASSERT_EQ(server.ask(Server::request(header), at_ns(77), at_ns(100)), Drop::None);
        for (const std::uint64_t other : seen) EXPECT_NE(server.answer().receive.bits(), other);
        seen.push_back(server.answer().receive.bits());
    }
    EXPECT_EQ(server.store.held().count, 6U);
}

NtpTimestamp key(std::int64_t ns) {
    return NtpTimestamp::from_bits(NtpTimestamp::from_utc(UtcTime::from_ns(kBaseNs + ns)).bits() |
                                   1);
}

NtpTimestamp served(SystemTime t) { return NtpTimestamp::from_utc(UtcTime::from_ns(t.ns())); }

/// A response that was received at `ns` and left at `sent`.
bool save(TimestampStore& store, std::int64_t ns, SystemTime sent) {
    const auto reserved = store.reserve(key(ns));
    if (reserved.result != TimestampStore::Reservation::Result::Reserved) return false;
    store.complete(reserved.place, key(ns), served(sent));
    return true;
}
std::int64_t ns_of(const std::optional<TimestampStore::Transmit>& transmit) {
    return transmit.value().time.resolve(UtcTime::from_ns(kBaseNs)).ns() - kBaseNs;
}

TEST(TimestampStore, TimestampStore_RefusesAmbiguousPairs) {
    TimestampStore store(64);
    EXPECT_TRUE(save(store, 0, at_ns(5)));
    const auto again = store.reserve(key(0));
    EXPECT_EQ(again.result, TimestampStore::Reservation::Result::Taken);
    EXPECT_EQ(ns_of(store.take(key(0))), 5);
    EXPECT_FALSE(store.take(key(0)));
}

TEST(TimestampStore, TimestampStore_HasNothingBeforeTheDepartureIsKnown) {
    TimestampStore store(64);
    const auto reserved = store.reserve(key(0));
    ASSERT_EQ(reserved.result, TimestampStore::Reservation::Result::Reserved);
    store.update(key(0), served(at_ns(7)), TimestampSource::Kernel);
    EXPECT_FALSE(store.take(key(0)));
    store.complete(reserved.place, key(0), served(at_ns(5)));
    EXPECT_FALSE(store.take(key(0))) << "it was asked for once";
}

TEST(TimestampStore, TimestampStore_ALateDepartureDoesNotReachWhoGotThePlace) {
    TimestampStore store(4);  // two buckets, six places
    const auto first = store.reserve(key(0));
    for (std::int64_t i = 1; i <= 40; ++i) save(store, i * 1000, at_ns(i * 1000 + 5));
    store.complete(first.place, key(0), served(at_ns(77)));
    int found = 0;
    for (std::int64_t i = 1; i <= 40; ++i) {
        const auto transmit = store.take(key(i * 1000));
        if (!transmit) continue;
        ++found;
        EXPECT_EQ(ns_of(transmit), i * 1000 + 5);
    }
    EXPECT_EQ(found, 5);
}

TEST(TimestampStore, TimestampStore_UsedPairsMakeRoomFirst) {
    TimestampStore store(4);
    for (std::int64_t i = 0; i < 6; ++i) save(store, i * 1000, at_ns(i * 1000));
    ASSERT_EQ(store.held().count, 6U) << "a full bucket passes pairs to the one beside";
    EXPECT_TRUE(store.take(key(1000)));
    save(store, 9000, at_ns(9000));
    EXPECT_TRUE(store.take(key(0)));
    EXPECT_TRUE(store.take(key(9000)));
    EXPECT_FALSE(store.take(key(1000)));
}

TEST(TimestampStore, TimestampStore_ReplacesTheOldestWhenFull) {
    TimestampStore store(4);
    for (std::int64_t i = 0; i < 40; ++i) save(store, i * 1000, at_ns(i * 1000));
    EXPECT_EQ(store.held().count, 6U);
    EXPECT_FALSE(store.take(key(0)));
    EXPECT_TRUE(store.take(key(39'000)));
}

TEST(TimestampStore, TimestampStore_HoldsMostOfItsCapacityOfRandomTimes) {
    TimestampStore store(4096);
    SeededRandom random(1);
    std::int64_t ns = 0;
    for (int i = 0; i < 4096; ++i) {
        ns += static_cast<std::int64_t>(random.next() % 2'000'000);
        save(store, ns, at_ns(ns));
    }
    EXPECT_GT(store.held().count, 4096U * 80 / 100);
    EXPECT_NEAR(static_cast<double>(store.held().span_s), static_cast<double>(ns) * 1e-9, 1.0);
}

TEST(TimestampStore, TimestampStore_RefusesStampsThatCannotBelong) {
    TimestampStore store(64);
    save(store, 0, at_ns(1000));
    store.update(key(0), served(at_ns(1'500'000'000)), TimestampSource::Kernel);
    store.update(key(0), served(at_ns(-5 * kMs)), TimestampSource::Kernel);
    const auto transmit = store.take(key(0));
    ASSERT_TRUE(transmit);
    EXPECT_EQ(ns_of(transmit), 1000);
    EXPECT_EQ(transmit->source, TimestampSource::Daemon);
}

TEST(TimestampStore, TimestampStore_PrefersTheHardwareStampInEitherOrder) {
    for (const bool hardware_first : {true, false}) {
        TimestampStore store(64);
        save(store, 0, at_ns(1000));
        if (hardware_first) store.update(key(0), served(at_ns(3000)), TimestampSource::Hardware);
        store.update(key(0), served(at_ns(2000)), TimestampSource::Kernel);
        if (!hardware_first) store.update(key(0), served(at_ns(3000)), TimestampSource::Hardware);
        EXPECT_EQ(ns_of(store.take(key(0))), 3000);
    }
}

TEST(TimestampStore, TimestampStore_ForgetsAllWhenSomebodyElseStepsTheClock) {
    TimestampStore store(64);
    save(store, 0, at_ns(1));
    ClockAdjustment adjustment;
    adjustment.kind = ClockAdjustment::Kind::Step;
    store.adjust(adjustment);
    EXPECT_EQ(store.held().count, 1U);
    adjustment.kind = ClockAdjustment::Kind::UnknownStep;
    store.adjust(adjustment);
    EXPECT_EQ(store.held().count, 0U);
    EXPECT_FALSE(store.take(key(0)));
}

TEST(TransmitPredictor, TransmitPredictor_FindsTheMedianDespiteOutliers) {
    TransmitPredictor predictor;
    SeededRandom random(3);
    using Lane = TransmitPredictor::Lane;
    EXPECT_EQ(predictor.predict(Lane::Plain, 0), Duration::zero());
    for (int i = 0; i < 4000; ++i) {
        std::int64_t delay = 8000 + static_cast<std::int64_t>(random.next() % 1000);
        if (random.next() % 10 == 0) delay += 300'000;
        predictor.observe(Lane::Plain, 0, Duration::from_ns(delay));
        predictor.observe(Lane::Plain, 3, Duration::from_ns(delay + 4000));
    }
    EXPECT_NEAR(static_cast<double>(predictor.predict(Lane::Plain, 0).ns()), 8550, 150);
    EXPECT_NEAR(static_cast<double>(predictor.predict(Lane::Plain, 3).ns()), 12550, 150);
    EXPECT_EQ(predictor.predict(Lane::Plain, 9), predictor.predict(Lane::Plain, 3));
    EXPECT_EQ(predictor.predict(Lane::Signed, 0), predictor.predict(Lane::Plain, 0));
}

TEST(TransmitPredictor, TransmitPredictor_SaysHowPreciseItIs) {
    TransmitPredictor predictor;
    using Lane = TransmitPredictor::Lane;
    EXPECT_EQ(predictor.precision(), TransmitPredictor::kExact);
    // 2 µs, 500 ns earlier or later: twice the mean deviation is 1 µs, just above 2^-20 s.
    for (int i = 0; i < 2000; ++i) {
        predictor.observe(Lane::Plain, 0, Duration::from_ns(i % 2 == 0 ? 1500 : 2500));
        predictor.observe(Lane::Signed, 0, Duration::from_us(50 + i % 40));
        predictor.observe(Lane::Plain, 7, Duration::from_us(50 + i % 40));
    }
    EXPECT_GE(predictor.precision(), -20);
    EXPECT_LE(predictor.precision(), -19);
    for (int i = 0; i < 2000; ++i) predictor.observe(Lane::Plain, 0, Duration::from_ns(2000));
    EXPECT_LT(predictor.precision(), -24);
}

TEST(TransmitPredictor, TransmitPredictor_IgnoresTheImpossible) {
    TransmitPredictor predictor;
    using Lane = TransmitPredictor::Lane;
    for (int i = 0; i < 100; ++i) predictor.observe(Lane::Plain, 0, Duration::from_us(-3));
    for (int i = 0; i < 100; ++i) predictor.observe(Lane::Plain, 0, Duration::from_s(3));
    EXPECT_EQ(predictor.predict(Lane::Plain, 0), Duration::zero());
}

TEST(Interleaved, Responder_LearnsTheWayToTheWireFromStamps) {
    Server server;
    for (int i = 0; i < 40; ++i) {
        const std::int64_t ns = i * 10 * kMs;
        const auto request = Server::request(Server::client_header());
        ASSERT_EQ(server.ask(request, at_ns(ns), at_ns(ns + 1000)), Drop::None);
        ASSERT_TRUE(server.reply.wants_stamp());
        TxStampReport report;
        report.payload = server.reply.bytes();
        report.stamp = {at_ns(ns + 1000 + 9000), TimestampSource::Kernel, 0.0};
        server.responder.on_transmit_stamp(report);
    }
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(900 * kMs), at_ns(900 * kMs)), Drop::None);
    EXPECT_NEAR(difference_s(server.answer().transmit, 900 * kMs + 9000), 0.0, 0.2e-6);
}

}  // namespace
}  // namespace gnomon::testing
