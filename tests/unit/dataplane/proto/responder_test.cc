#include "dataplane/proto/responder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dataplane/wire/extensions.h"
#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

constexpr std::int64_t kUs = 1000;

double seconds_from_base(NtpTimestamp t) {
    const auto base = NtpTimestamp::from_utc(UtcTime::from_ns(kBaseNs)).bits();
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(t.bits() - base)), -32);
}

TEST(Responder, Responder_AnswersAClientRequestWithTheServersState) {
    Server server;
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(100 * kUs), at_ns(150 * kUs)), Drop::None);
    const NtpHeader answer = server.answer();
    EXPECT_EQ(answer.mode, Mode::Server);
    EXPECT_EQ(answer.version, 4);
    EXPECT_EQ(answer.leap, Leap::Normal);
    EXPECT_EQ(answer.stratum, 2);
    EXPECT_EQ(answer.poll, 6);
    EXPECT_EQ(answer.precision, -25);
    EXPECT_EQ(answer.ref_id, 0x0A000001U);
    EXPECT_EQ(answer.origin.bits(), 0x1234567890abcdefULL);
    EXPECT_EQ(answer.reference, NtpTimestamp::from_utc(server.state.reference_time));
    EXPECT_NEAR(answer.root_delay.to_seconds(), 0.01, 2e-5);
    // Rounded such that the bound they make together holds, and is at most a unit above it.
    const double bound_s =
        0.5 * answer.root_delay.to_seconds() + answer.root_dispersion.to_seconds();
    EXPECT_GE(bound_s, 0.005 + 0.001 + 10e-5);
    EXPECT_LE(bound_s, 0.005 + 0.001 + 10e-5 + 1.0 / 65536.0 + 1e-9);
    EXPECT_NEAR(seconds_from_base(answer.receive), 100e-6, 1e-9);
    EXPECT_NEAR(seconds_from_base(answer.transmit), 150e-6, 1e-9);
    EXPECT_EQ(server.reply.bytes().size(), kNtpHeaderSize);
}

TEST(Responder, Responder_RepliesToWhoAskedFromTheAddressThatWasAsked) {
    Server server;
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(1), "198.51.100.9", 5555), Drop::None);
    const TxDatagram datagram = server.reply.datagram(server.datagram);
    EXPECT_EQ(datagram.remote, (SocketAddress{ip("198.51.100.9"), 5555}));
    EXPECT_EQ(datagram.local, ip("192.0.2.1"));
    EXPECT_EQ(datagram.finisher, &server.reply);
}

TEST(Responder, Responder_MarksReceiveOddAndTransmitEven) {
    Server server;
    for (int i = 0; i < 200; ++i) {
        const auto request = Server::request(Server::client_header(2 + 2 * std::uint64_t(i)));
        ASSERT_EQ(server.ask(request, at_ns(i * 1000), at_ns(i * 1000 + 7)), Drop::None);
        EXPECT_EQ(server.answer().receive.bits() & 1, 1U);
        EXPECT_EQ(server.answer().transmit.bits() & 1, 0U);
    }
}

TEST(Responder, Responder_RandomBitsOfTimestampsHaveNoBias) {
    Server server;
    double receive = 0.0;
    double transmit = 0.0;
    constexpr int kCount = 20000;
    for (int i = 0; i < kCount; ++i) {
        const auto request = Server::request(Server::client_header());
        const std::int64_t ns = i * 997;
        ASSERT_EQ(server.ask(request, at_ns(ns), at_ns(ns)), Drop::None);
        receive += seconds_from_base(server.answer().receive) - static_cast<double>(ns) * 1e-9;
        transmit += seconds_from_base(server.answer().transmit) - static_cast<double>(ns) * 1e-9;
    }
    EXPECT_NEAR(receive / kCount, 0.0, 0.02e-9);
    EXPECT_NEAR(transmit / kCount, 0.0, 0.02e-9);
}

