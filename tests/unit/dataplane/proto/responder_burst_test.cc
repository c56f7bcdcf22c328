/// Bursts of requests: the same answers as one at a time, in place or not.

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "dataplane/wire/extensions.h"

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A server asked for many things at once.
class BurstServer {
public:
    explicit BurstServer(const ClientLogConfig& config = {}) : server(config) {
        tables.access = AccessIndex(server.access);
        std::vector<SymmetricKey> keys;
        keys.emplace_back(7, KeyType::Sha1, Bytes(20, 0x5a));
        tables.keys = std::make_shared<const KeyTable>(std::move(keys));
    }

    void add(Bytes bytes, SystemTime received, std::uint32_t from, std::uint16_t port = 40000) {
        packets.push_back(std::move(bytes));
        RxDatagram datagram;
        datagram.remote = {IpAddress::v4(from), port};
        datagram.stamp = {received, TimestampSource::Kernel};
        requests.push_back(datagram);
    }

    /// Answers all that was added; the replies are in `packets` when `in_place`, else in `replies`.
    void answer(bool in_place, SystemTime sent) {
        for (std::size_t i = 0; i < packets.size(); ++i) {
            requests[i].payload = packets[i];
            if (in_place) replies[i].use_buffer(packets[i]);
        }
        verdicts.assign(requests.size(), Drop::None);
        server.responder.prepare_burst(requests, server.state, tables, replies.all(), verdicts);
        server.responder.finish_burst(replies.all(), verdicts, sent);
    }
    NtpHeader header(std::size_t i) {
        return decode_header(replies[i].bytes().first<kNtpHeaderSize>());
    }

    Server server;
    ServerTables tables;
    std::vector<Bytes> packets;
    std::vector<RxDatagram> requests;
    ReplyArray replies{Responder::kMaxBurst};
    std::vector<Drop> verdicts;
};

/// Every kind of request, some refused.
void add_mixture(BurstServer& burst) {
    const KeyTable& keys = *burst.tables.keys;
    for (std::uint32_t i = 0; i < Responder::kMaxBurst; ++i) {
        NtpHeader header = Server::client_header(0x1111111100000000ULL + i);
        if (i % 8 == 1) header.mode = Mode::SymmetricActive;
        if (i % 8 == 2) header.mode = Mode::Server;
        if (i % 8 == 3) header.version = 3;
        Bytes bytes = Server::request(header);
        if (i % 8 == 4) bytes.resize(40);
        if (i % 8 == 5) {
            bytes.resize(kNtpMaxSize);
            bytes.resize(append_mac(bytes, kNtpHeaderSize, 4, *keys.find(7)));
            if (i >= 32) bytes.back() ^= 1;
        }
        if (i % 8 == 6) {
            bytes.resize(kNtpMaxSize);
            bytes.resize(
                append_extension(bytes, kNtpHeaderSize, kExtensionMonoRoot, MonoRoot{}.encode()));
        }
        burst.add(std::move(bytes), at_ns(i * 100), 0xC0000200U + i, i % 8 == 7 ? 0 : 40000);
    }
}