TEST(Responder, Responder_ServesTheNtpClockAndNotTheSystemClock) {
    Server server;
    server.state.clock.offset = Duration::from_ms(3);
    server.state.clock.rate = 1e-3;
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(1'000'000'000), at_ns(1'000'000'000)), Drop::None);
    EXPECT_NEAR(seconds_from_base(server.answer().receive), 1.004, 1e-9);
    EXPECT_NEAR(seconds_from_base(server.answer().transmit), 1.004, 1e-9);
}

TEST(Responder, Responder_SmoothedTimeHasItsOwnReferenceId) {
    Server server;
    server.state.smoothing_offset_s = 0.25;
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.answer().ref_id, RefId::smoothing().value);
    EXPECT_NEAR(seconds_from_base(server.answer().receive), 0.25, 1e-9);
    EXPECT_NEAR(seconds_from_base(server.answer().transmit), 0.25, 1e-9);
    EXPECT_NEAR(seconds_from_base(server.answer().reference), -9.75, 1e-9);
}

TEST(Responder, Responder_TellsWhenItIsNotSynchronised) {
    Server server;
    server.state.synchronised = false;
    const auto request = Server::request(Server::client_header());
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.answer().leap, Leap::Unsynchronised);
    EXPECT_EQ(server.answer().stratum, 0);
    EXPECT_EQ(server.answer().ref_id, 0U);
    EXPECT_TRUE(server.answer().reference.is_zero());
}

TEST(Responder, Responder_AnswersModesAndVersionsLikeThis) {
    struct Case {
        std::uint8_t version;
        Mode mode;
        std::uint16_t port;
        Drop drop;
        Mode answer;
    };
    const Case cases[] = {
        {1, Mode::Client, 1024, Drop::None, Mode::Server},
        {2, Mode::Client, 123, Drop::None, Mode::Server},
        {3, Mode::Client, 1024, Drop::None, Mode::Server},
        {4, Mode::SymmetricActive, 123, Drop::None, Mode::SymmetricPassive},
        {1, Mode::Reserved, 1024, Drop::None, Mode::Server},
        {1, Mode::Reserved, 123, Drop::BadMode, Mode::Reserved},
        {2, Mode::Reserved, 1024, Drop::BadMode, Mode::Reserved},
        {4, Mode::Server, 123, Drop::BadMode, Mode::Reserved},
        {4, Mode::SymmetricPassive, 123, Drop::BadMode, Mode::Reserved},
        {4, Mode::Broadcast, 123, Drop::BadMode, Mode::Reserved},
        {2, Mode::Control, 1024, Drop::BadMode, Mode::Reserved},
        {2, Mode::Private, 1024, Drop::BadMode, Mode::Reserved},
        {0, Mode::Client, 1024, Drop::BadVersion, Mode::Reserved},
        {5, Mode::Client, 1024, Drop::BadVersion, Mode::Reserved},
    };
    Server server;
    for (const Case& c : cases) {
        NtpHeader header = Server::client_header();
        header.version = c.version;
        header.mode = c.mode;
        EXPECT_EQ(server.ask(Server::request(header), at_ns(0), at_ns(0), "192.0.2.7", c.port),
                  c.drop)
            << int{c.version} << " " << static_cast<int>(c.mode);
        if (c.drop == Drop::None) {
            EXPECT_EQ(server.answer().mode, c.answer);
            EXPECT_EQ(server.answer().version, c.version);
        }
    }
    EXPECT_EQ(server.responder.counters().drops[static_cast<int>(Drop::BadMode)].get(), 7U);
    EXPECT_EQ(server.responder.counters().drops[static_cast<int>(Drop::BadVersion)].get(), 2U);
}

TEST(Responder, Responder_DropsRequestFromPortZeroWhichNobodyCanAnswer) {
    Server server;
    const auto request = Server::request(Server::client_header());
    EXPECT_EQ(server.ask(request, at_ns(0), at_ns(0), "198.51.100.9", 0), Drop::BadPort);
    EXPECT_EQ(server.ask(request, at_ns(0), at_ns(0), "198.51.100.9", 1), Drop::None);
}