TEST(ResponderBurst, Responder_GivesABurstTheVerdictsOfSingleRequests) {
    BurstServer burst;
    burst.server.state.mono_epoch = 5;
    add_mixture(burst);
    burst.answer(false, at_ns(10'000));
    BurstServer single;
    single.server.state.mono_epoch = 5;
    add_mixture(single);
    for (std::size_t i = 0; i < Responder::kMaxBurst; ++i) {
        single.requests[i].payload = single.packets[i];
        Drop verdict = Drop::None;
        single.server.responder.prepare_burst({&single.requests[i], 1}, single.server.state,
                                              single.tables, single.replies.all(), {&verdict, 1});
        EXPECT_EQ(burst.verdicts[i], verdict) << i;
        if (verdict != Drop::None) continue;
        single.replies[0].finish(at_ns(10'000), 0);
        const NtpHeader expected = single.header(0);
        const NtpHeader actual = burst.header(i);
        EXPECT_EQ(burst.replies[i].size(), single.replies[0].size()) << i;
        EXPECT_EQ(actual.mode, expected.mode) << i;
        EXPECT_EQ(actual.version, expected.version) << i;
        EXPECT_EQ(actual.origin, expected.origin) << i;
        EXPECT_EQ(actual.stratum, expected.stratum) << i;
        EXPECT_EQ(actual.root_delay, expected.root_delay) << i;
        // Two bits of either are random.
        EXPECT_LE(actual.receive.bits() - expected.receive.bits() + 4, 8U) << i;
        EXPECT_LE(actual.transmit.bits() - expected.transmit.bits() + 6, 12U) << i;
    }
    for (std::size_t d = 0; d < static_cast<std::size_t>(Drop::Count); ++d) {
        EXPECT_EQ(burst.server.responder.counters().drops[d].get(),
                  single.server.responder.counters().drops[d].get())
            << d;
    }
    EXPECT_EQ(burst.server.responder.counters().replies.get(), 36U);
    EXPECT_EQ(burst.server.responder.counters().requests.get(), 64U);
    EXPECT_EQ(burst.server.responder.counters().authenticated.get(), 4U);
}

TEST(ResponderBurst, Responder_AnswersInTheRequestsOwnBytes) {
    BurstServer apart;
    apart.server.state.mono_epoch = 5;
    add_mixture(apart);
    apart.answer(false, at_ns(10'000));
    BurstServer in_place;
    in_place.server.state.mono_epoch = 5;
    add_mixture(in_place);
    in_place.answer(true, at_ns(10'000));
    EXPECT_EQ(in_place.verdicts, apart.verdicts);
    for (std::size_t i = 0; i < Responder::kMaxBurst; ++i) {
        if (apart.verdicts[i] != Drop::None) continue;
        const auto expected = apart.replies[i].bytes();
        const auto actual = in_place.replies[i].bytes();
        EXPECT_EQ(Bytes(actual.begin(), actual.end()), Bytes(expected.begin(), expected.end()))
            << i;
        EXPECT_EQ(actual.data(), in_place.packets[i].data());
    }
}

TEST(ResponderBurst, Responder_ReceiveTimestampsOfABurstStampedAtOnceAreUnique) {
    BurstServer burst;
    for (std::uint32_t i = 0; i < Responder::kMaxBurst; ++i) {
        burst.add(Server::request(Server::client_header(0x1000 + i)), at_ns(77), 0x0A000000U + i);
    }
    burst.answer(false, at_ns(10'000));
    std::set<std::uint64_t> seen;
    const std::uint64_t first = burst.header(0).receive.bits();
    for (std::size_t i = 0; i < Responder::kMaxBurst; ++i) {
        EXPECT_TRUE(seen.insert(burst.header(i).receive.bits()).second) << i;
        EXPECT_LT(burst.header(i).receive.bits() - first + 8, 4 * Responder::kMaxBurst);
    }
}

TEST(ResponderBurst, Responder_DropsARequestThatItHasNoRoomToAnswer) {
    BurstServer burst;
    burst.add(Server::request(Server::client_header()), at_ns(0), 0x0A000001U);
    burst.add(Server::request(Server::client_header()), at_ns(0), 0x0A000002U);
    std::array<std::uint8_t, 40> small{};
    burst.replies[0].use_buffer(small);
    burst.answer(false, at_ns(10'000));
    EXPECT_EQ(burst.verdicts[0], Drop::BadFraming);
    EXPECT_EQ(burst.verdicts[1], Drop::None);
}

TEST(ResponderBurst, Responder_LimitsTheSecondRequestOfAClientInOneBurst) {
    ClientLogConfig config;
    config.limits[0] = {true, 12, 1, 4, 0};
    BurstServer burst(config);
    for (int i = 0; i < 40; ++i) {
        burst.add(Server::request(Server::client_header()), at_ns(i), 0x0A000001U);
    }
    burst.answer(false, at_ns(10'000));
    EXPECT_EQ(burst.verdicts[0], Drop::None);
    EXPECT_GT(burst.server.responder.counters().drops[static_cast<int>(Drop::RateLimited)].get(),
              25U);
}

TEST(ResponderBurst, Responder_ServesTimeWithALeadAsTheClockLineSays) {
    BurstServer burst;
    burst.server.state.clock.epoch = at_ns(0);
    burst.server.state.clock.offset = Duration::from_us(-500);
    burst.server.state.clock.rate = 1e-4;
    burst.server.state.clock.lead = Duration::from_us(1);
    for (std::uint32_t i = 0; i < 8; ++i) {
        burst.add(Server::request(Server::client_header()), at_ns(i * 500), 0x0A000001U + i);
    }
    burst.answer(false, at_ns(10'000));
    for (std::size_t i = 0; i < 8; ++i) {
        const auto expected =
            NtpTimestamp::from_utc(burst.server.state.clock.to_utc(burst.requests[i].stamp.time));
        EXPECT_LE(burst.header(i).receive.bits() - expected.bits() + 4, 8U) << i;
    }
}

TEST(ResponderBurst, Responder_AsksForNoStampWhereThereAreNone) {
    BurstServer burst;
    burst.server.responder.expect_stamps(false);
    NtpHeader header = Server::client_header();
    header.origin = NtpTimestamp::from_bits(0x101);
    burst.add(Server::request(header), at_ns(0), 0x0A000001U);
    burst.answer(false, at_ns(0));
    EXPECT_FALSE(burst.replies[0].wants_stamp());
    EXPECT_EQ(burst.server.store.held().count, 1U) << "interleaved all the same";
}

/// Finds races when it runs under ThreadSanitizer; small tables, so that workers meet.
TEST(ResponderBurst, Responder_SharesLogAndStoreWithOthers) {
    ClientLogConfig config;
    config.memory_limit = 64 * 120;
    config.limits[0] = {true, -10, 255, 2, 0};
    ClientLog log(config, 1);
    TimestampStore store(config.capacity());
    Server settings;
    ServerTables tables;
    tables.access = AccessIndex(settings.access);
    constexpr std::uint64_t kBursts = 300;
    std::array<std::uint64_t, 2> replies{};
    const auto serve = [&](std::size_t worker) {
        SeededRandom random(worker);
        Responder responder(log, store, random);
        ReplyArray answers(Responder::kMaxBurst);
        std::array<Drop, Responder::kMaxBurst> verdicts{};
        std::array<std::vector<std::uint8_t>, Responder::kMaxBurst> packets;
        std::array<RxDatagram, Responder::kMaxBurst> requests;
        NtpTimestamp last;
        for (std::uint64_t b = 0; b < kBursts; ++b) {
            const auto ns = static_cast<std::int64_t>(b * 1'000'000);
            for (std::size_t i = 0; i < requests.size(); ++i) {
                NtpHeader header = Server::client_header(random.next());
                header.origin = i % 2 == 0 ? last : NtpTimestamp::from_bits(random.next());
                packets[i] = Server::request(header);
                requests[i].payload = packets[i];
                requests[i].remote = {IpAddress::v4(static_cast<std::uint32_t>(i * 7 + b % 9)), 1};
                requests[i].stamp.time = at_ns(ns);
            }
            responder.prepare_burst(requests, settings.state, tables, answers.all(), verdicts);
            responder.finish_burst(answers.all(), verdicts, at_ns(ns + 1000));
            last = NtpTimestamp::from_bits(answers[0].cookie());
            TxStampReport report;
            report.cookie = last.bits();
            report.stamp = {at_ns(ns + 3000), TimestampSource::Kernel};
            responder.on_transmit_stamp(report);
        }
        replies[worker] = responder.counters().replies.get();
    };
    std::thread other(serve, 1);
    serve(0);
    for (std::size_t i = 0; i < log.index_count(); ++i) log.report(i, 0, true, at_ns(0));
    SeededRandom random(9);
    log.account(Service::Command, ip("192.0.2.1"), at_ns(0), random);
    store.held();
    other.join();
    EXPECT_GT(replies[0], kBursts * Responder::kMaxBurst / 2);
    EXPECT_GT(replies[1], kBursts * Responder::kMaxBurst / 2);
}

TEST(ResponderBurst, Responder_AcceptsAnEmptyBurst) {
    BurstServer burst;
    burst.answer(false, at_ns(0));
    EXPECT_EQ(burst.server.responder.counters().requests.get(), 0U);
}

}  // namespace
}  // namespace gnomon::testing