TEST(Responder, Responder_AsksForAPollNotBelowTheRateLimit) {
    ClientLogConfig config;
    config.limits[0] = {true, 8, 8, 2, 0};
    Server server(config);
    ASSERT_EQ(server.ask(Server::request(Server::client_header()), at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.answer().poll, 8);
}

TEST(Responder, Responder_RefusesStrangersBeforeItLogsThem) {
    Server server;
    server.access = AccessTable();
    EXPECT_EQ(server.ask(Server::request(Server::client_header()), at_ns(0), at_ns(0)),
              Drop::AccessDenied);
    EXPECT_EQ(server.stats().ntp_hits, 0U);
}

TEST(Responder, Responder_DropsRequestWhenRateLimited) {
    ClientLogConfig config;
    config.limits[0] = {true, 3, 4, 4, 0};
    Server server(config);
    int answered = 0;
    for (int i = 0; i < 400; ++i) {
        const auto request = Server::request(Server::client_header());
        if (server.ask(request, at_ns(i * 1'000'000LL), at_ns(i * 1'000'000LL)) == Drop::None) {
            ++answered;
        }
    }
    // The burst of 4, and one in 2^4 of the others.
    EXPECT_GT(answered, 4 + 8);
    EXPECT_LT(answered, 4 + 60);
    EXPECT_EQ(server.stats().ntp_hits, 400U);
    EXPECT_EQ(server.stats().ntp_drops, 400U - static_cast<unsigned>(answered));
}

TEST(Responder, Responder_SendsKissOfDeathWithoutTime) {
    ClientLogConfig config;
    config.limits[0] = {true, 3, 1, 4, 1};
    Server server(config);
    int kisses = 0;
    for (int i = 0; i < 100; ++i) {
        const auto request = Server::request(Server::client_header());
        if (server.ask(request, at_ns(i), at_ns(i)) != Drop::None) continue;
        const NtpHeader answer = server.answer();
        if (answer.ref_id != RefId::from_text("RATE").value) continue;
        ++kisses;
        EXPECT_EQ(answer.leap, Leap::Unsynchronised);
        EXPECT_EQ(answer.stratum, 0);
        EXPECT_EQ(answer.origin.bits(), 0x1234567890abcdefULL);
    }
    EXPECT_GT(kisses, 25);
    EXPECT_LT(kisses, 75);
}

class SignedServer : public ::testing::Test {
protected:
    SignedServer() {
        const std::vector<std::uint8_t> secret(20, 0x5a);
        std::vector<SymmetricKey> keys;
        keys.emplace_back(7, KeyType::Sha1, secret);
        keys.emplace_back(9, KeyType::Sha512, secret);
        server.keys = KeyTable(std::move(keys));
    }
    std::vector<std::uint8_t> signed_request(std::uint32_t id, std::uint8_t version = 4) {
        NtpHeader header = Server::client_header();
        header.version = version;
        std::vector<std::uint8_t> bytes = Server::request(header);
        bytes.resize(kNtpMaxSize);
        bytes.resize(append_mac(bytes, kNtpHeaderSize, version, *server.keys.find(id)));
        return bytes;
    }
    Server server;
};

TEST_F(SignedServer, Responder_SignsTheAnswerWithTheKeyOfTheRequest) {
    for (const std::uint32_t id : {7U, 9U}) {
        for (const std::uint8_t version : {std::uint8_t{3}, std::uint8_t{4}}) {
            const auto request = signed_request(id, version);
            ASSERT_EQ(server.ask(request, at_ns(0), at_ns(5)), Drop::None);
            EXPECT_EQ(server.reply.bytes().size(), request.size());
            const ParseResult parsed = parse_packet(server.reply.bytes());
            ASSERT_TRUE(parsed.packet);
            EXPECT_EQ(authenticate(*parsed.packet, server.keys), server.keys.find(id));
        }
    }
    EXPECT_EQ(server.responder.counters().authenticated.get(), 4U);
}

TEST_F(SignedServer, Responder_DropsEveryBrokenMac) {
    const auto request = signed_request(7);
    for (std::size_t i = kNtpHeaderSize; i < request.size(); ++i) {
        auto broken = request;
        broken[i] ^= 0x10;
        EXPECT_EQ(server.ask(broken, at_ns(0), at_ns(0)), Drop::BadAuthentication) << i;
    }
    auto tampered = request;
    tampered[2] ^= 1;
    EXPECT_EQ(server.ask(tampered, at_ns(0), at_ns(0)), Drop::BadAuthentication);
    auto crypto_nak = Server::request(Server::client_header());
    crypto_nak.resize(52, 0);
    EXPECT_EQ(server.ask(crypto_nak, at_ns(0), at_ns(0)), Drop::BadAuthentication);
}

TEST(Responder, Responder_IgnoresUnknownExtensionFieldsAndDoesNotGrow) {
    Server server;
    std::vector<std::uint8_t> request = Server::request(Server::client_header());
    request.resize(kNtpMaxSize);
    const std::vector<std::uint8_t> body(24, 0xee);
    request.resize(append_extension(request, kNtpHeaderSize, 0x7777, body));
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.reply.bytes().size(), kNtpHeaderSize);
}

TEST(Responder, Responder_DoesNotAnswerNtsWithoutKeys) {
    Server server;
    std::vector<std::uint8_t> request = Server::request(Server::client_header());
    request.resize(kNtpMaxSize);
    const std::vector<std::uint8_t> body(32, 0xee);
    request.resize(append_extension(request, kNtpHeaderSize, 0x0104, body));
    EXPECT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::BadAuthentication);
}

TEST(Responder, Responder_OffersItsMonotonicScaleWhenAskedAndWhenThereIsOne) {
    Server server;
    std::vector<std::uint8_t> request = Server::request(Server::client_header());
    request.resize(kNtpMaxSize);
    request.resize(
        append_extension(request, kNtpHeaderSize, kExtensionMonoRoot, MonoRoot{}.encode()));
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.reply.bytes().size(), kNtpHeaderSize);

    server.state.mono_epoch = 77;
    server.state.mono_offset_s = 1.5;
    ASSERT_EQ(server.ask(request, at_ns(0), at_ns(0)), Drop::None);
    EXPECT_EQ(server.reply.bytes().size(), request.size());
    const ParseResult parsed = parse_packet(server.reply.bytes());
    ASSERT_TRUE(parsed.packet);
    const ExtensionField* field = parsed.packet->find(kExtensionMonoRoot);
    ASSERT_NE(field, nullptr);
    const auto root = MonoRoot::decode(field->body);
    ASSERT_TRUE(root);
    EXPECT_EQ(root->mono_epoch, 77U);
    EXPECT_NEAR(seconds_from_base(root->mono_receive), 1.5, 1e-9);
    EXPECT_NEAR(MonoRoot::from_fixed28(root->root_delay), 0.01, 1e-8);
}

TEST(Responder, Responder_SurvivesEveryLengthAndEveryFirstByte) {
    Server server;
    for (std::size_t size = 0; size <= kNtpMaxSize + 8; ++size) {
        for (const int first : {0x00, 0x0b, 0x1b, 0x23, 0x24, 0xe3, 0xff}) {
            std::vector<std::uint8_t> bytes(size, 0xff);
            if (size > 0) bytes[0] = static_cast<std::uint8_t>(first);
            const Drop drop = server.ask(bytes, at_ns(0), at_ns(0));
            if (drop == Drop::None) {
                EXPECT_LE(server.reply.bytes().size(), size);
                EXPECT_EQ(size % 4, 0U);
            }
        }
    }
}

TEST(Responder, Responder_NeverSendsTheOriginAsItsOwnTimestamp) {
    Server server;
    for (int i = 0; i < 64; ++i) {
        // The attacker guesses T3.
        const auto t3 = NtpTimestamp::from_utc(UtcTime::from_ns(kBaseNs + 500)).bits() - 8 + i / 4U;
        const auto request = Server::request(Server::client_header(t3));
        ASSERT_EQ(server.ask(request, at_ns(499), at_ns(500)), Drop::None);
        EXPECT_NE(server.answer().transmit.bits(), t3);
        EXPECT_NE(server.answer().receive.bits(), t3);
    }
}

}  // namespace
}  // namespace gnomon::testing
